# SPDX-License-Identifier: Apache-2.0
"""Server groups: keys of each version, pages, owners, quota."""

import uuid

import pytest

from nova_lite.db.queries import server_groups, servers
from nova_lite.model import times
from tests.fixtures import rows
from tests.fixtures.rooms import ADMIN, HOMELESS, LEGACY, MEMBER, Rooms, caller, rooms

__all__ = ('rooms',)

PATH = '/os-server-groups'
OLD = {'id', 'name', 'policies', 'members', 'metadata'}
NEW = {'id', 'name', 'policy', 'rules', 'members', 'project_id', 'user_id'}
OTHER = caller('ann', 'member', 'reader', project='c' * 32)


def group(name: str = 'g', policy: str = 'affinity', old: bool = True, **more: object) -> dict:
    return {'server_group': {'name': name, **({'policies': [policy]} if old else {'policy': policy}), **more}}


def make(rooms: Rooms, version: str = '2.1', by=MEMBER, **known) -> dict:
    status, body = rooms.ask('POST', PATH, group(**known), version, by)
    assert status == 200, body
    return body['server_group']


@pytest.mark.parametrize(('version', 'keys'), [
    (LEGACY, OLD), ('2.12', OLD), ('2.13', OLD | {'project_id', 'user_id'}), ('2.63', OLD | {'project_id', 'user_id'}),
    ('2.64', NEW), ('2.104', NEW)])
def test_keys_of_each_version(rooms, version, keys):
    made = make(rooms, version, policy='anti-affinity', old='policies' in keys)
    assert set(made) == keys
    assert made['members'] == []
    assert rooms.ask('GET', f'{PATH}/{made["id"]}', version=version, by=MEMBER)[1] == {'server_group': made}
    assert rooms.ask('GET', PATH, version=version, by=MEMBER)[1] == {'server_groups': [made]}
    assert rooms.status('DELETE', f'{PATH}/{made["id"]}', version=version, by=MEMBER) == 204
    assert rooms.status('GET', f'{PATH}/{made["id"]}', version=version, by=MEMBER) == 404


@pytest.mark.parametrize(('body', 'version', 'status'), [
    (group(policy='soft-affinity'), '2.14', 400), (group(policy='soft-affinity'), '2.15', 200),
    (group(policy='legacy'), '2.63', 400), (group(policies=[]), '2.1', 400),
    (group(policies=['affinity'] * 2), '2.1', 400),
    (group(policies=['affinity', 'anti-affinity']), '2.63', 400), (group(), '2.64', 400),
    (group(old=False), '2.63', 400), (group(old=False), '2.64', 200),
    (group(old=False, rules={}), '2.64', 200), (group(old=False, rules={'max_server_per_host': 2}), '2.64', 400),
    (group(old=False, policy='anti-affinity', rules={'max_server_per_host': 0}), '2.64', 400),
    (group(old=False, policy='anti-affinity', rules={'max_server_per_host': '3'}), '2.64', 200),
    (group(old=False, policy='anti-affinity', rules={'least': 1}), '2.64', 400),
    (group(name=' x'), '2.1', 400), (group(name=' x'), LEGACY, 200), (group(color=1), '2.1', 400),
    (group(color=1), LEGACY, 200), ({}, '2.1', 400)])
def test_bodies(rooms, body, version, status):
    assert rooms.status('POST', PATH, body, version, MEMBER) == status


def test_rules_are_numbers(rooms):
    made = make(rooms, '2.64', policy='anti-affinity', old=False, rules={'max_server_per_host': '3'})
    assert made['rules'] == {'max_server_per_host': 3}
    shown = rooms.ask('GET', f'{PATH}/{made["id"]}', version='2.63', by=MEMBER)[1]['server_group']
    assert shown['policies'] == ['anti-affinity']


def test_deleted_members_are_not_listed(rooms):
    made = make(rooms)
    one, two, gone = (rows.server(name) for name in ('one', 'two', 'gone'))
    gone.update(deleted=True, deleted_at=times.utcnow(), vm_state='deleted')
    with rooms.db.write() as conn:
        servers.insert(conn, [two, one, gone])
        group_id = server_groups.get(conn, made['id']).id
        server_groups.add_members(conn, group_id, [one['uuid'], two['uuid'], gone['uuid']])
    shown = rooms.ask('GET', f'{PATH}/{made["id"]}', by=MEMBER)[1]['server_group']
    assert shown['members'] == [two['uuid'], one['uuid']]
    rooms.db.transaction(server_groups.add_members, group_id, [str(uuid.uuid4())])
    with rooms.db.read() as conn:
        assert set(server_groups.of_servers(conn, [one['uuid'], two['uuid'], gone['uuid']])) == {
            one['uuid'], two['uuid']}


def test_pages_and_projects(rooms):
    names = [make(rooms, name=f'g{number}')['name'] for number in range(4)]
    make(rooms, by=OTHER, name='foreign')

    def listed(query, by=MEMBER, version='2.1'):
        status, body = rooms.ask('GET', PATH + query, version=version, by=by)
        return [entry['name'] for entry in body['server_groups']] if status == 200 else status

    assert listed('') == names
    assert listed('?limit=2&offset=1') == names[1:3]
    assert listed('?limit=0') == names
    assert listed('?offset=9') == []
    assert listed('?all_projects=1') == names
    assert listed('?all_projects=False', ADMIN) == [*names, 'foreign']
    assert listed('', ADMIN) == []
    assert listed('', HOMELESS) == []
    assert [listed('?limit=-1'), listed('?offset=x'), listed('?x=1', version='2.75')] == [400] * 3
    assert listed('?x=1', version='2.74') == names


def test_groups_of_others(rooms):
    path = f'{PATH}/{make(rooms)["id"]}'
    assert [rooms.status(method, path, by=OTHER) for method in ('GET', 'DELETE')] == [403, 403]
    reader = caller('rae', 'reader', project=MEMBER.project_id)
    assert rooms.status('GET', path, by=reader) == 200
    assert rooms.status('DELETE', path, by=reader) == 403
    assert rooms.status('POST', PATH, group(), by=reader) == 403
    assert rooms.status('GET', path, by=ADMIN) == 200
    assert rooms.status('DELETE', path, by=ADMIN) == 204
    assert rooms.status('DELETE', path, by=ADMIN) == 404
    assert rooms.status('GET', f'{PATH}/x', by=ADMIN) == 404
    assert [rooms.status('GET', f'{path}?x=1', version=version, by=ADMIN) for version in ('2.101', '2.102')] == [
        404, 400]


def test_quota_of_the_project_and_of_a_user(rooms):
    rooms.conf.set_override('server_groups', 2, 'quota')
    limits = f'/os-quota-sets/{MEMBER.project_id}?user_id={MEMBER.user_id}'
    assert rooms.status('PUT', limits, {'quota_set': {'server_groups': 1}}) == 200
    colleague = caller('jim', 'member', 'reader', project=MEMBER.project_id)
    make(rooms)
    status, body = rooms.ask('POST', PATH, group(), by=MEMBER)
    assert (status, 'server_groups' in body['forbidden']['message']) == (403, True)
    make(rooms, by=colleague)
    assert rooms.status('POST', PATH, group(), by=colleague) == 403
    shown = rooms.ask('GET', '/limits', by=colleague)[1]['limits']['absolute']
    assert (shown['maxServerGroups'], shown['totalServerGroupsUsed']) == (2, 2)
