# SPDX-License-Identifier: Apache-2.0
"""Transactions, what interrupts them, and connections that die: the same on each database."""

import contextlib
import os
import sqlite3
import subprocess
import sys
import threading

import pytest
import sqlalchemy as sa

from nova_lite import errors
from nova_lite.db import Contended, Duplicate, Unreachable, silence, tables
from nova_lite.db.queries import servers
from tests.fixtures import rows
from tests.fixtures.database import open_database, shared_database, sqlite_path

__all__ = ('shared_database', 'sqlite_path')

COUNTERS = sa.Table('counters', sa.MetaData(), sa.Column('name', tables.Name(), primary_key=True),
                    sa.Column('used', sa.Integer, nullable=False), mysql_engine='InnoDB')
KILL_OTHERS = {
    'postgresql': 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity '
                  'WHERE datname = current_database() AND pid != pg_backend_pid()',
    'mysql': 'SELECT id FROM information_schema.processlist '
             'WHERE db = DATABASE() AND id != CONNECTION_ID()',
}


@pytest.fixture
def database(shared_database):
    with shared_database.write() as conn:
        COUNTERS.drop(conn, checkfirst=True)
        COUNTERS.create(conn)
        conn.execute(sa.delete(tables.servers))
    yield shared_database
    with shared_database.write() as conn:
        COUNTERS.drop(conn)


def book(conn, used, name='cores'):
    conn.execute(COUNTERS.insert(), {'name': name, 'used': used})


def used(db, name='cores'):
    with db.read() as conn:
        return conn.scalar(sa.select(COUNTERS.c.used).where(COUNTERS.c.name == name))


def used_in(conn):
    return conn.scalar(sa.select(COUNTERS.c.used).where(COUNTERS.c.name == 'cores'))


def add(conn, number, *names):
    for name in names or ('cores',):
        conn.execute(COUNTERS.update().where(COUNTERS.c.name == name).values(used=COUNTERS.c.used + number))


def in_threads(*functions):
    failed = []

    def guard(function):
        try:
            function()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=guard, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    if failed:
        raise failed[0]


def kill_connections(database):
    """Make the server end every connection of the pool; false where there is no server."""
    kind = database.engine.dialect.name
    if kind == 'sqlite':
        return False
    killer = open_database(database.engine.url.render_as_string(hide_password=False))
    with killer.read() as conn:
        found = conn.scalars(sa.text(KILL_OTHERS[kind])).all()
        if kind == 'mysql':
            for number in found:
                conn.execute(sa.text(f'KILL {int(number)}'))
    killer.dispose()
    return True


def test_a_block_is_one_transaction(database):
    with pytest.raises(ZeroDivisionError), database.write() as conn:
        book(conn, 1)
        assert 1 / 0
    assert used(database) is None
    with database.write() as conn:
        book(conn, 1)
        assert used(database) is None
    assert used(database) == 1


def test_a_refused_statement_leaves_the_pool_usable(database):
    with pytest.raises(Duplicate), database.write() as conn:
        book(conn, 1)
        book(conn, 2)
    assert used(database) is None
    for _ in range(3):
        with pytest.raises(errors.Error) as caught, database.read() as conn:
            conn.execute(sa.text("SELECT 'hidden' FROM no_such_table"))
        assert 'hidden' not in str(caught.value)
    with database.write() as conn:
        book(conn, 3)
    assert used(database) == 3
    assert database.engine.pool.checkedout() == 0


def test_reads_open_no_transaction(database):
    seen = []
    listener = lambda conn, cursor, statement, *rest: seen.append(statement)  # noqa: E731
    sa.event.listen(database.engine, 'before_cursor_execute', listener)
    try:
        assert used(database) is None
    finally:
        sa.event.remove(database.engine, 'before_cursor_execute', listener)
    assert len(seen) == 1
    with database.read() as conn:
        in_transaction = {
            'sqlite': lambda raw: raw.in_transaction, 'mysql': lambda raw: not raw.get_autocommit(),
            'postgresql': lambda raw: raw.get_transaction_status() != 0}[conn.dialect.name]
        conn.execute(sa.select(COUNTERS)).all()
        assert not in_transaction(conn._connection.connection.dbapi_connection)


def test_a_dead_pooled_connection_is_replaced(database):
    with database.write() as conn:
        book(conn, 1)
    for _ in range(2):
        if not kill_connections(database):
            return
        assert used(database) == 1
        kill_connections(database)
        with database.write() as conn:
            add(conn, 1, 'cores')
        kill_connections(database)
        database.transaction(add, -1, 'cores')


def test_a_transaction_whose_connection_dies_is_done_again(database):
    tries = []

    def once_killed(conn):
        tries.append(1)
        book(conn, 1)
        if len(tries) == 1 and not kill_connections(database):
            raise Contended()
        add(conn, 1, 'cores')

    database.transaction(once_killed)
    assert (used(database), len(tries)) == (2, 2)


def test_counting_in_parallel_loses_nothing(database):
    with database.write() as conn:
        book(conn, 0)

    def count():
        for _ in range(20):
            database.transaction(add, 1, 'cores')

    in_threads(*[count] * 4)
    assert used(database) == 80


def test_changes_of_one_json_column_in_parallel_all_last(database):
    stored = rows.server()
    database.transaction(servers.insert, [stored])

    def put(worker):
        for number in range(10):
            key = f'{worker}.{number}'
            database.transaction(servers.change, stored['uuid'], 'metadata',
                                 lambda old, key=key: {**old, key: 'x'})

    in_threads(*[lambda worker=worker: put(worker) for worker in range(4)])
    with database.read() as conn:
        assert len(servers.get(conn, stored['uuid']).metadata) == 40


def test_only_one_of_many_wins_a_guarded_change(database):
    stored = rows.server()
    database.transaction(servers.insert, [stored])
    start = threading.Barrier(5)
    won = []

    def claim(worker):
        start.wait(10)
        if database.transaction(servers.update_if, stored['uuid'], {'host': None}, host=worker):
            won.append(worker)

    in_threads(*[lambda worker=f'h{number}': claim(worker) for number in range(5)])
    with database.read() as conn:
        assert [servers.get(conn, stored['uuid']).host] == won


@pytest.mark.parametrize('savepoint', [False, True])
def test_a_deadlock_is_resolved_by_doing_it_again(database, savepoint):
    with database.write() as conn:
        book(conn, 0)
        book(conn, 0, 'ram')
    both_hold_one = threading.Barrier(2)
    tries = []

    def crosswise(conn, first, second):
        tries.append(first)
        add(conn, 1, first)
        if tries.count(first) == 1 and database.engine.dialect.name != 'sqlite':
            both_hold_one.wait(10)
        # MariaDB takes a savepoint away with the whole transaction.
        with conn.begin_nested() if savepoint else contextlib.nullcontext():
            add(conn, 1, second)

    in_threads(lambda: database.transaction(crosswise, 'cores', 'ram'),
               lambda: database.transaction(crosswise, 'ram', 'cores'))
    assert (used(database), used(database, 'ram')) == (2, 2)
    assert len(tries) == (2 if database.engine.dialect.name == 'sqlite' else 3)


def test_a_transaction_of_a_client_that_is_cut_off_is_ended(database, monkeypatch):
    if database.engine.dialect.name == 'sqlite':
        # It is a file: who holds its lock cannot be cut off from it.
        return
    with database.write() as conn:
        book(conn, 0)
    monkeypatch.setattr(silence, 'QUIET', 1)
    silent = open_database(database.engine.url.render_as_string(hide_password=False))
    done = threading.Event()

    def say_nothing():
        with pytest.raises(Unreachable), silent.write() as conn:
            add(conn, 10)
            held.set()
            assert done.wait(30)
            add(conn, 10)

    def go_on():
        assert held.wait(30)
        database.transaction(add, 1, 'cores')
        done.set()

    held = threading.Event()
    in_threads(say_nothing, go_on)
    assert used(database) == 1
    assert silent.transaction(used_in) == 1
    silent.dispose()


def test_a_request_with_a_key_may_be_quiet_for_longer(database, monkeypatch):
    if database.engine.dialect.name != 'postgresql':
        return
    monkeypatch.setattr(silence, 'QUIET', 1)
    patient = open_database(database.engine.url.render_as_string(hide_password=False))
    shown = []
    patient.together(lambda: patient.transaction(lambda conn: shown.append(
        conn.exec_driver_sql('SHOW idle_in_transaction_session_timeout').scalar())), lambda conn, result: None)
    with patient.read() as conn:
        shown.append(conn.scalar(sa.text('SHOW idle_in_transaction_session_timeout')))
    assert shown == [f'{silence.QUIET_TOGETHER // 60}min', '1s']
    patient.dispose()


def test_connections_notice_that_the_server_is_cut_off(database):
    if database.engine.dialect.name != 'postgresql':
        return
    with database.engine.connect() as conn:
        found = conn.connection.dbapi_connection.info.dsn_parameters
    assert {name: found[name] for name in silence.KEEPALIVE} == silence.KEEPALIVE


def test_endless_contention_ends(database):
    impatient = open_database(database.engine.url.render_as_string(hide_password=False), db_max_retries=2)
    tries = []

    def never(conn):
        tries.append(1)
        raise Contended()

    with pytest.raises(errors.Unavailable):
        impatient.transaction(never)
    assert len(tries) == 2
    impatient.dispose()


def test_a_process_forked_with_open_connections_has_its_own(database):
    with database.write() as conn:
        book(conn, 1)
    assert used(database) == 1
    child = os.fork()
    if child == 0:
        try:
            database.transaction(add, 1, 'cores')
            os._exit(0 if used(database) == 2 else 1)
        except BaseException:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert used(database) == 2


@pytest.mark.parametrize('url', [
    'postgresql+psycopg2://nova:secret@127.0.0.1:1/nova', 'mysql+pymysql://nova:secret@127.0.0.1:1/nova',
    'sqlite:////no/such/directory/nova.sqlite'])
def test_a_database_that_is_not_there_is_unavailable(url, caplog):
    caplog.set_level('DEBUG')
    db = open_database(url)
    for use in (db.read, db.write):
        with pytest.raises(Unreachable) as caught, use() as conn:
            conn.execute(sa.select(COUNTERS))
        assert 'secret' not in str(caught.value)
    assert 'secret' not in caplog.text


@pytest.mark.parametrize('url', ['nonsense', 'mystery://user:secret@host/name', ''])
def test_a_useless_url_is_an_error_of_the_start(url):
    with pytest.raises(errors.StartError, match=r'\[database\] connection') as caught:
        assert open_database(url).engine
    assert 'secret' not in str(caught.value)


def test_sqlite_waits_for_another_process(tmp_path):
    path = tmp_path / 'one.sqlite'
    db = open_database(f'sqlite:///{path}')
    with db.write() as conn:
        conn.execute(sa.text('CREATE TABLE t (n INTEGER)'))
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute('BEGIN IMMEDIATE')
    tried = threading.Event()
    threading.Timer(0.6, lambda: (other.execute('COMMIT'), tried.set())).start()
    db.transaction(lambda conn: conn.execute(sa.text('INSERT INTO t VALUES (1)')))
    assert tried.is_set()
    with db.read() as conn:
        assert conn.scalar(sa.text('SELECT count(*) FROM t')) == 1
    other.close()
    db.dispose()


def test_importing_the_database_is_cheap():
    code = ('import sys, nova_lite.db, nova_lite.db.schema, nova_lite.db.queries.servers\n'
            'print(*[name for name in ("alembic", "psycopg2", "pymysql", "oslo_db.sqlalchemy.enginefacade")'
            ' if name in sys.modules])')
    assert subprocess.run([sys.executable, '-c', code], check=True, capture_output=True,
                          text=True).stdout.strip() == ''
