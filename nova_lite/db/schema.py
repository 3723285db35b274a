# SPDX-License-Identifier: Apache-2.0
"""Makes and upgrades the tables, once, however many processes start at the same time.

A process that finds the newest version stamped is done after one query; only an upgrade pays for
importing Alembic.
"""

import contextlib
import hashlib
import time
from collections.abc import Iterator

import sqlalchemy as sa

from nova_lite import errors
from nova_lite.db.engine import Conn, Contended, Database

# Every revision in its order; a test compares this with the scripts.
REVISIONS = ('0001', '0002', '0003', '0004', '0005', '0006', '0007', '0008', '0009', '0010', '0011', '0012',
             '0013', '0014')
STAMP = sa.table('alembic_version', sa.column('version_num', sa.String(32)))
# Any number, as long as it is always the same.
_POSTGRESQL_LOCK = 0x6E6F7661
WAIT = 120.0


def head() -> str:
    """The version that this code works with."""
    return REVISIONS[-1]


def version(db: Database) -> str | None:
    """The version of the database; None if it has no tables yet."""
    with db.read() as conn:
        return _stamped(conn) if conn.has_table(STAMP.name) else None


def _stamped(conn: Conn) -> str | None:
    return conn.scalar(sa.select(STAMP.c.version_num))


def is_current(db: Database) -> bool:
    """Whether there is nothing to upgrade; ``StartError`` for a database that a newer release has upgraded."""
    return _is_current(version(db))


def upgrade(db: Database) -> bool:
    """Bring the database to ``head()``; whether there was anything to do.

    Raises ``StartError`` for a database that a newer release has upgraded.
    """
    if is_current(db):
        return False
    deadline = time.monotonic() + WAIT
    while True:
        try:
            return _upgrade_locked(db)
        except Contended:
            # SQLite only: another process upgrades, or writes.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _is_current(present: str | None) -> bool:
    if present is not None and present not in REVISIONS:
        raise errors.StartError(
            f'The database has schema version {present}, this release knows versions up to {head()}: '
            'start the release that upgraded the database, or a newer one.')
    return present == head()


def _upgrade_locked(db: Database) -> bool:
    with db.write() as conn, _alone(conn):
        present = _stamped(conn) if sa.inspect(conn).has_table(STAMP.name) else None
        if _is_current(present):
            return False
        _migrate(conn)
        return True


@contextlib.contextmanager
def _alone(conn: sa.Connection) -> Iterator[None]:
    """Nobody else upgrades; on SQLite that is so in every transaction that writes."""
    if conn.dialect.name == 'postgresql':
        conn.execute(sa.select(sa.func.pg_advisory_xact_lock(_POSTGRESQL_LOCK)))
        yield
    elif conn.dialect.name in ('mysql', 'mariadb'):
        # The locks of one server are shared by all of its databases.
        database = str(conn.engine.url.database).encode()
        name = 'nova_lite.' + hashlib.sha256(database).hexdigest()[:32]
        if conn.scalar(sa.select(sa.func.get_lock(name, int(WAIT)))) != 1:
            raise errors.StartError(f'Another process has upgraded the database for {WAIT:.0f} seconds.')
        try:
            yield
        finally:
            if not conn.invalidated:
                conn.scalar(sa.select(sa.func.release_lock(name)))
    else:
        yield


def _migrate(conn: sa.Connection) -> None:
    # Importing it takes longer than everything else here.
    from alembic import command, config

    setup = config.Config()
    setup.set_main_option('script_location', 'nova_lite.db:migrations')
    setup.attributes['connection'] = conn
    command.upgrade(setup, 'head')


def check(db: Database) -> None:
    """``StartError`` unless the database is exactly at ``head()``, for a process that may not change it."""
    present = version(db)
    if not _is_current(present):
        raise errors.StartError(f'The database has schema version {present or "none"}, {head()} is needed: '
                                'run nova-manage db sync.')


