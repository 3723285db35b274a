# SPDX-License-Identifier: Apache-2.0
"""The queries on servers give the same answers on each database."""

import datetime

import pytest

from nova_lite import errors
from nova_lite.db.paging import Page
from nova_lite.db.queries import server_filters, servers, tags
from nova_lite.db.queries.servers import Matches
from tests.fixtures import rows
from tests.fixtures.database import database, shared_database, sqlite_path

__all__ = ('database', 'shared_database', 'sqlite_path')

START = datetime.datetime(2026, 1, 2, 3, 4, 5, 678901)
MINUTE = datetime.timedelta(minutes=1)


def store(db, *values):
    with db.write() as conn:
        return servers.insert(conn, list(values))


BY_NAME = Page(sort=(('display_name', 'asc'),))


def names(db, filters=None, paged=BY_NAME):
    with db.read() as conn:
        return [row.name for row in servers.page(conn, filters or {}, paged, frozenset(('name',)))]


def test_a_server_comes_back_as_it_was_stored(database):
    stored = rows.server('smörgås 🥪', metadata={'a': 'b"c'}, created_at=START, user_data='x' * 70000,
                         addresses={'net': [{'version': 4, 'mac': 'fa:16', 'addr': '10.0.0.5', 'type': 'fixed'}]})
    (row_id,) = store(database, stored)
    with database.read() as conn:
        row = servers.get(conn, stored['uuid'])
    assert row.id == row_id
    assert row.flavor_id == '1'
    for name in ('name', 'metadata', 'created_at', 'user_data', 'addresses', 'flavor', 'task_state'):
        assert getattr(row, name) == stored.get(name)


def test_several_servers_get_their_ids_in_order(database):
    several = [rows.server(str(number)) for number in range(5)]
    ids = store(database, *several)
    with database.read() as conn:
        found = servers.get_many(conn, [row['uuid'] for row in several])
    assert [found[row['uuid']].id for row in several] == ids


def test_columns_are_those_asked_for(database):
    stored = rows.server()
    store(database, stored)
    with database.read() as conn:
        row = servers.get(conn, stored['uuid'], frozenset(('uuid', 'name')))
    assert row._mapping == {'uuid': stored['uuid'], 'name': 'one'}


def test_a_missing_server_is_named(database):
    with pytest.raises(errors.ServerNotFound, match='nowhere'), database.read() as conn:
        servers.get(conn, 'nowhere')


def test_a_deleted_server_is_found_only_when_asked_for(database):
    stored = rows.server(deleted=True)
    store(database, stored)
    with database.read() as conn:
        assert servers.get(conn, stored['uuid'], deleted=None).deleted is True
        assert servers.get(conn, stored['uuid'], deleted=True).deleted is True
        with pytest.raises(errors.ServerNotFound):
            servers.get(conn, stored['uuid'])


@pytest.fixture
def zoo(database):
    """Six servers that differ in everything a filter looks at."""
    def port(addr, version):
        return {'net': [{'type': 'fixed', 'addr': addr, 'version': version, 'mac': 'fa:16:3e:10:00:05'}]}

    several = [
        rows.server('Web1', host='h1', addresses=port('10.0.0.5', 4), metadata={'role': 'web', 'x': '1'},
                    created_at=START, updated_at=START, power_state=1, key_name='k1'),
        rows.server('web2', host='h1', addresses=port('10.0.0.50', 4), metadata={'role': 'Web'},
                    created_at=START + MINUTE, updated_at=START + MINUTE, power_state=4),
        rows.server('db.1', host='h2', addresses=port('fd00::10:5', 6), metadata={'r"ole': 'w\\eb', 'é': '%'},
                    created_at=START + 2 * MINUTE, updated_at=START, project_id='blue', locked=True),
        rows.server('dbx1', host=None, task_state='spawning', vm_state='building', image_ref='i1',
                    created_at=START + 3 * MINUTE, updated_at=START, config_drive=True),
        rows.server('gone', deleted=True, vm_state='deleted', created_at=START, updated_at=START),
        rows.server('soft', vm_state='soft-delete', created_at=START, updated_at=START),
    ]
    store(database, *several)
    with database.write() as conn:
        tags.add(conn, several[0]['uuid'], ['blue', 'red'])
        tags.add(conn, several[1]['uuid'], ['red'])
    return database


@pytest.mark.parametrize(('filters', 'expected'), [
    ({}, 'Web1 db.1 dbx1 web2'),
    ({'deleted': False, 'soft_deleted': False}, 'Web1 db.1 dbx1 web2'),
    ({'deleted': None}, 'Web1 db.1 dbx1 gone soft web2'),
    ({'deleted': True}, 'gone soft'),
    ({'deleted': True, 'soft_deleted': False}, 'gone'),
    ({'soft_deleted': True}, 'Web1 db.1 dbx1 soft web2'),
    ({'project_id': 'blue'}, 'db.1'),
    ({'project_id': ['blue', 'red'], 'host': 'h1'}, 'Web1 web2'),
    ({'host': None}, 'dbx1'),
    ({'host': ['h2', None]}, 'db.1 dbx1'),
    ({'host': []}, ''),
    ({'name': '^web'}, 'web2'),
    ({'name': 'db.1'}, 'db.1 dbx1'),
    ({'name': r'db\.1'}, 'db.1'),
    ({'name': '[wW]eb(1|2)$'}, 'Web1 web2'),
    ({'name': r'^db\.'}, 'db.1'),
    ({'name': '^web|^db'}, 'db.1 dbx1 web2'),
    ({'name': '^dbx?'}, 'db.1 dbx1'),
    ({'name': '^'}, 'Web1 db.1 dbx1 web2'),
    ({'key_name': Matches('^k.$')}, 'Web1'),
    ({'ip': '10.0.0.5'}, 'Web1 web2'),
    ({'ip': '^10.0.0.5$'}, 'Web1'),
    ({'ip': r'^10\.0\.0\.(5|6)$|^10\.9\.'}, 'Web1'),
    ({'ip': '.*'}, 'Web1 web2'),
    ({'ip': '10:00'}, ''),
    ({'ip': '[^9]0$'}, 'web2'),
    ({'ip6': '10:5'}, 'db.1'),
    ({'ip6': '10.0'}, ''),
    ({'metadata': {'role': 'web'}}, 'Web1'),
    ({'metadata': {'role': 'web', 'x': '1'}}, 'Web1'),
    ({'metadata': [{'role': 'web'}, {'x': '2'}]}, ''),
    ({'metadata': {'r"ole': 'w\\eb'}}, 'db.1'),
    ({'metadata': {'ole': 'w\\eb'}}, ''),
    ({'metadata': {'é': '%'}}, 'db.1'),
    ({'metadata': {'role': '%'}}, ''),
    ({'tags': ['red']}, 'Web1 web2'),
    ({'tags': ['red', 'blue']}, 'Web1'),
    ({'tags_any': ['blue', 'green']}, 'Web1'),
    ({'not_tags': ['red', 'blue']}, 'db.1 dbx1 web2'),
    ({'not_tags_any': ['red', 'blue']}, 'db.1 dbx1'),
    ({'statuses': [('active', None), ('building', ['spawning', None])]}, 'Web1 db.1 dbx1 web2'),
    ({'statuses': [('active', ['reboot_started'])]}, ''),
    ({'statuses': []}, ''),
    ({'vm_state': 'active', 'locked': True}, 'db.1'),
    ({'power_state': 4}, 'web2'),
    ({'task_state': 'spawning', 'image_ref': 'i1', 'config_drive': True}, 'dbx1'),
    ({'changes_since': START + MINUTE}, 'web2'),
    ({'changes_before': START, 'deleted': None}, 'Web1 db.1 dbx1 gone soft'),
    ({'created_at': START + MINUTE}, 'web2'),
    ({'flavor_id': '1', 'user_id': 'ann', 'launch_index': 0, 'name': '2'}, 'web2'),
])
def test_filters(zoo, filters, expected):
    found = sorted(names(zoo, filters))
    assert found == expected.split()
    assert sorted(names(zoo, filters, Page(10))) == found
    assert names(zoo, filters, Page(2)) == names(zoo, filters, Page())[:2]
    with zoo.read() as conn:
        assert servers.count(conn, filters) == len(found)


@pytest.mark.parametrize('filters', [{'name': '('}, {'name': 'a' * 300}, {'ip': '1^0'}, {'name': '(a+)+'},
                                     {'ip': '(^1)'}, {'ip6': '['}, {'name': '(?i)a'}, {'name': 'a*+'}])
def test_a_bad_pattern_is_refused(zoo, filters):
    with pytest.raises(errors.Invalid):
        names(zoo, filters)


@pytest.mark.parametrize('sort', [
    (('display_name', 'asc'),), (('host', 'asc'), ('created_at', 'desc')), (('host', 'desc'),),
    (('task_state', 'desc'), ('host', 'asc'), ('display_name', 'desc')), (('created_at', 'asc'),), (),
    (('uuid', 'asc'), ('host', 'desc'))])
@pytest.mark.parametrize('size', [1, 2, 5])
def test_pages_put_together_are_the_list(zoo, sort, size):
    columns = frozenset(('uuid', 'name', 'host', 'task_state', 'created_at'))
    with zoo.read() as conn:
        whole = servers.page(conn, {'deleted': None}, Page(sort=sort), columns)
        assert len(whole) == 6
        for key, direction in reversed(sort):
            column = {'display_name': 'name'}.get(key, key)
            values = [getattr(row, column) for row in whole]
            if len(sort) == 1:
                ordered = sorted(values, key=lambda value: (value is not None, value or ''),
                                 reverse=direction == 'desc')
                assert values == ordered
        together, marker = [], None
        while part := servers.page(conn, {'deleted': None}, Page(size, marker, sort), columns):
            together += part
            marker = part[-1].uuid
    assert [row.uuid for row in together] == [row.uuid for row in whole]


@pytest.mark.parametrize('direction', ['asc', 'desc'])
def test_pages_by_each_key_put_together_are_the_list(zoo, direction):
    for key in servers.ORDER.keys:
        sort = ((key, direction),)
        for filters in ({'deleted': None}, {'deleted': True}, {}):
            whole = names(zoo, filters, Page(sort=sort))
            together, marker = [], None
            with zoo.read() as conn:
                while part := servers.page(conn, filters, Page(2, marker, sort)):
                    together += [row.name for row in part]
                    marker = part[-1].uuid
            assert together == whole, key


def test_the_newest_comes_first(zoo):
    assert names(zoo, {}, Page()) == ['dbx1', 'db.1', 'web2', 'Web1']


def test_a_marker_of_another_project_is_not_found(zoo):
    with zoo.read() as conn:
        (row,) = servers.page(conn, {'project_id': 'blue'}, Page())
        with pytest.raises(errors.MarkerNotFound):
            servers.page(conn, {'project_id': 'red'}, Page(marker=row.uuid))
        with pytest.raises(errors.MarkerNotFound):
            servers.page(conn, {}, Page(marker='nowhere'))


def test_an_unknown_sort_key_is_refused(zoo):
    with pytest.raises(errors.Invalid, match='metadata'):
        names(zoo, {}, Page(sort=(('metadata', 'asc'),)))


def test_a_change_happens_only_to_a_server_as_expected(database):
    stored = rows.server(task_state=None, host='h1', updated_at=START)
    store(database, stored)
    uuid = stored['uuid']
    with database.write() as conn:
        assert not servers.update_if(conn, uuid, {'task_state': 'stopping'}, power_state=4)
        assert not servers.update_if(conn, 'nowhere', {}, power_state=4)
        assert servers.update_if(conn, uuid, {'task_state': None, 'vm_state': ('active', 'stopped')},
                                 task_state='stopping')
        # The row is found even if the change changes nothing.
        assert servers.update_if(conn, uuid, {'task_state': (None, 'stopping')}, task_state='stopping',
                                 updated_at=START)
        assert servers.update_if(conn, uuid, {'task_state': 'stopping'}, task_state='stopping',
                                 updated_at=START)
        with pytest.raises(errors.ServerNotFound):
            servers.update(conn, 'nowhere', progress=1)
        servers.update(conn, uuid, flavor={**rows.FLAVOR, 'flavorid': '9'})
    with database.read() as conn:
        row = servers.get(conn, uuid)
    assert (row.task_state, row.power_state, row.flavor_id) == ('stopping', 0, '9')
    assert row.updated_at > START


def test_a_json_column_is_changed_under_a_lock(database):
    stored = rows.server(metadata={'a': '1'})
    store(database, stored)
    with database.write() as conn:
        assert servers.change(conn, stored['uuid'], 'metadata', lambda old: {**old, 'b': '2'}) == {
            'a': '1', 'b': '2'}
    with database.read() as conn:
        assert servers.get(conn, stored['uuid']).metadata == {'a': '1', 'b': '2'}


def test_servers_by_host(zoo):
    with zoo.read() as conn:
        found = servers.by_host(conn, ['h1', 'h9'])
        assert servers.count_by_host(conn, ['h1', 'h2', 'h9']) == {'h1': 2, 'h2': 1, 'h9': 0}
    assert {host: [row.name for row in on] for host, on in found.items()} == {'h1': ['Web1', 'web2'], 'h9': []}


def test_every_filter_has_a_meaning(zoo):
    for name in server_filters.COLUMNS:
        names(zoo, {name: None})


def test_the_tags_of_a_server(database):
    with database.write() as conn:
        tags.add(conn, 's1', ['b', 'B'])
        tags.replace(conn, 's2', ['z', 'y', 'z'])
        tags.add(conn, 's3', [])
    with database.write() as conn:
        assert tags.by_server(conn, ['s1', 's2', 's3']) == {'s1': ['B', 'b'], 's2': ['y', 'z'], 's3': []}
        assert tags.exists(conn, 's1', 'b')
        assert tags.delete(conn, 's1', 'b')
        assert not tags.delete(conn, 's1', 'b')
        tags.delete_all(conn, 's2')
        assert tags.page(conn, 's2') == []
