# SPDX-License-Identifier: Apache-2.0
"""What requests and images may say about disks, as tables."""

import json
from types import SimpleNamespace

import pytest

from nova_lite import errors
from nova_lite.model import block_devices as model
from nova_lite.model import moves

FLAVOR = SimpleNamespace(name='f', ephemeral=10, swap=512)
IMAGE = {'source_type': 'image', 'destination_type': 'local', 'uuid': 'i', 'boot_index': 0}
VOLUME = {'source_type': 'volume', 'destination_type': 'volume', 'uuid': 'v', 'boot_index': 0}
SNAPSHOT = {'source_type': 'snapshot', 'destination_type': 'volume', 'uuid': 's', 'boot_index': 0}
OF_IMAGE = {'source_type': 'image', 'destination_type': 'volume', 'uuid': 'i', 'boot_index': 0, 'volume_size': 1}
BLANK = {'source_type': 'blank', 'destination_type': 'volume', 'volume_size': '2'}
EPHEMERAL = {'source_type': 'blank', 'destination_type': 'local'}
SWAP = {**EPHEMERAL, 'guest_format': 'swap'}


def shape(plan):
    return [(wish.source, wish.destination, wish.source_id, wish.boot_index) for wish in plan.wishes]




@pytest.mark.parametrize('image, entries, legacy, expected', [
    ('i', [], [], [('image', 'local', 'i', 0)]),
    ('i', [IMAGE], [], [('image', 'local', 'i', 0)]),
    ('i', [{**IMAGE, 'boot_index': '0', 'destination_type': None}, BLANK], [],
     [('image', 'local', 'i', 0), ('blank', 'volume', None, -1)]),
    ('', [VOLUME], [], [('volume', 'volume', 'v', 0)]),
    (None, [{**VOLUME, 'destination_type': ''}], [], [('volume', 'volume', 'v', 0)]),
    (None, [SNAPSHOT], [], [('snapshot', 'volume', 's', 0)]),
    (None, [OF_IMAGE], [], [('image', 'volume', 'i', 0)]),
    ('i', [OF_IMAGE, {**VOLUME, 'boot_index': 1}, {**BLANK, 'boot_index': -7}], [],
     [('image', 'volume', 'i', 0), ('volume', 'volume', 'v', 1), ('blank', 'volume', None, -1)]),
    ('i', [IMAGE, EPHEMERAL, SWAP], [], [('image', 'local', 'i', 0), ('blank', 'local', None, -1)] +
     [('blank', 'local', None, -1)]),
    # The old form.
    ('i', [], [{'volume_id': 'v', 'device_name': 'vdb'}], [('image', 'local', 'i', 0), ('volume', 'volume', 'v', -1)]),
    ('', [], [{'volume_id': 'v', 'device_name': 'vdb'}], [('volume', 'volume', 'v', 0)]),
    ('', [], [{'volume_id': 'w', 'device_name': 'vdb'}, {'snapshot_id': 's', 'device_name': '/dev/vda'}],
     [('volume', 'volume', 'w', -1), ('snapshot', 'volume', 's', 0)]),
    ('i', [], [{'virtual_name': 'ephemeral0', 'device_name': 'vdb'}, {'virtual_name': 'swap', 'device_name': 'vdc'},
               {'no_device': True, 'device_name': 'vdd'}],
     [('image', 'local', 'i', 0), ('blank', 'local', None, -1), ('blank', 'local', None, -1)]),
])
def test_plans(image, entries, legacy, expected):
    assert shape(model.plan(image, entries, legacy)) == expected


@pytest.mark.parametrize('image, entries, legacy, words', [
    ('', [], [], 'no image and no volume'),
    ('i', [BLANK], [], 'boot sequence'),
    ('i', [IMAGE, VOLUME], [], 'boot sequence'),
    (None, [{**VOLUME, 'boot_index': 1}], [], 'boot sequence'),
    ('i', [IMAGE, {**VOLUME, 'boot_index': 2}], [], 'boot sequence'),
    ('', [IMAGE], [], 'imageRef'),
    ('i', [{**IMAGE, 'boot_index': 1}, VOLUME], [], 'boot_index 0'),
    ('i', [IMAGE, {**VOLUME, 'destination_type': 'local', 'boot_index': None}], [], 'come from volume and go to local'),
    ('i', [IMAGE, {**SNAPSHOT, 'destination_type': 'local', 'boot_index': None}], [], 'come from snapshot'),
    ('i', [{**VOLUME, 'uuid': ''}], [], 'needs a uuid'),
    ('i', [IMAGE, {**BLANK, 'uuid': 'x'}], [], 'needs no uuid'),
    ('i', [{'uuid': 'x'}], [], 'source_type'),
    ('i', [IMAGE, {**EPHEMERAL, 'volume_type': 'fast'}], [], 'volume_type fast'),
    ('i', [IMAGE], [{'volume_id': 'v'}], 'cannot be given together'),
    ('i', [], [{'device_name': 'vdb'}], 'neither volume_id nor snapshot_id'),
    ('i', [], [{'virtual_name': 'root', 'device_name': 'vdb'}], 'neither volume_id nor snapshot_id'),
])
def test_what_no_request_may_say(image, entries, legacy, words):
    with pytest.raises(errors.Invalid, match=words):
        model.plan(image, entries, legacy)


@pytest.mark.parametrize('entries, most, count, words', [
    ([IMAGE, EPHEMERAL, SWAP], 3, 1, None),
    ([IMAGE, EPHEMERAL, SWAP], 2, 1, 'at most 2 local disks'),
    ([IMAGE, EPHEMERAL, SWAP], -1, 1, None),
    ([IMAGE, {**EPHEMERAL, 'volume_size': 4}, {**EPHEMERAL, 'volume_size': 6}], 3, 1, None),
    ([IMAGE, {**EPHEMERAL, 'volume_size': 4}, EPHEMERAL], 3, 1, '14 GiB'),
    ([IMAGE, SWAP, SWAP], 3, 1, 'one swap disk'),
    ([IMAGE, {**SWAP, 'volume_size': 513}], 3, 1, '513 MiB'),
    ([IMAGE, {**BLANK, 'volume_size': None}], 3, 1, 'source_type blank needs a volume_size'),
    ([{**OF_IMAGE, 'volume_size': ''}], 3, 1, 'source_type image needs a volume_size'),
    ([SNAPSHOT], 3, 2, None),
    ([VOLUME], 3, 2, 'cannot be attached to 2 servers'),
    ([IMAGE, {**BLANK, 'device_name': 'vdb'}, {**BLANK, 'device_name': '/dev/vdb'}], 3, 1, 'one device_name'),
])
def test_limits(entries, most, count, words):
    wishes = model.plan('i', entries, []).wishes
    if words is None:
        model.check(wishes, FLAVOR, most, count)
        return
    with pytest.raises(errors.Invalid, match=words):
        model.check(wishes, FLAVOR, most, count)


def test_a_plan_of_what_image_and_flavor_say_is_not_special():
    assert not model.plan('i', [], []).is_special
    assert not model.plan('i', [IMAGE], []).is_special
    assert model.plan('i', [{**IMAGE, 'tag': 'root'}], []).is_special
    assert model.plan('i', [IMAGE, SWAP], []).is_special
    assert model.plan(None, [VOLUME], []).root.is_volume


def test_an_image_of_a_server_on_volumes_brings_its_disks():
    known = model.devices(model.plan(None, [VOLUME, {**BLANK, 'tag': 'data'}], []).wishes, '/dev/vda')
    entries = [model.image_entry({**one, 'volume_id': one['id']}, f's{number}', 3) for number, one in enumerate(known)]
    properties = {'bdm_v2': 'True', 'block_device_mapping': json.dumps(entries)}
    plan = model.plan('i', [], [], properties)
    assert shape(plan) == [('snapshot', 'volume', 's0', 0), ('snapshot', 'volume', 's1', -1)]
    assert [(wish.device, wish.size, wish.tag) for wish in plan.wishes] == [
        ('/dev/vda', 3, None), ('/dev/vdb', 3, 'data')]
    # The request may name the image as what it boots from, and replace or leave out any of the others.
    other = {**VOLUME, 'boot_index': None, 'device_name': 'vdb'}
    assert shape(model.plan('i', [IMAGE, other], [], properties)) == [
        ('snapshot', 'volume', 's0', 0), ('volume', 'volume', 'v', -1)]
    nothing = {'device_name': 'vdb', 'no_device': True}
    assert shape(model.plan('i', [IMAGE, nothing], [], properties)) == [('snapshot', 'volume', 's0', 0)]


def test_an_image_in_the_old_form_brings_its_disks():
    mapping = [{'snapshot_id': 's', 'device_name': '/dev/sda'}, {'virtual_name': 'swap', 'device_name': 'sdb'}]
    properties = {'block_device_mapping': json.dumps(mapping), 'root_device_name': 'sda'}
    assert shape(model.plan('i', [], [], properties)) == [
        ('snapshot', 'volume', 's', 0), ('blank', 'local', None, -1)]
    with pytest.raises(errors.Invalid, match='cannot be understood'):
        model.plan('i', [], [], {'block_device_mapping': '[1'})


def test_names_of_devices():
    wishes = model.plan('i', [{**BLANK, 'device_name': 'vdc'}, BLANK, IMAGE, BLANK], []).wishes
    found = model.devices(wishes, '/dev/vda')
    assert [one['device'] for one in found] == ['/dev/vdc', '/dev/vdb', '/dev/vda', '/dev/vdd']
    assert len({one['id'] for one in found}) == 4
    assert model.next_name(found, '/dev/vda') == '/dev/vde'
    assert model.next_name((), '/dev/sda1') == '/dev/sdb'
    known = [{'device': f'/dev/vd{chr(97 + number)}'} for number in range(26)]
    assert model.next_name(known, '/dev/vda') == '/dev/vdaa'


def test_a_root_disk_on_a_volume_takes_nothing_of_the_host():
    flavor = {'disk': 20, 'ephemeral': 10, 'swap': 512}
    assert moves.disk_of(flavor) == 31
    assert moves.disk_of({**flavor, model.ON_VOLUME: True}) == 11
    assert moves.host_disk({**flavor, model.ON_VOLUME: True}) == 10
