# SPDX-License-Identifier: Apache-2.0
"""What a caller is told of the actions on a server."""

import datetime

import pytest

from nova_lite.db.queries import actions, servers
from tests.fixtures.rooms import ADMIN, MEMBER, Rooms, caller, rooms
from tests.fixtures.servers import NOBODY, running

__all__ = ('rooms',)

STRANGER = caller('sam', 'member', 'reader', project='c' * 32)
BEGAN = datetime.datetime(2026, 1, 2, 3, 4, 5)


@pytest.fixture
def history(rooms: Rooms) -> tuple[Rooms, str]:
    """A server that was created, stopped and started, and the path of its actions."""
    server = running(rooms)

    def store(conn):
        for number, action in enumerate(('create', 'stop', 'start')):
            began = BEGAN + datetime.timedelta(minutes=number)
            action_id = actions.insert(conn, {
                'server_uuid': server, 'action': action, 'request_id': f'req-{action}', 'user_id': MEMBER.user_id,
                'project_id': MEMBER.project_id, 'start_time': began, 'updated_at': began})
            actions.insert_events(conn, [{
                'action_id': action_id, 'event': f'compute_{action}', 'host': 'h1', 'start_time': began,
                'finish_time': None, 'result': 'Error', 'traceback': 't', 'details': 'd'}])

    rooms.db.transaction(store)
    return rooms, f'/servers/{server}/os-instance-actions'


@pytest.mark.parametrize(('minor', 'by', 'keys'), [
    (1, MEMBER, None), (50, MEMBER, None), (51, MEMBER, ''), (62, MEMBER, 'hostId'), (84, MEMBER, 'hostId'),
    (1, ADMIN, 'traceback'), (61, ADMIN, 'traceback'), (62, ADMIN, 'traceback hostId host'),
    (83, ADMIN, 'traceback hostId host'), (84, ADMIN, 'traceback hostId host details'),
])
def test_events_follow_version_and_caller(history, minor, by, keys):
    api, path = history
    status, answer = api.ask('GET', f'{path}/req-stop', None, f'2.{minor}', by)
    action = answer['instanceAction']
    common = {'action', 'instance_uuid', 'request_id', 'user_id', 'project_id', 'message', 'start_time'}
    assert (status, action['start_time']) == (200, '2026-01-02T03:05:05.000000')
    assert set(action) == common | ({'updated_at'} if minor >= 58 else set()) | (
        set() if keys is None else {'events'})
    if keys is not None:
        assert [set(event) for event in action['events']] == [
            {'event', 'start_time', 'finish_time', 'result', *keys.split()}]


@pytest.mark.parametrize(('query', 'version', 'shown'), [
    ('', '2.1', 'start stop create'), ('limit=1', '2.57', 'start stop create'), ('limit=1', '2.58', 'start'),
    ('marker=req-stop', '2.58', 'create'),
])
def test_the_list_is_the_newest_first_and_paged_from_258(history, query, version, shown):
    api, path = history
    answer = api.ask('GET', f'{path}?{query}', None, version, MEMBER)[1]
    assert ' '.join(action['action'] for action in answer['instanceActions']) == shown
    assert ('links' in answer) == (query == 'limit=1' and version == '2.58')


@pytest.mark.parametrize(('query', 'version', 'status'), [
    ('changes-since=x', '2.57', 200), ('changes-since=x', '2.58', 400), ('x=1', '2.58', 400),
    ('changes-before=2026-01-01T00:00:00Z', '2.65', 400), ('changes-before=2026-01-01T00:00:00Z', '2.66', 200),
    ('changes-since=2026-01-02T00:00:00Z&changes-before=2026-01-01T00:00:00Z', '2.66', 400),
    ('marker=nix', '2.58', 400),
])
def test_the_query_of_the_list_is_checked(history, query, version, status):
    api, path = history
    assert api.status('GET', f'{path}?{query}', None, version, MEMBER) == status


def test_actions_of_a_deleted_server_can_be_read_from_221(history):
    api, path = history
    server = path.split('/')[2]
    api.db.transaction(servers.update, server, deleted=True)
    assert [api.status('GET', path, None, version, MEMBER) for version in ('2.20', '2.21')] == [404, 200]
    assert [api.status('GET', f'{path}/req-stop', None, version, MEMBER) for version in ('2.20', '2.21')] == [404, 200]


def test_who_may_read(history):
    api, path = history
    assert api.status('GET', path, by=STRANGER) == 404
    assert api.status('GET', f'{path}/req-none') == api.status('GET', f'/servers/{NOBODY}/os-instance-actions') == 404
