# SPDX-License-Identifier: Apache-2.0
"""The image store and the rules of its API that need no HTTP: uploads, changes, filters, pages."""

import hashlib
import os
import threading
import time
from urllib.parse import parse_qsl

import pytest
from webob.multidict import MultiDict

from nova_lite import errors
from nova_lite.embedded import imagebody, imagelist
from nova_lite.embedded.imagestore import DEFAULT_IMAGE, DEFAULT_SIZE, ImageStore, ensure_default_image

RAW = {'disk_format': 'raw', 'container_format': 'bare'}


@pytest.fixture
def store(tmp_path):
    return ImageStore(str(tmp_path))


def queued(store, **values):
    return store.add({'owner': 'mine', **RAW, **values})


# ------------------------------------------------------------------------ data

def test_an_upload_makes_the_image_active(store, tmp_path):
    image_id = queued(store)['id']
    store.receive(image_id, [b'abc', b'def'], 100)
    record = ImageStore(str(tmp_path)).get(image_id)
    assert (record['status'], record['size']) == ('active', 6)
    assert record['checksum'] == hashlib.md5(b'abcdef').hexdigest()
    assert record['os_hash_value'] == hashlib.sha512(b'abcdef').hexdigest()
    with open(store.data_path(image_id), 'rb') as file:
        assert file.read() == b'abcdef'


def broken():
    yield b'abc'
    raise errors.Invalid(reason='gone')


@pytest.mark.parametrize(('data', 'kind'), [(broken(), errors.Invalid), ([b'x' * 11], errors.TooLarge)])
def test_an_upload_that_fails_leaves_the_image_queued(store, tmp_path, data, kind):
    image_id = queued(store)['id']
    with pytest.raises(kind):
        store.receive(image_id, data, 10)
    assert store.get(image_id)['status'] == 'queued'
    assert sorted(os.listdir(tmp_path / 'images')) == ['.lock', f'{image_id}.json']


def test_data_is_taken_once_only(store):
    image_id = queued(store)['id']
    store.receive(image_id, [b'abc'], 10)
    with pytest.raises(errors.Conflict, match='active'):
        store.receive(image_id, [b'def'], 10)
    with open(store.data_path(image_id), 'rb') as file:
        assert file.read() == b'abc'


def test_data_needs_the_formats(store):
    with pytest.raises(errors.Invalid, match='disk_format'):
        store.receive(store.add({'owner': 'mine'})['id'], [b'abc'], 10)


def test_of_two_uploads_at_once_one_wins_whole(store):
    image_id = queued(store)['id']
    started, outcomes = threading.Barrier(2), []

    def slowly(letter):
        yield letter * 1000
        started.wait(10)
        yield letter * 1000

    def send(letter):
        try:
            store.receive(image_id, slowly(letter), 10_000)
            outcomes.append(letter)
        except errors.Conflict:
            outcomes.append(None)

    threads = [threading.Thread(target=send, args=(letter,)) for letter in (b'a', b'b')]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    winner = next(one for one in outcomes if one)
    assert outcomes.count(None) == 1
    with open(store.data_path(image_id), 'rb') as file:
        assert file.read() == winner * 2000


def test_changes_at_once_are_all_kept(store):
    image_id = queued(store)['id']

    def tag(name):
        store.change(image_id, lambda record: {**record, 'tags': [*record['tags'], name]})

    threads = [threading.Thread(target=tag, args=(str(number),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(store.get(image_id)['tags']) == sorted(map(str, range(8)))


def test_tidying_removes_only_what_was_abandoned(store, tmp_path):
    keep, folder = queued(store)['id'], tmp_path / 'images'
    store.receive(keep, [b'x'], 10)
    long_ago = time.time() - 7200
    for name in (f'{keep}.abc.part', '00000000-0000-0000-0000-000000000000.data', f'{keep}.young.part'):
        (folder / name).write_bytes(b'x')
        if 'young' not in name:
            os.utime(folder / name, (long_ago, long_ago))
    os.utime(folder / f'{keep}.data', (long_ago, long_ago))
    store.tidy()
    assert sorted(os.listdir(folder)) == ['.lock', f'{keep}.data', f'{keep}.json', f'{keep}.young.part']


@pytest.mark.parametrize('image_id', ['../identity', '', 'x', '.lock', 'A' * 36])
def test_no_id_leads_out_of_the_store(store, image_id):
    with pytest.raises(errors.ImageNotFound):
        store.get(image_id)
    if image_id:
        with pytest.raises(errors.Invalid):
            store.add({'id': image_id})


def test_the_default_image_is_made_once(tmp_path):
    for _ in range(2):
        ensure_default_image(str(tmp_path))
    store = ImageStore(str(tmp_path))
    record, = store.all()
    assert (record['name'], record['size'], record['visibility']) == (DEFAULT_IMAGE, DEFAULT_SIZE, 'public')
    with open(store.data_path(record['id']), 'rb') as file:
        assert file.read(512)[510:] == b'\x55\xaa'
    store.remove(record['id'], lambda record: None)
    ensure_default_image(str(tmp_path))
    assert not list(store.all())


def test_the_default_image_is_finished_by_the_next_start(tmp_path):
    ensure_default_image(str(tmp_path / 'whole'))
    image_id = next(ImageStore(str(tmp_path / 'whole')).all())['id']
    half = ImageStore(str(tmp_path / 'half'))
    half.add({'id': image_id, 'name': DEFAULT_IMAGE, **RAW})
    ensure_default_image(str(tmp_path / 'half'))
    assert half.get(image_id)['status'] == 'active'


def test_a_broken_record_hides_only_itself(store, tmp_path, caplog):
    good, bad = queued(store)['id'], queued(store)['id']
    (tmp_path / 'images' / f'{bad}.json').write_text('{')
    assert [one['id'] for one in store.all()] == [good]
    assert bad in caplog.text


# -------------------------------------------------------------------- changes

def record_of(store, **values):
    record = queued(store, **values)
    return {**record, 'properties': {'os_distro': 'debian'}, 'tags': ['a']}


def test_a_patch_does_its_operations_in_order(store):
    changed = imagebody.patch(record_of(store), [
        {'op': 'replace', 'path': '/name', 'value': 'new'},
        {'op': 'add', 'path': '/hw_disk_bus', 'value': 'virtio'},
        {'op': 'remove', 'path': '/os_distro'},
        {'op': 'add', 'path': '/tags/-', 'value': 'b'},
        {'op': 'remove', 'path': '/tags/0'},
        {'op': 'add', 'path': '/a~1b', 'value': 'slash'}])
    assert changed['name'] == 'new'
    assert changed['properties'] == {'hw_disk_bus': 'virtio', 'a/b': 'slash'}
    assert changed['tags'] == ['b']


@pytest.mark.parametrize(('operation', 'kind'), [
    ({'op': 'replace', 'path': '/status', 'value': 'active'}, errors.Forbidden),
    ({'op': 'replace', 'path': '/properties', 'value': {}}, errors.Forbidden),
    ({'op': 'remove', 'path': '/name'}, errors.Forbidden),
    ({'op': 'replace', 'path': '/nothing', 'value': 'x'}, errors.Conflict),
    ({'op': 'remove', 'path': '/nothing'}, errors.Conflict),
    ({'op': 'remove', 'path': '/tags/5'}, errors.Conflict),
    ({'op': 'add', 'path': '/name/x', 'value': 'x'}, errors.Invalid),
    ({'op': 'add', 'path': 'name', 'value': 'x'}, errors.Invalid),
    ({'op': 'add', 'path': 3, 'value': 'x'}, errors.Invalid),
    ({'op': 'move', 'path': '/name', 'from': '/x'}, errors.Invalid),
    ({'op': 'add', 'path': '/name'}, errors.Invalid),
    ({'op': 'add', 'path': '/visibility', 'value': 'secret'}, errors.Invalid),
    ({'op': 'add', 'path': '/visibility', 'value': ['public']}, errors.Invalid),
    ({'op': 'add', 'path': '/min_ram', 'value': -1}, errors.Invalid),
    ({'op': 'add', 'path': '/min_ram', 'value': True}, errors.Invalid),
    ({'op': 'add', 'path': '/own', 'value': 3}, errors.Invalid),
    ({'op': 'add', 'path': '/tags', 'value': [{}]}, errors.Invalid)])
def test_what_a_patch_may_not_do(store, operation, kind):
    with pytest.raises(kind):
        imagebody.patch(record_of(store), [operation])


def test_formats_are_fixed_once_there_is_data(store):
    operation = {'op': 'replace', 'path': '/disk_format', 'value': 'qcow2'}
    assert imagebody.patch(record_of(store), [operation])['disk_format'] == 'qcow2'
    with pytest.raises(errors.Forbidden, match='queued'):
        imagebody.patch({**record_of(store), 'status': 'active'}, [operation])


# --------------------------------------------------------------------- listing

RECORDS = [
    {'id': str(number), 'name': f'image {number}', 'status': 'active', 'visibility': visibility, 'owner': owner,
     'protected': False, 'os_hidden': number == 6, 'disk_format': 'raw', 'container_format': 'bare',
     'min_disk': 0, 'min_ram': 0, 'size': number * 10 or None, 'checksum': None, 'tags': ['even'][number % 2:],
     'properties': {'os_distro': 'debian'} if number == 2 else {}, 'created_at': f'2026-01-0{number + 1}T00:00:00Z',
     'updated_at': '2026-02-01T00:00:00Z', 'members': {'mine': 'accepted'} if number == 4 else
     {'mine': 'pending'} if number == 5 else {}}
    for number, (visibility, owner) in enumerate([
        ('public', 'other'), ('private', 'mine'), ('public', 'mine'), ('private', 'other'), ('shared', 'other'),
        ('shared', 'other'), ('public', 'mine'), ('community', 'other')])]


@pytest.mark.parametrize(('query', 'found'), [
    ('', '4210'),
    ('os_hidden=true', '6'),
    ('visibility=private', '1'),
    ('visibility=community', '7'),
    ('visibility=all', '4210'),
    ('owner=mine', '21'),
    ('member_status=pending', '54210'),
    ('member_status=all', '54210'),
    ('name=image 2', '2'),
    ('name=in:"image 2","image 1"', '21'),
    ('id=in:1,2,3', '21'),
    ('tag=even', '420'),
    ('os_distro=debian', '2'),
    ('size_min=15', '42'),
    ('size_max=15', '1'),
    ('created_at=gt:2026-01-03T00:00:00Z', '4'),
    ('created_at=lte:2026-01-02T00:00:00', '10'),
    ('sort=name:asc', '0124'),
    ('sort=size:asc,id:desc', '0124'),
    ('sort_key=status&sort_key=id&sort_dir=asc', '0124'),
    ('limit=2&marker=4', '21'),
    ('limit=0', ''),
    ('nonsense=x', '')])
def test_what_a_project_sees_in_a_list(query, found):
    shown, _ = imagelist.page(RECORDS, MultiDict(parse_qsl(query)), 'mine', False)
    assert ''.join(one['id'] for one in shown) == found


@pytest.mark.parametrize('query', [
    'limit=-1', 'limit=x', f'limit={"9" * 5000}', 'marker=nothing', 'sort=name:up', 'sort=nothing', 'size_min=x',
    'os_hidden=maybe', 'protected=2', 'member_status=x'])
def test_what_a_list_refuses(query):
    with pytest.raises(errors.Invalid):
        imagelist.page(RECORDS, MultiDict(parse_qsl(query)), 'mine', False)


def test_an_administrator_sees_everything_page_by_page():
    query, seen = MultiDict(limit='3'), []
    while query:
        shown, following = imagelist.page(RECORDS, query, 'admin', True)
        seen += [one['id'] for one in shown]
        query = MultiDict(parse_qsl(following))
    assert seen == list('7543210')
