# SPDX-License-Identifier: Apache-2.0
"""The migrations make what tables.py says, once, on each database."""

import subprocess
import sys
import time

import pytest
import sqlalchemy as sa
from alembic import autogenerate, config, migration, script

from nova_lite import errors
from nova_lite.db import schema, tables
from tests.fixtures.database import KINDS, new_url, open_database

__all__ = ('new_url',)

pytestmark = pytest.mark.parametrize('new_url', KINDS, indirect=True)

UPGRADER = """
import sys
from nova_lite.db import schema
from tests.fixtures.database import open_database
db = open_database(sys.argv[1])
db.engine
print('ready', flush=True)
sys.stdin.readline()
print(schema.upgrade(db), schema.version(db))
"""


@pytest.fixture
def db(new_url):
    db = open_database(new_url)
    yield db
    db.dispose()


def test_an_empty_database_is_brought_to_head_once(db):
    assert schema.version(db) is None
    assert schema.upgrade(db) is True
    assert schema.version(db) == schema.head()
    assert schema.upgrade(db) is False


def test_the_migrations_make_exactly_the_tables(db):
    schema.upgrade(db)
    with db.engine.connect() as connection:
        context = migration.MigrationContext.configure(
            connection, opts={'compare_type': True, 'target_metadata': tables.metadata})
        differences = autogenerate.compare_metadata(context, tables.metadata)
        # Alembic misses that an index with NULLS FIRST is the same if the table says it as an operator class.
        indexes = {kind: {str(sa.schema.CreateIndex(one[1]).compile(connection))
                          for one in differences if one[0] == kind} for kind in ('remove_index', 'add_index')}
        assert indexes['remove_index'] == indexes['add_index']
        assert [one for one in differences if one[0] not in indexes] == []


def test_a_half_made_database_is_finished(db):
    schema.upgrade(db)
    with db.write() as conn:
        conn.execute(sa.text('DROP TABLE quota_usages'))
        conn.execute(sa.text('DROP TABLE alembic_version'))
        next(index for index in tables.servers.indexes if index.name == 'ix_servers_by_updated_at').drop(conn)
    assert schema.upgrade(db) is True
    with db.engine.connect() as connection:
        assert sa.inspect(connection).has_table('quota_usages')
        assert 'ix_servers_by_updated_at' in {index['name'] for index in sa.inspect(connection).get_indexes('servers')}


def test_processes_that_start_at_once_all_succeed(db, new_url):
    starters = [subprocess.Popen([sys.executable, '-c', UPGRADER, new_url], text=True, stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(3)]
    try:
        for process in starters:
            assert process.stdout.readline() == 'ready\n', process.stderr.read()
        for process in starters:
            process.stdin.write('\n')
            process.stdin.flush()
        said = []
        for process in starters:
            out, err = process.communicate(timeout=60)
            assert process.returncode == 0, err
            said.append(out.split())
    finally:
        for process in starters:
            process.kill()
            process.wait()
    assert sorted(said) == [['False', schema.head()], ['False', schema.head()], ['True', schema.head()]]


def test_a_newer_database_is_refused_with_a_sentence(db):
    schema.upgrade(db)
    with db.write() as conn:
        conn.execute(sa.update(schema.STAMP).values(version_num='9999'))
    with pytest.raises(errors.StartError, match='9999'):
        schema.upgrade(db)
    with pytest.raises(errors.StartError, match='9999'):
        schema.check(db)


def test_check_wants_the_newest_version(db):
    with pytest.raises(errors.StartError, match='nova-manage db sync'):
        schema.check(db)
    schema.upgrade(db)
    schema.check(db)


def test_a_current_database_is_recognised_quickly(db):
    schema.upgrade(db)
    best = 1.0
    for _ in range(5):
        begin = time.perf_counter()
        schema.upgrade(db)
        best = min(best, time.perf_counter() - begin)
    assert best < 0.02


def test_the_list_of_revisions_is_that_of_the_scripts(db):
    setup = config.Config()
    setup.set_main_option('script_location', 'nova_lite.db:migrations')
    scripts = script.ScriptDirectory.from_config(setup)
    assert tuple(reversed([step.revision for step in scripts.walk_revisions()])) == schema.REVISIONS
