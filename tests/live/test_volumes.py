# SPDX-License-Identifier: Apache-2.0
"""The openstack client and the SDK make volumes, and servers that have them, with ``nova-lite up``."""

import json
import subprocess
import sys

from tests.live.test_clients import FLAVOR, IMAGE, LIMIT, environment

SDK = """
import json, openstack
cloud = openstack.connect(cloud='nova-lite-demo')
store = cloud.block_storage
said = {}
made = cloud.create_volume(2, name='sdk', wait=True, timeout=60)
said['made'] = [made.status, made.size]
boot = cloud.create_volume(1, name='boot', image='nova-lite-nano', bootable=True, wait=True, timeout=60)
said['boot'] = [boot.status, boot.is_bootable]
snapshot = cloud.create_volume_snapshot(made.id, name='still', wait=True, timeout=60)
copy = store.wait_for_status(store.create_volume(size=3, snapshot_id=snapshot.id), interval=0.1, wait=60)
said['copy'] = [copy.status, copy.size]
store.extend_volume(copy, 4)
said['size'] = store.wait_for_status(store.get_volume(copy.id), interval=0.1, wait=60).size
said['usage'] = dict(store.get_quota_set(cloud.current_project_id, usage=True).usage)
said['deleted'] = [cloud.delete_volume_snapshot(snapshot.id, wait=True, timeout=60),
                   *(cloud.delete_volume(one.id, wait=True, timeout=60) for one in (made, boot, copy))]
said['left'] = cloud.list_volumes()
print(json.dumps(said))
"""


def volume(admin, name):
    return admin.get(f'volume show {name}')


def test_volumes(admin):
    made = admin.get('volume create --size 2 --description first --property a=b --bootable plain')
    assert (made['size'], made['status'], made['properties']) == (2, 'creating', {'a': 'b'})
    assert (volume(admin, 'plain')['status'], volume(admin, 'plain')['bootable']) == ('available', True)
    admin.run('volume set --size 3 --name fancy --property c=d --non-bootable --read-only plain')
    admin.run('volume unset --property a fancy')
    shown = volume(admin, 'fancy')
    assert (shown['size'], shown['bootable'], shown['properties']) == (3, False, {'c': 'd', 'readonly': 'True'})
    admin.run('volume set --read-write fancy')
    admin.run('volume create --source fancy copy')
    admin.run(f'volume create --image {IMAGE} --size 1 boot')
    assert volume(admin, 'boot')['volume_image_metadata']['image_name'] == IMAGE
    assert {'fancy', 'copy', 'boot'} <= admin.names('volume list --long')
    admin.run('volume set --state error copy')
    assert admin.names('volume list --status error') == {'copy'}
    assert admin.get('volume summary')['Total Count'] == 3
    admin.run('volume delete fancy copy boot')
    assert admin.names('volume list --all-projects') == set()


def test_snapshots(admin):
    admin.run('volume create --size 1 base')
    made = admin.get('volume snapshot create --volume base --description first --property a=b still')
    assert made['size'] == 1
    admin.run('volume snapshot set --name moment --property c=d still')
    shown = admin.get('volume snapshot show moment')
    assert (shown['status'], shown['properties']) == ('available', {'a': 'b', 'c': 'd'})
    assert admin.names('volume snapshot list --volume base') == {'moment'}
    admin.run('volume create --snapshot moment later')
    assert volume(admin, 'later')['snapshot_id'] == made['id']
    assert 'snapshot' in admin.refused('volume delete base')
    admin.run('volume snapshot delete moment')
    admin.run('volume delete base later')


def test_types_and_quotas(admin):
    assert admin.names('volume type list') == {'__DEFAULT__'}
    admin.run('volume type create --property', 'multiattach=<is> True', 'many')
    assert admin.get('volume type show many')['properties'] == {'multiattach': '<is> True'}
    assert admin.get('volume create --size 1 --type many shared')['multiattach'] is True
    assert 'many' in admin.refused('volume type delete many')
    admin.run('volume delete shared')
    admin.run('volume type delete many')
    admin.run('quota set --volumes 0 --gigabytes 5 admin')
    limits = {row['Resource']: row['Limit'] for row in admin.get('quota show --volume')}
    assert (limits['volumes'], limits['gigabytes']) == (0, 5)
    assert 'volumes' in admin.refused('volume create --size 1 more')
    admin.run('quota delete --volume admin')
    assert [row['Binary'] for row in admin.get('volume service list')] == ['cinder-volume']
    assert [row['Zone Name'] for row in admin.get('availability zone list --volume')] == ['nova']


def test_a_server_gets_a_volume_and_gives_it_back(admin):
    admin.run('volume create --size 1 data')
    admin.run(f'server create --image {IMAGE} --flavor {FLAVOR} --nic none --wait host')
    assert admin.get('server add volume host data')['Device'] == '/dev/vdb'
    admin.run('volume attachment list')
    attached = volume(admin, 'data')
    assert attached['attachments'][0]['device'] == '/dev/vdb'
    assert [row['Volume ID'] for row in admin.get('server volume list host')] == [attached['id']]
    assert [row['Status'] for row in admin.get('volume attachment list')] == ['attached']
    admin.refused('volume delete data')
    admin.run('server remove volume host data')
    admin.run('server delete --wait host')
    assert volume(admin, 'data')['status'] == 'available'
    admin.run('volume delete data')


def test_servers_boot_from_volumes(admin):
    admin.run(f'volume create --image {IMAGE} --size 1 root')
    admin.run('volume snapshot create --volume root root-then')
    server = f'server create --flavor {FLAVOR} --nic none --wait'
    admin.run(f'{server} --volume root a')
    admin.run(f'{server} --image {IMAGE} --boot-from-volume 1 b')
    admin.run(f'{server} --snapshot root-then c')
    admin.run(f'{server} --image {IMAGE} --block-device '
              'source_type=blank,destination_type=volume,volume_size=2,delete_on_termination=true d')
    shown = {name: admin.get(f'server show {name}') for name in 'abcd'}
    assert [len(one['volumes_attached']) for one in shown.values()] == [1, 1, 1, 1]
    assert {one['status'] for one in shown.values()} == {'ACTIVE'}
    assert {row['Status'] for row in admin.get('volume list')} == {'in-use'}
    admin.run('server delete --wait a b c d')
    left = admin.get('volume list')
    assert {row['Status'] for row in left} == {'available'}
    assert len(left) == 3
    admin.run('volume snapshot delete root-then')
    admin.run('volume delete', *(row['ID'] for row in left))


def test_the_sdk_as_a_member(service):
    env = environment(service, 'nova-lite-demo')
    done = subprocess.run([sys.executable, '-c', SDK], env=env, cwd=service.state_dir,
                          capture_output=True, text=True, timeout=LIMIT, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said['made'] == ['available', 2]
    assert said['boot'] == ['available', True]
    assert said['copy'] == ['available', 3]
    assert said['size'] == 4
    assert (said['usage']['volumes'], said['usage']['gigabytes']) == (3, 9)
    assert said['deleted'] == [True] * 4
    assert said['left'] == []
