# SPDX-License-Identifier: Apache-2.0
"""Filters and weighers of other packages: those of the documentation, installed."""

import configparser
import re
import textwrap
from pathlib import Path

import pytest

from nova_lite import errors
from nova_lite.scheduler import filters, weighers
from tests.fixtures.placing import host, options, request, view

PAGE = Path(__file__).parents[2] / 'docs/operator/placement.rst'


def block(caption):
    found = re.search(rf':caption: {caption}\n\n((?:   .*\n|\n)+)', PAGE.read_text())
    return textwrap.dedent(found[1])


def install(directory, module, entry_points):
    (directory / 'cloud_rules.py').write_text(module)
    info = directory / 'cloud_rules-1.0.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text('Metadata-Version: 2.1\nName: cloud-rules\nVersion: 1.0\n')
    (info / 'entry_points.txt').write_text('\n'.join(
        f'[{group}]\n{textwrap.dedent(names)}\n' for group, names in entry_points.items()))


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """What the page says to write, as pip would install it."""
    setup = configparser.ConfigParser()
    setup.read_string(block('setup.cfg'))
    install(tmp_path, block('cloud_rules.py'), setup['options.entry_points'])
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__('sys').modules, 'cloud_rules', raising=False)
    return tmp_path


@pytest.fixture
def group(tmp_path):
    path = tmp_path / 'nova.conf'
    path.write_text(block('nova.conf'))
    conf = options()
    conf(['--config-file', str(path)])
    return conf.filter_scheduler


def test_the_documented_filter_is_asked(installed, group):
    chosen = filters.chosen(group.enabled_filters, group.available_filters)
    assert list(chosen) == ['ComputeFilter', 'AvailabilityZoneFilter', 'EvenFilter', 'Capacity']
    good, bad = filters.passing([host('h1'), host('h2')], request(project_id='even'), view(), chosen)
    assert [one.host for one in good] == ['h2']
    assert [(one.filter, one.wanted, one.had) for one in bad] == [('EvenFilter', 'a host with an even number', 1)]
    assert len(filters.passing([host('h1')], request(), view(), chosen)[0]) == 1


def test_the_documented_weigher_counts(installed, group):
    hosts = [host('old', id=1, free_memory_mb=9000), host('new', id=2)]
    assert weighers.ranked(hosts, weighers.chosen(group), request())[0].host == 'new'


def test_a_filter_that_fails_rejects_the_host_and_says_so(installed, caplog):
    chosen = filters.chosen(['EvenFilter'])
    _, (bad,) = filters.passing([host('odd')], request(), view(), chosen)
    assert (bad.wanted, bad.had) == ('an answer of the filter', 'ValueError')
    assert 'Filter EvenFilter failed on host odd' in caplog.text


def test_what_cannot_be_loaded_ends_the_start(installed):
    (installed / 'cloud_rules.py').write_text('raise OSError("gone")')
    with pytest.raises(errors.StartError, match='Filter EvenFilter cannot be loaded: OSError: gone'):
        filters.chosen(['EvenFilter'])
    with pytest.raises(errors.StartError, match='Weigher age cannot be loaded'):
        weighers.chosen(options(weight_multipliers={'age': '1'}).filter_scheduler)
    with pytest.raises(errors.StartError, match='packages provide age'):
        weighers.chosen(options(weight_multipliers={'rack': '1'}).filter_scheduler)
    with pytest.raises(errors.StartError, match="has 'much' for age"):
        (installed / 'cloud_rules.py').write_text('by_age = len')
        weighers.chosen(options(weight_multipliers={'age': 'much'}).filter_scheduler)
