# SPDX-License-Identifier: Apache-2.0
"""Lists of servers: filters and who may use them, order, pages."""

import datetime

import pytest

from nova_lite.db import tables
from nova_lite.db.queries import tags
from nova_lite.model import times
from tests.fixtures.rooms import ADMIN, LEGACY, MEMBER, Rooms, caller, rooms
from tests.fixtures.servers import IMAGE, equip, running

__all__ = ('rooms',)

STRANGER = caller('sam', 'member', 'reader', project='c' * 32)
ADDRESSES = {'net': [{'addr': '10.0.0.5', 'version': 4, 'type': 'fixed', 'mac': 'm'},
                     {'addr': 'fd00::5', 'version': 6, 'type': 'fixed', 'mac': 'm'}]}


@pytest.fixture
def api(rooms: Rooms) -> Rooms:
    """Three servers of MEMBER (web, db, old), one of them stopped, and one of somebody else."""
    equip(rooms)
    mine = ADMIN.project_id, MEMBER.project_id
    web = running(rooms, 'web', addresses=ADDRESSES, key_name='k', metadata={'a': 'b'}, reservation_id='r-web')
    running(rooms, 'db', vm_state='stopped', power_state=4, config_drive=True, locked=True, host='h2',
            availability_zone='moon', user_id='ann', image_ref=None)
    running(rooms, 'old', vm_state='deleted', deleted=True, host=None)
    running(rooms, 'foreign', project_id=STRANGER.project_id)
    running(rooms, 'adm', project_id=mine[0], vm_state='error', task_state='deleting')
    rooms.db.transaction(tags.add, web, ['x', 'y'])
    return rooms


def names(api, query, version='2.1', by=MEMBER):
    status, answer = api.ask('GET', f'/servers?{query}', None, version, by)
    assert status == 200, answer
    return ' '.join(server['name'] for server in answer['servers'])


@pytest.mark.parametrize(('query', 'version', 'shown'), [
    ('', '2.1', 'db web'), ('', LEGACY, 'db web'),
    ('name=w.b', '2.1', 'web'), ('name=^b', '2.1', ''), ('reservation_id=r-web', '2.1', 'web'),
    (f'image={IMAGE}', '2.1', 'web'), ('flavor=1', '2.1', 'db web'), ('flavor=9', '2.1', ''),
    ('ip=10.0.0', '2.1', 'web'), ('ip=fd00', '2.1', ''),
    # What a member may not use yet is ignored.
    ('ip6=fd00', '2.4', 'db web'), ('ip6=fd00', '2.5', 'web'),
    ('tags=x,y', '2.25', 'db web'), ('tags=x,y', '2.26', 'web'), ('tags=x,z', '2.26', ''),
    ('tags-any=x,z', '2.26', 'web'), ('not-tags=x,z', '2.26', 'db web'), ('not-tags-any=x,z', '2.26', 'db'),
    ('locked=true', '2.72', 'db web'), ('locked=true', '2.73', 'db'), ('locked=0', '2.73', 'web'),
    *((query, version, shown) for query, shown in (
        ('availability_zone=moon', 'db'), ('config_drive=true', 'db'), ('config_drive=maybe', ''),
        ('key_name=k', 'web'), ('power_state=4', 'db'), ('power_state=x', ''), ('vm_state=stopped', 'db'),
        ('task_state=deleting', ''), ('progress=0', 'db web'), ('user_id=ann', 'db'), ('created_at=2000', ''),
        ('launched_at=2000-01-01', '')) for version, shown in (('2.82', 'db web'), ('2.83', shown))),
    ('host=h2', '2.104', 'db web'), ('deleted=true', '2.104', 'db web'), ('project_id=x', '2.104', 'db web'),
    ('status=ACTIVE', '2.1', 'web'), ('status=shutoff', '2.1', 'db'), ('status=ACTIVE&status=SHUTOFF', '2.1', 'db web'),
    ('status=bogus', '2.37', ''), ('changes-since=2001-01-01T00:00:00Z', '2.1', 'old db web'),
    ('changes-before=2001-01-01T00:00:00Z', '2.65', 'db web'), ('changes-before=2001-01-01T00:00:00Z', '2.66', ''),
    ('unknown=1', '2.74', 'db web'),
    ('sort_key=display_name', '2.1', 'web db'), ('sort_key=display_name&sort_dir=asc', '2.1', 'db web'),
    ('sort_key=vcpus&sort_dir=asc', '2.1', 'web db'), ('sort_key=locked&sort_dir=asc', '2.73', 'web db'),
])
def test_what_a_member_sees(api, query, version, shown):
    assert names(api, query, version) == shown


@pytest.mark.parametrize(('query', 'version', 'shown'), [
    ('', '2.1', 'adm'), ('all_tenants', '2.1', 'adm foreign db web'), ('all_tenants=0', '2.1', 'adm'),
    (f'project_id={MEMBER.project_id}', '2.1', 'adm'), (f'tenant_id={MEMBER.project_id}', '2.1', 'adm'),
    (f'all_tenants=1&project_id={MEMBER.project_id}', '2.1', 'db web'),
    (f'all_tenants=1&tenant_id={MEMBER.project_id}', '2.1', 'db web'),
    ('all_tenants=1&host=h2', '2.1', 'db'), ('all_tenants=1&deleted=true', '2.1', 'old'),
    ('all_tenants=1&status=DELETED', '2.1', 'old'), ('all_tenants=1&vm_state=error', '2.1', 'adm'),
    ('all_tenants=1&metadata={"a":"b"}', '2.1', 'web'), ('all_tenants=1&display_name=web', '2.1', 'web'),
    ('all_tenants=1&auto_disk_config=true', '2.1', ''), ('all_tenants=1&task_state=deleting', '2.1', 'adm'),
    ('all_tenants=1&sort_key=host&sort_dir=desc', '2.1', 'db adm foreign web'),
])
def test_what_an_administrator_sees(api, query, version, shown):
    assert names(api, query, version, ADMIN) == shown


@pytest.mark.parametrize(('query', 'version', 'by', 'status'), [
    ('all_tenants=1', '2.1', MEMBER, 403), ('all_tenants=x', '2.1', ADMIN, 400),
    ('status=DELETED', '2.1', MEMBER, 403), ('status=bogus', '2.38', ADMIN, 400), ('status=', '2.38', MEMBER, 400),
    ('unknown=1', '2.75', MEMBER, 400), ('host=h1', '2.75', MEMBER, 200), ('tags=a', '2.25', ADMIN, 200),
    ('name=(', '2.1', MEMBER, 400), ('ip=(', '2.1', MEMBER, 400), ('locked=x', '2.73', MEMBER, 400),
    ('limit=-1', '2.1', MEMBER, 400), ('limit=x', '2.1', MEMBER, 400), ('limit=0', '2.1', MEMBER, 200),
    ('marker=nix', '2.1', MEMBER, 400), ('sort_key=nix', '2.1', MEMBER, 400), ('sort_dir=up', '2.1', MEMBER, 400),
    ('sort_key=host', '2.1', MEMBER, 403), ('sort_key=uuid&sort_dir=asc&sort_dir=asc', '2.1', MEMBER, 400),
    ('changes-since=soon', '2.1', MEMBER, 400), ('metadata=x', '2.1', ADMIN, 400),
    ('changes-since=2002-01-01T00:00:00Z&changes-before=2001-01-01T00:00:00Z', '2.66', MEMBER, 400),
])
def test_what_is_refused(api, query, version, by, status):
    for path in ('/servers', '/servers/detail'):
        assert api.status('GET', f'{path}?{query}', None, version, by) == status


def test_a_time_of_the_wire_finds_its_server(api):
    server = api.ask('GET', '/servers/detail?name=web', by=MEMBER)[1]['servers'][0]
    launched = server['OS-SRV-USG:launched_at']
    assert names(api, f'created_at={server["created"]}', '2.83') == 'web'
    assert names(api, f'launched_at={launched}', '2.83') == names(api, f'launched_at={launched[:19]}', '2.83') == 'web'
    assert 'web' in names(api, f'created_at={server["created"][:10]}', '2.83')


def test_pages_follow_one_another(api):
    seen, path = [], '/servers/detail?limit=1&sort_key=display_name&sort_dir=asc'
    while path:
        answer = api.ask('GET', path, by=MEMBER)[1]
        seen += [server['name'] for server in answer['servers']]
        path = answer.get('servers_links', [{'href': ''}])[0]['href'].partition('/v2.1')[2]
    assert seen == ['db', 'web']


def test_a_marker_of_another_project_is_unknown(api):
    foreign = api.ask('GET', '/servers', by=STRANGER)[1]['servers'][0]['id']
    assert [api.status('GET', f'/servers?marker={foreign}', by=by) for by in (MEMBER, STRANGER)] == [400, 200]


def test_changes_since_sees_what_just_happened(api):
    later = (times.utcnow() + datetime.timedelta(hours=1)).isoformat()
    assert names(api, f'changes-since={later}') == ''
    assert names(api, f'changes-before={later}', '2.66') == 'old db web'


def test_a_detailed_list_has_no_groups_and_one_query_for_all_tags(api):
    shown = api.ask('GET', '/servers/detail', None, '2.104', MEMBER)[1]['servers']
    assert [server['tags'] for server in shown] == [[], ['x', 'y']]
    assert not any('server_groups' in server for server in shown)


def test_a_time_that_was_shown_finds_its_server(api):
    """What is shown of a time is its second."""
    when = datetime.datetime(2026, 1, 2, 3, 4, 5, 700_000)
    with api.db.write() as conn:
        conn.execute(tables.servers.update().where(tables.servers.c.name == 'web').values(updated_at=when))
    for bound, shown in (('2026-01-02T03:04:05Z', 'web'), ('2026-01-02T03:04:04Z', ''),
                         ('2026-01-02T03:04:05.600000', ''), ('2026-01-02T03:04:05.700000', 'web')):
        assert names(api, f'changes-before={bound}', '2.66') == shown, bound
    assert 'web' in names(api, 'changes-since=2026-01-02T03:04:05Z').split()


def test_a_marker_that_is_not_there_is_named(api):
    body = api.ask('GET', '/servers?marker=nobody', by=MEMBER)[1]
    assert 'marker [nobody] not found' in body['badRequest']['message']
