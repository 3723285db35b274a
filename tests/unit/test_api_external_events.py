# SPDX-License-Identifier: Apache-2.0
"""External events: names of each version, a code for each event; assisted volume snapshots are refused."""

import json
import urllib.parse
import uuid
from types import SimpleNamespace

import pytest

from nova_lite.db.queries import operations, servers
from nova_lite.model import block_devices
from tests.fixtures import rows
from tests.fixtures.rooms import LEGACY, MEMBER, Rooms, caller, rooms

__all__ = ('rooms',)

PATH = '/os-server-external-events'
SNAPSHOTS = '/os-assisted-volume-snapshots'
SERVICE = caller('neutron', 'service', project='e' * 32)
PLACED, WAITING = rows.server(host='alpha'), rows.server()


@pytest.fixture
def api(rooms: Rooms) -> Rooms:
    """A server on a host and one that is on none."""
    rooms.db.transaction(servers.insert, [PLACED, WAITING])
    return rooms


def event(name: str = 'network-changed', server: str = PLACED['uuid'], **more: object) -> dict:
    return {'name': name, 'server_uuid': server, **more}


@pytest.mark.parametrize(('name', 'first'), [
    ('network-vif-plugged', 1), ('network-vif-unplugged', 1), ('network-vif-deleted', 1), ('volume-extended', 51),
    ('power-update', 76), ('accelerator-request-bound', 82), ('volume-reimaged', 93)])
def test_names_of_each_version(api, name, first):
    body = {'events': [event(name, tag='POWER_ON')]}
    assert api.status('POST', PATH, body, f'2.{first}') == 200
    assert api.status('POST', PATH, body, '2.104') == 200
    assert api.status('POST', PATH, body, f'2.{first - 1}' if first > 1 else LEGACY) == (400 if first > 1 else 200)


def test_each_event_has_a_code(api):
    stranger = str(uuid.uuid4())
    status, body = api.ask('POST', PATH, {'events': [
        event(tag='p', status='in-progress'), event(server=stranger), event(server=WAITING['uuid']),
        event('volume-extended'), event('power-update', tag='UP')]}, '2.104')
    assert status == 207
    assert [(entry['code'], entry['status']) for entry in body['events']] == [
        (200, 'completed'), (404, 'failed'), (422, 'failed'), (400, 'failed'), (400, 'failed')]
    assert body['events'][0] == {**event(tag='p'), 'status': 'completed', 'code': 200}
    assert api.ask('POST', PATH, {'events': [event()]}) == (200, {'events': [
        {**event(), 'status': 'completed', 'code': 200}]})


def test_a_power_update_is_in_the_history(api):
    assert api.status('POST', PATH, {'events': [event('power-update', tag='POWER_OFF')]}, '2.76') == 200
    actions = api.ask('GET', f'/servers/{PLACED["uuid"]}/os-instance-actions', version='2.76')[1]['instanceActions']
    assert [(action['action'], action['message']) for action in actions] == [('power-update', 'Error')]


def test_a_volume_that_grew_is_noted_down(api):
    known = block_devices.device(block_devices.Wish('volume', 'volume', 'v', size=1, device='/dev/vdb'))
    api.db.transaction(servers.update, PLACED['uuid'], block_devices=[known])
    api.services.volumes = SimpleNamespace(is_there=True, show=lambda context, volume_id: SimpleNamespace(size=5))
    for tag in ('v', 'w'):
        assert api.status('POST', PATH, {'events': [event('volume-extended', tag=tag)]}, '2.51') == 200
    with api.db.read() as conn:
        assert servers.get(conn, PLACED['uuid']).block_devices == [{**known, 'size': 5}]
    actions = api.ask('GET', f'/servers/{PLACED["uuid"]}/os-instance-actions')[1]['instanceActions']
    assert [(action['action'], action['message']) for action in actions] == [
        ('extend_volume', 'Error'), ('extend_volume', None)]
    with api.db.read() as conn:
        (work,) = operations.open_of_server(conn, PLACED['uuid'])
    assert (work.kind, work.params['known']['size'], work.project_id) == ('extend_volume', 5, PLACED['project_id'])


@pytest.mark.parametrize('body', [
    {}, {'events': []}, {'events': [{'name': 'network-changed'}]}, {'events': [event('test-event')]},
    {'events': [event(server='x')]}, {'events': [event(status='gone')]}, {'events': [event(color=1)]}])
def test_bodies(api, body):
    assert api.status('POST', PATH, body) == 400


def test_who_may(api):
    snapshot = {'snapshot': {'volume_id': 'v', 'create_info': {'snapshot_id': 's', 'type': 'qcow2', 'new_file': 'f'}}}
    assert api.status('POST', PATH, {'events': [event()]}, by=SERVICE) == 200
    assert api.status('POST', PATH, {'events': [event()]}, by=MEMBER) == 403
    assert api.status('POST', SNAPSHOTS, snapshot, by=MEMBER) == 403
    assert api.status('DELETE', f'{SNAPSHOTS}/s', by=MEMBER) == 403
    assert api.status('POST', SNAPSHOTS, snapshot, by=SERVICE) == 400


@pytest.mark.parametrize(('info', 'reason'), [
    (None, 'delete_info is missing'), ('x', 'not well-formed'), ('[]', 'names no volume_id'),
    ('{}', 'names no volume_id'),
    (json.dumps({'volume_id': 'v'}), "Volume 'v' is not attached")])
def test_assisted_volume_snapshots_are_refused_with_the_reason(api, info, reason):
    query = '' if info is None else f'?delete_info={urllib.parse.quote(info)}'
    status, body = api.ask('DELETE', f'{SNAPSHOTS}/s{query}')
    assert (status, reason in body['badRequest']['message']) == (400, True)
    assert api.status('DELETE', f'{SNAPSHOTS}/s?x=1', version='2.75') == 400
    bad = {'snapshot': {'volume_id': 'v', 'create_info': {'snapshot_id': 's', 'type': 'raw', 'new_file': 'f'}}}
    assert api.status('POST', SNAPSHOTS, bad) == 400
