# SPDX-License-Identifier: Apache-2.0
"""Connections to the database: reads without transactions, writes in exactly one.

Every connection of the pool is in autocommit mode.  A read is therefore one round trip and leaves
nothing to roll back, and a write says BEGIN and COMMIT itself, with the words that its database
wants.  A connection that died in the pool shows at a read or at BEGIN, where doing it again on a
new one cannot do anything twice.
"""

import contextlib
import logging
import os
import random
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Concatenate, ParamSpec, TypeVar

import sqlalchemy as sa
from oslo_config import cfg
from oslo_db import exception as db_exc
from oslo_db import options
from sqlalchemy.dialects import plugins

from nova_lite import errors, telemetry
from nova_lite.db import patterns, silence, tables
from nova_lite.db.lean import engines
from nova_lite.db.unit import CURRENT, Unit

LOG = logging.getLogger(__name__)
P = ParamSpec('P')
T = TypeVar('T')

_BEGIN = {'sqlite': 'BEGIN IMMEDIATE', 'postgresql': 'BEGIN ISOLATION LEVEL READ COMMITTED'}
_SNAPSHOT = {
    'sqlite': ('BEGIN',), 'postgresql': ('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY',),
    'mysql': ('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ',
              'START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY'),
}
_SQLITE_PRAGMAS = (
    # Short, because SQLite sleeps in C and would stop every green thread; transaction() waits longer.
    'PRAGMA busy_timeout=250', 'PRAGMA synchronous=NORMAL', 'PRAGMA foreign_keys=ON',
    'PRAGMA temp_store=MEMORY', 'PRAGMA cache_size=-8000',
)
_PLUGIN = 'nova_lite'
# More writers than this wait in the process: a connection beyond the pool would be opened and closed for a
# single transaction, which costs more than the transaction.
_KEPT_CONNECTIONS = 20
# serialization failure, deadlock, lock not available
_CONTENTION_CODES = frozenset(('40001', '40P01', '55P03'))
# deadlock, lock wait timeout, record changed, NOWAIT refused
_CONTENTION_NUMBERS = frozenset(((1213,), (1205,), (1020,), (3572,)))
# A savepoint that is not there: MariaDB takes it away with a transaction that it ends, and hides the reason behind it.
_NO_SAVEPOINT = (1305,)
# server stops, crashed, starts, too many connections, the transaction was quiet for too long; PostgreSQL's class 08 is
# trouble with the connection itself
_GONE_CODES = frozenset(('57P01', '57P02', '57P03', '53300', '25P03'))


class Duplicate(errors.Conflict):
    """A row with the same key exists; ``columns`` names the key as far as the database tells it."""

    message = 'A row with the same {columns} exists.'


class Contended(errors.Unavailable):
    """Another transaction was in the way; doing it again from the start may work."""

    message = 'The database is busy, try again.'


class Unreachable(errors.Unavailable):
    """The database does not answer."""

    message = 'The database does not answer.'


class _LostAtCommit(Unreachable):
    """Nobody knows whether the transaction was committed, so nobody may do it again."""


def set_defaults() -> None:
    """The defaults of oslo.db's options as they are with us."""
    cfg.set_defaults(options.database_opts, max_pool_size=_KEPT_CONNECTIONS)


class PoolPlugin(sa.engine.CreateEnginePlugin):
    """The arguments of ``sqlalchemy.create_engine`` that oslo.db has no parameter for."""

    def __init__(self, url: sa.URL, kwargs: dict[str, Any]) -> None:
        # A ping at each checkout would be a round trip per request; dead connections are retried.
        kwargs.update(pool_pre_ping=False, pool_reset_on_return=None, isolation_level='AUTOCOMMIT',
                      skip_autocommit_rollback=True)
        if kwargs.get('poolclass') is sa.NullPool:
            # oslo.db opens an SQLite file anew each time, which costs more than most queries.
            kwargs.update(poolclass=sa.QueuePool, max_overflow=50)

    def update_url(self, url: sa.URL) -> sa.URL:
        """Take our name out again: a driver would not know it."""
        return url.difference_update_query(['plugin'])


plugins.register(_PLUGIN, __name__, PoolPlugin.__name__)


class Reader:
    """A connection for reads: each statement stands alone and may be repeated."""

    __slots__ = ('_connection', 'dialect')

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self.dialect = connection.dialect

    def execute(self, statement: sa.Executable, parameters: Any = None) -> sa.CursorResult[Any]:
        """Run one statement, a second time if its pooled connection had died."""
        try:
            return self._connection.execute(statement, parameters)
        except db_exc.DBConnectionError:
            # The pool has been emptied, so that this one is new.
            self._connection.rollback()
            return self._connection.execute(statement, parameters)

    def scalar(self, statement: sa.Executable, parameters: Any = None) -> Any:
        """The first column of the first row, or None."""
        return self.execute(statement, parameters).scalar()

    def scalars(self, statement: sa.Executable, parameters: Any = None) -> sa.ScalarResult[Any]:
        """The first column of every row."""
        return self.execute(statement, parameters).scalars()

    def has_table(self, name: str) -> bool:
        """Whether the database has a table of this name."""
        return bool(sa.inspect(self._connection).has_table(name))


# What a query function takes: one that only reads does not mind which.
Conn = Reader | sa.Connection


class Database:
    """The database of ``[database] connection``; nothing is opened before the first use."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        set_defaults()
        conf.register_opts(options.database_opts, 'database')
        self._conf = conf.database
        if not self._conf.connection:
            raise errors.StartError('Set [database] connection, for example to '
                                    'postgresql+psycopg2://user:password@host/nova.')
        self._engine: sa.Engine | None = None
        self._pid = 0
        self._inherited: list[sa.Engine] = []
        self._lock = threading.Lock()
        # Writers of one process queue here, where a thread costs nothing, and not inside the database.
        self._writers: Any = contextlib.nullcontext()
        self._begin = ''

    @property
    def engine(self) -> sa.Engine:
        """The engine of this process."""
        if self._engine is None or self._pid != os.getpid():
            self._open()
        return self._engine

    def _open(self) -> None:
        with self._lock:
            if self._engine is not None and self._pid == os.getpid():
                return
            if self._engine is not None:
                # Closing the parent's sockets and files here would end them for the parent, too.
                self._inherited.append(self._engine)
            self._engine = create_engine(self._conf)
            self._begin = _BEGIN.get(self._engine.dialect.name, 'START TRANSACTION')
            writers = 1 if self._engine.dialect.name == 'sqlite' else self._conf.max_pool_size
            if writers:
                self._writers = threading.BoundedSemaphore(writers)
            self._pid = os.getpid()

    def dispose(self) -> None:
        """Close all connections that are not in use; call it before a fork."""
        if self._engine is not None and self._pid == os.getpid():
            self._engine.dispose()

    @contextlib.contextmanager
    def read(self) -> Iterator[Conn]:
        """A connection for statements that only read."""
        unit = self._unit()
        if unit is not None and unit.connection is not None:
            with _translated():
                yield unit.connection
            return
        with _translated():
            connection = self.engine.connect()
            try:
                yield Reader(connection)
            finally:
                connection.close()

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[sa.Connection]:
        """A connection whose reads all see the database at one moment."""
        with _translated(), self.engine.connect() as connection:
            for statement in _SNAPSHOT.get(connection.dialect.name, _SNAPSHOT['mysql']):
                connection.exec_driver_sql(statement)
            try:
                yield connection
            finally:
                _roll_back(connection)

    @contextlib.contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """One transaction, committed at the end of the block and rolled back if it raises."""
        unit = self._unit()
        if unit is None:
            with self._alone() as connection:
                yield connection
            return
        if unit.broken:
            raise Contended()
        with _translated(), unit.part() as connection:
            yield connection

    def _unit(self) -> Unit | None:
        unit = CURRENT.get()
        return unit if unit is not None and unit.owner is self else None

    def together(self, work: Callable[[], T], last: Callable[[sa.Connection, T], None]) -> T:
        """Do ``work`` as one transaction, whatever transactions it has, and ``last(connection, result)`` with it.

        Nothing of it is done if either raises.
        """
        unit = Unit(self, self._patient)
        token = CURRENT.set(unit)
        try:
            result = work()
            self.transaction(last, result)
            unit.commit()
        except BaseException:
            unit.undo()
            raise
        finally:
            CURRENT.reset(token)
        unit.follow_up()
        return result

    def apart(self, function: Callable[Concatenate[sa.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Like ``transaction``, but what it writes stays, whatever becomes of the ``together`` around it.

        One that has written something by now it joins all the same: SQLite has one writer.
        """
        unit = self._unit()
        if unit is None or unit.connection is not None:
            return self.transaction(function, *args, **kwargs)
        token = CURRENT.set(None)
        try:
            return self.transaction(function, *args, **kwargs)
        finally:
            CURRENT.reset(token)

    def after_commit(self, action: Callable[[], None]) -> None:
        """Do something once what was written is there for others: at once, unless it is part of ``together``."""
        unit = self._unit()
        if unit is None:
            action()
        else:
            unit.afterwards(action)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[sa.Connection]:
        engine = self.engine
        with _translated(), self._writers:
            with engine.connect() as connection:
                try:
                    connection.exec_driver_sql(self._begin)
                except db_exc.DBConnectionError:
                    connection.rollback()
                    connection.exec_driver_sql(self._begin)
                try:
                    yield connection
                except BaseException:
                    _roll_back(connection)
                    raise
                self._commit(connection)

    @contextlib.contextmanager
    def _patient(self) -> Iterator[sa.Connection]:
        """Like ``_alone``, for what waits for others meanwhile."""
        with self._alone() as connection:
            silence.allow(connection)
            try:
                yield connection
            finally:
                with contextlib.suppress(db_exc.DBError, sa.exc.SQLAlchemyError):
                    silence.forbid(connection)

    @staticmethod
    def _commit(connection: sa.Connection) -> None:
        try:
            connection.exec_driver_sql('COMMIT')
        except db_exc.DBConnectionError as error:
            raise _LostAtCommit() from error
        except BaseException:
            _roll_back(connection)
            raise

    def transaction(self, function: Callable[Concatenate[sa.Connection, P], T],
                    *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``function(connection, …)`` in a transaction, again as long as others get in its way.

        The function must do nothing outside the database: it may run several times.
        """
        unit = self._unit()
        # What joins a transaction cannot be done again without it.
        attempts = max(1, self._conf.db_max_retries) if unit is None or unit.connection is None else 1
        for attempt in range(1, attempts + 1):
            try:
                with self.write() as connection:
                    return function(connection, *args, **kwargs)
            except Contended:
                if attempt == attempts:
                    raise
                time.sleep(random.uniform(0.2, 1) * min(0.5, 0.01 * 2 ** attempt))
            except Unreachable as error:
                if attempt > 1 or isinstance(error, _LostAtCommit):
                    raise
        raise Contended()


def create_engine(group: Any) -> sa.Engine:
    """An engine for the options of a ``[database]`` group."""
    try:
        url = sa.make_url(group.connection)
        if group.connection_parameters:
            url = url.update_query_string(group.connection_parameters, append=True)
        dialect = url.get_backend_name()
        if dialect in ('mysql', 'mariadb') and 'charset' not in url.query:
            url = url.update_query_dict({'charset': 'utf8mb4'})
        engine = engines.create_engine(
            silence.guarded(url).update_query_dict({'plugin': _PLUGIN}), mysql_sql_mode=group.mysql_sql_mode,
            mysql_wsrep_sync_wait=group.mysql_wsrep_sync_wait,
            connection_recycle_time=group.connection_recycle_time, connection_debug=group.connection_debug,
            max_pool_size=group.max_pool_size, max_overflow=group.max_overflow,
            pool_timeout=group.pool_timeout, connection_trace=group.connection_trace,
            # The first query finds out; a wait here would hold up the whole start.
            max_retries=0, thread_checkin=False)
    except (sa.exc.ArgumentError, ImportError) as error:
        # The text of the value is left out: it may hold a password.
        raise errors.StartError(f'[database] connection cannot be used: {type(error).__name__}. It must look '
                                'like postgresql+psycopg2://user:password@host/name, '
                                'mysql+pymysql://user:password@host/name or sqlite:////path.') from None
    _listen(engine)
    return engine


def _listen(engine: sa.Engine) -> None:
    if engine.dialect.name == 'sqlite':
        # oslo.db would BEGIN before every read.
        for listener in list(engine.dispatch.begin):
            sa.event.remove(engine, 'begin', listener)
        sa.event.listen(engine, 'connect', _prepare_sqlite)
    elif engine.dialect.name in ('mysql', 'mariadb'):
        sa.event.listen(engine, 'connect', _prepare_mysql)
    elif engine.dialect.name == 'postgresql':
        sa.event.listen(engine, 'connect', silence.prepare_postgresql)
    if telemetry.is_on():
        from nova_lite.db import traced
        traced.listen(engine)


def _prepare_sqlite(connection: Any, record: Any) -> None:
    for pragma in _SQLITE_PRAGMAS:
        connection.execute(pragma)
    _use_wal(connection)
    connection.create_function('regexp', 2, patterns.matches, deterministic=True)


def _use_wal(connection: Any) -> None:
    """Several processes that open a new file at once are in each other's way; SQLite does not wait here."""
    for _ in range(100):
        try:
            connection.execute('PRAGMA journal_mode=WAL')
            return
        except sqlite3.OperationalError as error:
            if 'locked' not in str(error):
                raise
            time.sleep(0.05)
    raise Contended()


def _prepare_mysql(connection: Any, record: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute('SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED')
    silence.prepare_mariadb(connection)


def _roll_back(connection: sa.Connection) -> None:
    if connection.invalidated:
        return
    try:
        connection.exec_driver_sql('ROLLBACK')
    except (db_exc.DBError, sa.exc.SQLAlchemyError):
        # The first error is the one to tell; a connection in an unknown state must not go back.
        connection.invalidate()


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except errors.Error:
        raise
    except (db_exc.DBError, sa.exc.SQLAlchemyError) as error:
        raise translate(error) from error


def translate(error: Exception) -> errors.Error:
    """Our word for an error of oslo.db or SQLAlchemy; the text never holds a statement or a value."""
    *_, cause = _causes(error)
    if isinstance(error, db_exc.DBDuplicateEntry):
        return Duplicate(columns=', '.join(duplicate_columns(error)))
    if isinstance(error, db_exc.DBDeadlock) or _contended(error):
        return Contended()
    if _is_unreachable(error):
        LOG.warning('The database does not answer: %s', cause)
        return Unreachable()
    if getattr(cause, 'pgcode', None) == '2201B' or cause.args[:1] == (1139,):
        return errors.Invalid('The database does not understand the regular expression.')
    return errors.Error(f'The database refused a statement ({type(cause).__name__}).')


def _is_unreachable(error: Exception) -> bool:
    if isinstance(error, (db_exc.DBConnectionError, db_exc.DBNonExistentDatabase, sa.exc.TimeoutError)):
        return True
    # Without a statement it comes from opening a connection.
    if getattr(error, 'connection_invalidated', False) or (
            isinstance(error, sa.exc.OperationalError) and error.statement is None):
        return True
    *_, cause = _causes(error)
    code = getattr(cause, 'pgcode', '')
    # A connection that is opened anew in place of a dead one fails in the name of the statement, but with no code.
    return code in _GONE_CODES or str(code).startswith('08') or (
        code is None and type(cause).__name__ in ('OperationalError', 'InterfaceError'))


def duplicate_columns(error: db_exc.DBDuplicateEntry) -> tuple[str, ...]:
    """The columns of the key that exists already, as far as the database tells."""
    # Only SQLite names columns; the others name the constraint.
    named = str(getattr(error.inner_exception, 'orig', error.inner_exception))
    for table in tables.metadata.tables.values():
        for constraint in table.constraints:
            if isinstance(constraint, sa.PrimaryKeyConstraint | sa.UniqueConstraint):
                name = sa.schema.conv(str(constraint.name))
                if re.search(rf'\b{re.escape(name)}\b', named):
                    return tuple(column.name for column in constraint.columns)
    return tuple(error.columns)


def _contended(error: Exception) -> bool:
    return any(
        getattr(cause, 'pgcode', None) in _CONTENTION_CODES or cause.args[:1] in _CONTENTION_NUMBERS
        or cause.args[:1] == ('database is locked',) for cause in _causes(error))


def _causes(error: Any) -> Iterator[Any]:
    """The error, what SQLAlchemy made it from, and what the driver raised."""
    while error is not None:
        yield error
        hidden = error.__context__ if getattr(error, 'args', ())[:1] == _NO_SAVEPOINT else None
        error = getattr(error, 'orig', None) or getattr(error, 'inner_exception', None) or hidden
