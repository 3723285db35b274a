# SPDX-License-Identifier: Apache-2.0
"""A page of a list is read by an index and with the same few statements, however long table and page are."""

import contextlib
import datetime
import re
import uuid

import pytest
import sqlalchemy as sa

from benchmarks import seed
from nova_lite.db import schema, tables
from nova_lite.db.paging import Page
from nova_lite.db.queries import servers
from nova_lite.db.queries.server_filters import Between, Matches
from nova_lite.model import times
from tests.fixtures.database import database, open_database, shared_database, sqlite_path
from tests.fixtures.rooms import ADMIN, MEMBER, rooms
from tests.fixtures.servers import equip, running

__all__ = ('database', 'rooms', 'shared_database', 'sqlite_path')

SERVERS = 20_000
DAY = datetime.timedelta(days=1)
FUTURE = times.utcnow() + DAY

HERE = Matches('^web-77[0-9]$')

# Every filter that there is, but those that no index in order can serve: patterns without a fixed beginning,
# ``metadata``, ``ip``, ``ip6`` (and ``not_tags`` where every server has the tag).
FILTERS = (
    {}, {'image_ref': 'none'}, {'flavor_id': '9'}, {'flavor_id': '1'}, {'user_id': 'u7'}, {'host': 'h7'},
    {'node': HERE}, {'reservation_id': Matches('^r-77$')}, {'name': HERE}, {'hostname': HERE},
    {'availability_zone': Matches('^zone2$')}, {'availability_zone': Matches('^nowhere$')},
    {'key_name': Matches('^k7')}, {'kernel_id': HERE}, {'ramdisk_id': HERE}, {'description': HERE},
    {'locked_by': Matches('^owner$')}, {'root_device_name': Matches('^/dev/sda')},
    {'access_ip_v4': Matches('^10[.]0')}, {'access_ip_v6': HERE}, {'vm_state': 'error'}, {'vm_state': 'active'},
    {'task_state': 'spawning'}, {'power_state': 3}, {'power_state': 4}, {'progress': 7}, {'launch_index': 1},
    {'locked': True}, {'locked': False}, {'config_drive': True}, {'disk_config': 'AUTO'},
    {'created_at': Between(times.utcnow() - DAY, times.utcnow())}, {'launched_at': Between(times.utcnow(), FUTURE)},
    {'terminated_at': Between(times.utcnow(), FUTURE)}, {'statuses': [('error', None)]},
    {'statuses': [('active', None), ('stopped', ('powering-on',))]}, {'uuid': str(uuid.uuid4())},
    {'tags': ['x', 'y']}, {'tags_any': ['x']}, {'not_tags': ['x', 'y']}, {'not_tags_any': ['x']},
    {'deleted': True}, {'deleted': True, 'soft_deleted': False}, {'soft_deleted': True},
    *({name: moment, 'deleted': None} for name in ('changes_since', 'changes_before')
      for moment in (times.utcnow(), times.utcnow() - 1000 * DAY)))
OF_PROJECT = ({'name': 'web'}, {'ip': '10.0'}, {'metadata': {'a': 'b'}})
# So many blocks of a database an answer of 100 rows may need, of whatever table.
BLOCKS = 2000


@contextlib.contextmanager
def recorded(db):
    """The statements that run meanwhile."""
    found = []

    def listen(connection, cursor, statement, parameters, context, many):
        found.append((statement, parameters))

    sa.event.listen(db.engine, 'before_cursor_execute', listen)
    try:
        yield found
    finally:
        sa.event.remove(db.engine, 'before_cursor_execute', listen)


# What the seed makes alike is made to differ: some values are frequent and some rare, some are mostly absent.
_DIFFER = """
UPDATE servers SET power_state = (ARRAY[1, 1, 1, 4])[n % 4 + 1], locked = n % 9 = 0, config_drive = n % 2 = 0,
    locked_by = CASE WHEN n % 9 = 0 THEN 'owner' END, key_name = CASE WHEN n % 3 > 0 THEN 'k' || n % 40 END,
    availability_zone = 'zone' || n % 4, progress = CASE WHEN n % 100 = 0 THEN 50 ELSE 0 END, launch_index = n % 3,
    task_state = CASE WHEN n % 500 = 0 THEN 'spawning' END,
    disk_config = CASE WHEN n % 7 = 0 THEN 'AUTO' ELSE 'MANUAL' END,
    vm_state = CASE WHEN n % 1000 = 0 THEN 'error' WHEN n % 50 = 0 THEN 'stopped' ELSE 'active' END,
    description = CASE WHEN n % 5 = 0 THEN 'number ' || n END, user_id = 'u' || n % 50,
    access_ip_v4 = CASE WHEN n % 10 = 0 THEN '10.0.' || n % 200 || '.1' END, deleted = n % 8 = 0,
    terminated_at = CASE WHEN n % 8 = 0 THEN created_at END, updated_at = created_at
FROM (SELECT id AS row, row_number() OVER (ORDER BY id) AS n FROM servers) AS numbered WHERE row = id"""


@pytest.fixture(scope='module')
def filled(postgresql):
    """Servers of several projects."""
    name = postgresql.create_database()
    db = open_database(postgresql.url(name))
    schema.upgrade(db)
    seed.hosts(db, 50)
    seed.fill(db, SERVERS, 100, 50)
    with db.write() as conn:
        conn.execute(sa.text(_DIFFER))
    with db.engine.connect().execution_options(isolation_level='AUTOCOMMIT') as connection:
        connection.exec_driver_sql('VACUUM FULL ANALYZE servers')
        # Only a look tells what is visible, so that no page pays for what the update left.
        connection.exec_driver_sql('VACUUM ANALYZE servers')
    yield db
    db.dispose()
    postgresql.drop_database(name)


def cost_of(db, filters, page):
    """Blocks that a page of a list takes, and how the database went about it."""
    with db.read() as conn, recorded(db) as found:
        servers.page(conn, filters, page)
    with db.engine.connect() as connection:
        statement, parameters = found[-1]
        plan = [row[0] for row in connection.exec_driver_sql(
            f'EXPLAIN (ANALYZE, BUFFERS, TIMING OFF) {statement}', parameters)]
    first = next(line for line in plan if 'Buffers:' in line)
    return sum(int(number) for number in re.findall(r'(?:hit|read)=(\d+)', first)), '\n'.join(plan)


def dear(db, cases):
    """The cases that take more than a page should, with their plans."""
    found = []
    for filters, page in cases:
        blocks, plan = cost_of(db, filters, page)
        if blocks > BLOCKS or 'Seq Scan on servers' in plan:
            found.append(f'{filters} {page}: {blocks} blocks\n{plan}')
    return '\n\n'.join(found)


def test_no_filter_reads_the_whole_table(filled):
    project = {'project_id': seed.project(7)}
    cases = [*FILTERS, *({**filters, **project} for filters in (*FILTERS, *OF_PROJECT))]
    assert dear(filled, [(filters, Page(limit=100)) for filters in cases]) == ''


@pytest.mark.parametrize('direction', ['asc', 'desc'])
def test_no_sort_key_reads_the_whole_table(filled, direction):
    cases = [({**filters}, Page(limit=100, sort=((key, direction),)))
             for key in servers.ORDER.keys for filters in ({}, {'deleted': None}, {'deleted': True})]
    assert dear(filled, cases) == ''


@pytest.mark.parametrize('direction', ['asc', 'desc'])
def test_a_page_in_the_middle_costs_no_more(filled, direction):
    with filled.read() as conn:
        marker = conn.scalar(sa.select(tables.servers.c.uuid).where(tables.servers.c.deleted == sa.false())
                             .order_by(tables.servers.c.id).offset(SERVERS // 3).limit(1))
    cases = [({}, Page(limit=100, marker=marker, sort=((key, direction),))) for key in servers.ORDER.keys]
    assert dear(filled, cases) == ''


def sorts_of(db, filters, page):
    """What the other databases say of a statement that sorts or reads a whole table."""
    with db.read() as conn, recorded(db) as found:
        servers.page(conn, filters, page)
    statement, parameters = found[-1]
    query_plan = 'EXPLAIN QUERY PLAN' if db.engine.dialect.name == 'sqlite' else 'EXPLAIN'
    with db.engine.connect() as connection:
        plan = str(connection.exec_driver_sql(f'{query_plan} {statement}', parameters).all())
    return [word for word in ('TEMP B-TREE', "SCAN servers'", 'filesort', "'ALL'") if word in plan]


# Which plan PostgreSQL takes depends on the rows, see above.
@pytest.mark.parametrize('shared_database', ['sqlite', pytest.param('mariadb', marks=pytest.mark.live)], indirect=True)
def test_no_other_database_sorts_for_a_page(database):
    # SQLite sorts by what is unique itself, with whatever is at hand.
    for key in servers.ORDER.keys.keys() - {'id', 'uuid'}:
        for direction in ('asc', 'desc'):
            page = Page(limit=100, sort=((key, direction),))
            assert not sorts_of(database, {}, page), (key, direction)
    for filters in ({'vm_state': 'active'}, {'user_id': 'u7'}, {'locked': True}, {'host': 'h7'}, {'project_id': 'p'}):
        assert not sorts_of(database, filters, Page(limit=100)), filters


@pytest.mark.parametrize('version', ['2.1', '2.104'])
@pytest.mark.parametrize('path', ['/servers', '/servers/detail', '/os-hypervisors/detail', '/os-instance-usage'])
def test_statements_of_a_page_do_not_depend_on_its_length(rooms, path, version):
    if path == '/os-instance-usage':
        path = '/os-simple-tenant-usage?detailed=1'
    equip(rooms)
    counts = []
    for number in (2, 30):
        for one in range(number):
            running(rooms, f'web-{number}-{one}', host=f'x{one}')
            rooms.add_host(f'x{number}-{one}')
        with recorded(rooms.db) as found:
            status, _ = rooms.ask('GET', path, None, version, ADMIN)
        assert status == 200
        counts.append(len(found))
    assert counts[0] == counts[1] <= 8


def test_a_page_of_a_member_takes_few_statements(rooms):
    equip(rooms)
    for number in range(5):
        running(rooms, f'web-{number}')
    with recorded(rooms.db) as found:
        assert rooms.status('GET', '/servers/detail', None, '2.104', MEMBER) == 200
    assert len(found) <= 6
    assert sum('FROM servers' in statement for statement, _ in found) == 1
