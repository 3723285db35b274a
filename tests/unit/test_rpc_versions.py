# SPDX-License-Identifier: Apache-2.0
"""Which version of a message is sent while old and new workers run side by side."""

import pytest

from nova_lite import errors, objects
from nova_lite.objects import base
from nova_lite.rpc import versions
from nova_lite.rpc.versions import Pin, Release

RELEASES = (
    Release(1, 'v0.1', {'conductor': '1.0', 'compute': '1.0'}),
    Release(4, 'v0.2', {'conductor': '1.3', 'compute': '1.0'}),
    Release(5, 'v0.3', {'conductor': '2.0', 'compute': '1.1'}),
)


@pytest.fixture(autouse=True)
def releases(monkeypatch):
    monkeypatch.setattr(versions, 'RELEASES', RELEASES)


@pytest.mark.parametrize(('level', 'cap'), [
    (None, '2.0'), ('', '2.0'), ('v0.1', '1.0'), ('v0.2', '1.3'), ('v0.3', '2.0'), ('1.2', '1.2'), ('auto', '2.0'),
])
def test_a_level_is_a_name_a_version_or_auto(level, cap):
    assert Pin('conductor', level).cap() == cap


@pytest.mark.parametrize('level', ['v9', '1', 'newest', '1.x', ' 1.0'])
def test_another_level_is_refused_with_those_there_are(level):
    with pytest.raises(errors.StartError, match=r'\[upgrade_levels\] conductor .* one of v0.1, v0.2, v0.3'):
        Pin('conductor', level)


@pytest.mark.parametrize(('lowest', 'cap'), [
    (0, '1.0'), (1, '1.0'), (3, '1.0'), (4, '1.3'), (5, '2.0'), (9, '2.0'), (None, '2.0'),
])
def test_auto_follows_the_oldest_worker(lowest, cap):
    assert Pin('conductor', 'auto', lambda: lowest).cap() == cap


def test_auto_asks_once_until_it_is_told_to_forget():
    answers = iter([1, 4])
    pin = Pin('conductor', 'auto', lambda: next(answers))
    assert [pin.cap(), pin.cap()] == ['1.0', '1.0']
    pin.forget()
    assert [pin.cap(), pin.cap()] == ['1.3', '1.3']


def test_a_fixed_pin_has_nothing_to_forget():
    pin = Pin('compute', 'v0.3')
    pin.forget()
    assert pin.cap() == '1.1'


def test_releases_are_in_order_and_name_all_topics():
    numbers = [release.service_version for release in RELEASES]
    assert numbers == sorted(set(numbers))
    assert all(set(release.messages) == {'conductor', 'compute'} for release in RELEASES)


def test_the_row_of_this_release_tells_the_versions_of_its_objects(monkeypatch):
    monkeypatch.undo()
    objects.register_all()
    known = {name: classes[0].VERSION for name, classes in base.Registry.obj_classes().items()
             if issubclass(classes[0], base.NovaLiteObject)}
    assert dict(versions.RELEASES[-1].objects) == known
    assert all(set(release.objects) <= set(known) for release in versions.RELEASES)


@pytest.mark.parametrize(('level', 'lowest', 'wanted'), [
    ('auto', 2, {}), ('auto', None, {}), ('', None, {}), ('v0.2', None, {}), ('auto', 1, {'Server': '1.0'}),
    ('auto', 0, {'Server': '1.0'}), ('v0.1', None, {'Server': '1.0'}), ('1.0', None, {'Server': '1.0'}),
    ('0.9', None, {}),
])
def test_objects_are_sent_as_the_oldest_worker_knows_them(monkeypatch, level, lowest, wanted):
    messages = {'conductor': '1.0', 'compute': '1.0'}
    monkeypatch.setattr(versions, 'RELEASES', (
        Release(1, 'v0.1', messages, {'Server': '1.0'}), Release(2, 'v0.2', messages, {'Server': '1.1'})))
    assert Pin('compute', level, lambda: lowest).objects() == wanted
