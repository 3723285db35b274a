# SPDX-License-Identifier: Apache-2.0
"""A page of a list is read by an index and with the same few statements, however long table and page are."""

import contextlib
import uuid

import pytest
import sqlalchemy as sa

from benchmarks import seed
from nova_lite.db import schema
from nova_lite.db.paging import Page
from nova_lite.db.queries import servers
from nova_lite.model import times
from tests.fixtures.database import open_database
from tests.fixtures.rooms import ADMIN, MEMBER, rooms
from tests.fixtures.servers import equip, running

__all__ = ('rooms',)

# Of everybody, and of one project in addition whatever else can be asked.
INDEXED = (
    ({}, ()), ({}, (('display_name', 'asc'),)), ({}, (('created_at', 'asc'),)), ({'vm_state': 'error'}, ()),
    ({'statuses': [('error', None)]}, ()), ({'user_id': 'u7'}, ()), ({'image_ref': 'none'}, ()), ({'host': 'h7'}, ()),
    ({'reservation_id': 'r-7'}, ()), ({'flavor_id': '9'}, ()), ({'uuid': str(uuid.uuid4())}, ()),
    ({'tags': ['x', 'y']}, ()), ({'tags_any': ['x']}, ()), ({'deleted': True}, ()),
    ({'changes_since': times.utcnow(), 'deleted': None}, ()))
OF_PROJECT = (
    *INDEXED, ({'name': 'web'}, ()), ({'ip': '10.0'}, ()), ({'metadata': {'a': 'b'}}, ()), ({'locked': True}, ()),
    ({'availability_zone': 'x'}, ()), ({}, (('vm_state', 'desc'),)), ({}, (('host', 'asc'),)))


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


@pytest.fixture
def filled(postgresql_url):
    """Servers of several projects."""
    db = open_database(postgresql_url)
    schema.upgrade(db)
    seed.hosts(db, 50)
    seed.fill(db, 20_000, 100, 50)
    yield db
    db.dispose()


def plan_of(db, filters, sort):
    with db.read() as conn, recorded(db) as found:
        servers.page(conn, filters, Page(limit=100, sort=sort))
    with db.engine.connect() as connection:
        statement, parameters = found[-1]
        return '\n'.join(row[0] for row in connection.exec_driver_sql(f'EXPLAIN {statement}', parameters))


def test_no_page_reads_the_whole_table(filled):
    project = {'project_id': seed.project(7)}
    cases = [*INDEXED, *(({**filters, **project}, sort) for filters, sort in OF_PROJECT)]
    plans = {str(case): plan_of(filled, *case) for case in cases}
    assert [case for case, plan in plans.items() if 'Seq Scan on servers' in plan] == []


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
