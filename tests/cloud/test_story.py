# SPDX-License-Identifier: Apache-2.0
"""A server's life with the openstack client among the real services; after it nothing of it is left in any of them."""

import itertools
import json

import pytest

from tests.fixtures import processes

LIMIT = 120.0
_numbers = itertools.count(1)


@pytest.fixture(scope='module')
def image(demo, tmp_path_factory):
    path = tmp_path_factory.mktemp('image') / 'disk.raw'
    path.write_bytes(b'boot' * 5000)
    demo.run(f'image create --disk-format raw --container-format bare --file {path} small')
    return 'small'


@pytest.fixture(scope='module')
def network(demo):
    demo.run('network create private')
    demo.run('subnet create --network private --subnet-range 10.1.0.0/24 private-subnet')
    return 'private'


@pytest.fixture(scope='module')
def outside(admin, demo, network):
    admin.run('network create --external internet')
    admin.run('subnet create --network internet --subnet-range 203.0.113.0/24 internet-subnet')
    demo.run('router create way-out')
    demo.run('router set --external-gateway internet way-out')
    demo.run('router add subnet way-out private-subnet')
    return 'internet'


def name():
    return f'server-{next(_numbers)}'


def wait(condition, what):
    processes.wait_until(condition, LIMIT, what)


def status_of(shell, what, known):
    return shell.get(f'{what} show {known}')['status']


def volume(demo, size=1, *more):
    made = demo.get(f'volume create --size {size}', *more, f'volume-{next(_numbers)}')['id']
    wait(lambda: status_of(demo, 'volume', made) == 'available', f'volume {made}')
    return made


def attachments(admin):
    return admin.get('--os-volume-api-version 3.27 volume attachment list --all-projects')


def ports_of(admin, server_id):
    return admin.get(f'port list --device-id {server_id}')


def gone(demo, admin, server_id):
    demo.run(f'server delete --wait {server_id}')
    # The API says that it is gone once the last thing is given back.
    assert ports_of(admin, server_id) == []
    assert [one for one in attachments(admin) if one['Server ID'] == server_id] == []


def test_a_whole_life(demo, admin, image, network, outside):
    server = demo.get(f'server create --image {image} --flavor m1.nano --network {network} --wait {name()}')
    server_id = server['id']
    assert server['status'] == 'ACTIVE' and len(server['addresses'][network]) == 1
    (port,) = ports_of(admin, server_id)
    bound = admin.get(f'port show {port["ID"]}')
    assert bound['device_owner'].startswith('compute:') and bound['status'] == 'ACTIVE'
    assert bound['binding_host_id'].startswith('desk')

    disk = volume(demo)
    demo.run(f'server add volume {server_id} {disk}')
    wait(lambda: status_of(demo, 'volume', disk) == 'in-use', 'attachment')
    assert demo.get(f'volume show {disk}')['attachments'][0]['device'] == '/dev/vdb'

    mine = demo.get(f'port create --network {network} mine')['id']
    demo.run(f'server add port {server_id} {mine}')
    assert len(demo.get(f'server show {server_id}')['addresses'][network]) == 2

    floating = demo.get(f'floating ip create {outside}')['floating_ip_address']
    # Of the port that ends with the server; the client would take either.
    fixed = server['addresses'][network][0]
    demo.run(f'server add floating ip --fixed-ip-address {fixed} {server_id} {floating}')
    # Neutron tells by an event.
    wait(lambda: floating in demo.get(f'server show {server_id}')['addresses'][network], 'floating address')

    demo.run('security group create web')
    demo.run(f'server add security group {server_id} web')
    assert 'web' in {one['name'] for one in demo.get(f'server show {server_id}')['security_groups']}

    demo.run(f'server image create --name snapshot --wait {server_id}')
    assert status_of(demo, 'image', 'snapshot') == 'active'
    demo.run(f'server rebuild --image {image} --wait {server_id}')
    assert status_of(demo, 'server', server_id) == 'ACTIVE'

    gone(demo, admin, server_id)
    assert status_of(demo, 'volume', disk) == 'available'
    free = admin.get(f'port show {mine}')
    assert (free['device_id'], free['binding_host_id'], free['status']) == ('', '', 'DOWN')
    assert not {'nova_lite_slot', 'nova_lite_made'} & set(free['binding_profile'])
    assert demo.get(f'floating ip show {floating}')['port_id'] is None


def test_a_server_boots_from_a_volume_that_ends_with_it(demo, admin, image, network):
    image_id = demo.get(f'image show {image}')['id']
    disks = [{'uuid': image_id, 'source_type': 'image', 'destination_type': 'volume', 'volume_size': 1,
              'boot_index': 0, 'delete_on_termination': True},
             {'source_type': 'blank', 'destination_type': 'volume', 'volume_size': 1, 'delete_on_termination': True}]
    arguments = [part for disk in disks for part in ('--block-device', ','.join(
        f'{key}={str(value).lower() if isinstance(value, bool) else value}' for key, value in disk.items()))]
    server_id = demo.get(f'server create --flavor m1.nano --network {network} --wait', *arguments, name())['id']
    known = demo.get(f'server show {server_id}')
    assert known['status'] == 'ACTIVE' and len(known['volumes_attached']) == 2
    for one in known['volumes_attached']:
        shown = demo.get(f'volume show {one["id"]}')
        assert shown['status'] == 'in-use' and shown['attachments'][0]['server_id'] == server_id
    gone(demo, admin, server_id)
    left = {one['ID'] for one in demo.get('volume list')} & {one['id'] for one in known['volumes_attached']}
    wait(lambda: not {one['ID'] for one in demo.get('volume list')} & left, 'end of the volumes')


def test_a_volume_grows_under_a_server(demo, admin, image, network):
    server_id = demo.get(f'server create --image {image} --flavor m1.nano --network {network} --wait {name()}')['id']
    disk = volume(demo)
    demo.run(f'server add volume {server_id} {disk}')
    wait(lambda: status_of(demo, 'volume', disk) == 'in-use', 'attachment')
    demo.run(f'--os-volume-api-version 3.42 volume set --size 2 {disk}')
    # Cinder tells by an event.
    wait(lambda: 'extend_volume' in {one['Action'] for one in demo.get(f'server event list {server_id}')}, 'event')
    demo.run(f'server remove volume {server_id} {disk}')
    wait(lambda: status_of(demo, 'volume', disk) == 'available', 'end of the attachment')
    gone(demo, admin, server_id)


def test_a_port_that_somebody_deletes_is_no_interface_any_more(demo, admin, image, network):
    server_id = demo.get(f'server create --image {image} --flavor m1.nano --network {network} --wait {name()}')['id']
    (port,) = ports_of(admin, server_id)
    admin.run(f'port delete {port["ID"]}')
    wait(lambda: not demo.get(f'server show {server_id}')['addresses'], 'event of the port')
    gone(demo, admin, server_id)


def test_a_server_moves_with_its_port_and_its_volume(demo, admin, image, network):
    server_id = demo.get(f'server create --image {image} --flavor m1.nano --network {network} --wait {name()}')['id']
    disk = volume(demo)
    demo.run(f'server add volume {server_id} {disk}')
    wait(lambda: status_of(demo, 'volume', disk) == 'in-use', 'attachment')
    before = admin.get(f'server show {server_id}')['OS-EXT-SRV-ATTR:host']
    admin.run(f'server migrate --wait {server_id}')
    admin.run(f'server migrate confirm {server_id}')
    wait(lambda: status_of(demo, 'server', server_id) == 'ACTIVE', 'confirmation')
    after = admin.get(f'server show {server_id}')['OS-EXT-SRV-ATTR:host']
    assert after != before
    (port,) = ports_of(admin, server_id)
    assert admin.get(f'port show {port["ID"]}')['binding_host_id'] == after
    assert status_of(demo, 'volume', disk) == 'in-use'
    demo.run(f'server shelve --offload --wait {server_id}')
    assert status_of(demo, 'volume', disk) == 'reserved'
    assert admin.get(f'port show {port["ID"]}')['binding_host_id'] == ''
    demo.run(f'server unshelve --wait {server_id}')
    wait(lambda: status_of(demo, 'volume', disk) == 'in-use', 'volume of the server that is back')
    gone(demo, admin, server_id)
    assert status_of(demo, 'volume', disk) == 'available'


def test_a_server_that_cannot_be_built_leaves_nothing(demo, admin, image, network):
    """The second network has no address left when the port is made."""
    demo.run('network create tiny')
    demo.run('subnet create --network tiny --subnet-range 198.51.100.0/30 tiny-subnet')
    # One address beside the gateway.
    demo.run('port create --network tiny last')
    code, out, err = demo.ask(f'server create --image {image} --flavor m1.nano --network {network} --network tiny '
                              f'--wait doomed')
    assert code == 1, out + err
    shown = demo.get('server show doomed')
    assert shown['status'] == 'ERROR' and 'address' in json.dumps(shown['fault'])
    wait(lambda: not ports_of(admin, shown['id']), 'end of the ports')
    demo.run('server delete --wait doomed')


def on_volume(demo, network, **disk):
    """A server whose root disk is a volume, and that volume."""
    device = {'destination_type': 'volume', 'volume_size': 1, 'boot_index': 0, 'delete_on_termination': 'true', **disk}
    made = demo.get(f'server create --flavor m1.nano --network {network} --wait', '--block-device', ','.join(
        f'{key}={value}' for key, value in device.items()), name())
    (root,) = demo.get(f'server show {made["id"]}')['volumes_attached']
    return made['id'], root['id']


def written(nova, volume_id):
    """How the volume begins."""
    with (nova.openstack.base / 'cinder' / 'volumes' / f'volume-{volume_id}').open('rb') as file:
        return file.read(8)


def test_a_server_boots_from_a_snapshot(nova, demo, admin, image, network):
    first, root = on_volume(demo, network, source_type='image', uuid=demo.get(f'image show {image}')['id'])
    # From this version on Cinder takes one of a volume that a server has.
    snapshot = demo.get(f'--os-volume-api-version 3.66 volume snapshot create --volume {root} kept')['id']
    wait(lambda: status_of(demo, 'volume snapshot', snapshot) == 'available', 'snapshot')
    server_id, copy = on_volume(demo, network, source_type='snapshot', uuid=snapshot)
    assert status_of(demo, 'server', server_id) == 'ACTIVE'
    assert demo.get(f'volume show {copy}')['snapshot_id'] == snapshot and written(nova, copy) == b'bootboot'
    gone(demo, admin, server_id)
    demo.run(f'volume snapshot delete {snapshot}')
    wait(lambda: snapshot not in {one['ID'] for one in demo.get('volume snapshot list')}, 'end of the snapshot')
    gone(demo, admin, first)
    wait(lambda: not {root, copy} & {one['ID'] for one in demo.get('volume list')}, 'end of the volumes')


def test_a_server_is_built_anew_on_its_volume(nova, demo, admin, image, network, tmp_path):
    other = tmp_path / 'disk.raw'
    other.write_bytes(b'next' * 5000)
    demo.run(f'image create --disk-format raw --container-format bare --file {other} other')
    server_id, root = on_volume(demo, network, source_type='image', uuid=demo.get(f'image show {image}')['id'])
    assert written(nova, root) == b'bootboot'
    demo.run(f'--os-compute-api-version 2.93 server rebuild --image other --reimage-boot-volume --wait {server_id}')
    wait(lambda: status_of(demo, 'server', server_id) == 'ACTIVE', 'rebuild')
    assert written(nova, root) == b'nextnext'
    assert status_of(demo, 'volume', root) == 'in-use'
    gone(demo, admin, server_id)


def test_a_volume_takes_the_place_of_another(nova, demo, admin, image, network):
    server_id = demo.get(f'server create --image {image} --flavor m1.nano --network {network} --wait {name()}')['id']
    old, new = volume(demo), volume(demo)
    demo.run(f'server add volume {server_id} {old}')
    wait(lambda: status_of(demo, 'volume', old) == 'in-use', 'attachment')
    answer = nova.user.ask('PUT', f'/servers/{server_id}/os-volume_attachments/{old}', {
        'volumeAttachment': {'volumeId': new}}, version='2.1')
    assert answer.status_code == 202, answer.text
    wait(lambda: (status_of(demo, 'volume', old), status_of(demo, 'volume', new)) == ('available', 'in-use'), 'swap')
    assert [one['id'] for one in demo.get(f'server show {server_id}')['volumes_attached']] == [new]
    gone(demo, admin, server_id)
    assert status_of(demo, 'volume', new) == 'available'
