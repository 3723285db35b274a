# SPDX-License-Identifier: Apache-2.0
"""Which hosts can take a server, and why the others cannot.

``_reasons`` is the one list of why a host is out of question: its conditions narrow the candidates, and its words
explain why there are none.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import functions

from nova_lite.db import tables
from nova_lite.db.conditions import contains
from nova_lite.db.engine import Conn
from nova_lite.db.queries import host_rules
from nova_lite.db.queries.hosts import JOIN, Wanted

HOSTS = tables.hosts
SERVICES = tables.services
AGGREGATES = tables.aggregates
MEMBERS = tables.aggregate_hosts

FREE_VCPUS = HOSTS.c.vcpus_limit - HOSTS.c.vcpus_used
FREE_DISK = HOSTS.c.local_gb_limit - HOSTS.c.local_gb_used
#: What hosts can be read by, the most of it first. Only the memory has an index.
ORDERS: dict[str, Any] = {
    'memory': HOSTS.c.memory_mb_free, 'vcpus': FREE_VCPUS, 'disk': FREE_DISK, 'servers': HOSTS.c.servers}


class _JsonTexts(functions.FunctionElement[str]):
    """A JSON array of the texts of a group."""

    type = sa.Text()
    inherit_cache = True


@compiles(_JsonTexts)
def _json_texts(element: Any, compiler: Any, **kw: Any) -> str:
    return f'json_group_array({compiler.process(element.clauses, **kw)})'


@compiles(_JsonTexts, 'postgresql')
def _json_texts_postgresql(element: Any, compiler: Any, **kw: Any) -> str:
    return f'json_agg({compiler.process(element.clauses, **kw)})::text'


@compiles(_JsonTexts, 'mysql')
@compiles(_JsonTexts, 'mariadb')
def _json_texts_mysql(element: Any, compiler: Any, **kw: Any) -> str:
    return f'json_arrayagg({compiler.process(element.clauses, **kw)})'


# The zone is one entry of an aggregate's metadata, which is stored as compact JSON text.
_METADATA = sa.type_coerce(AGGREGATES.c.metadata, sa.Text)
_ZONE_KEY = '"availability_zone":'
_OF_HOST = sa.and_(MEMBERS.c.host == HOSTS.c.host, AGGREGATES.c.id == MEMBERS.c.aggregate_id)
_SNAPSHOT = (
    HOSTS.c.id, HOSTS.c.host, HOSTS.c.hypervisor_hostname, HOSTS.c.vcpus_limit, HOSTS.c.vcpus_used,
    HOSTS.c.memory_mb_limit, HOSTS.c.memory_mb_used, HOSTS.c.local_gb_limit, HOSTS.c.local_gb_used,
    HOSTS.c.servers, HOSTS.c.failed_builds, SERVICES.c.disabled, SERVICES.c.forced_down, SERVICES.c.last_seen_at,
    host_rules.IO_OPS.label('io_ops'),
    sa.select(_JsonTexts(_METADATA)).where(_OF_HOST).correlate(HOSTS).scalar_subquery().label('aggregates'))
_FACTS = (
    HOSTS.c.uuid, HOSTS.c.service_id, HOSTS.c.host_ip, HOSTS.c.hypervisor_type, HOSTS.c.hypervisor_version,
    HOSTS.c.cpu_info, HOSTS.c.traits, HOSTS.c.vcpus, HOSTS.c.memory_mb, HOSTS.c.local_gb,
    HOSTS.c.disk_available_least)


#: Hosts that are named of those that are out.
EXAMPLES = 50


class Count(NamedTuple):
    """How many hosts are out for a reason; least and most of what they have of what was wanted."""

    reason: str
    wanted: object
    number: int
    most: int | None
    least: int | None = None


class Rejections(NamedTuple):
    """Why no host will do; ``examples`` are (host, reason, wanted, had) of some."""

    hosts: int
    counts: tuple[Count, ...]
    examples: tuple[tuple[str, str, object, int | None], ...]


class _Reason(NamedTuple):
    """Why a host is out: those that the condition holds for; ``had`` is what they have of it."""

    name: str
    out: sa.ColumnElement[bool]
    wanted: object = None
    had: sa.ColumnElement[Any] | None = None


def metadata_of(aggregates: str | None) -> list[Mapping[str, str]]:
    """The metadata that ``aggregates`` of a row of ``page`` has."""
    return [orjson.loads(text) for text in orjson.loads(aggregates)] if aggregates else []


def _in_zone(conn: Conn, wanted: Wanted) -> sa.ColumnElement[bool]:
    if wanted.zone == wanted.default_zone:
        return sa.not_(sa.exists().where(_OF_HOST, contains(conn, _METADATA, _ZONE_KEY)))
    entry = _ZONE_KEY + orjson.dumps(wanted.zone).decode()
    return sa.exists().where(_OF_HOST, contains(conn, _METADATA, entry))


def _reasons(conn: Conn, wanted: Wanted) -> list[_Reason]:
    """In the order in which they count: a host is out for the first that holds."""
    reasons: list[_Reason] = []
    if wanted.leaving is not None:
        reasons.append(_Reason('leaving', HOSTS.c.host == wanted.leaving))
    if wanted.tried:
        reasons.append(_Reason('tried', HOSTS.c.host.in_(wanted.tried)))
    reasons.append(_Reason('down', sa.or_(
        SERVICES.c.forced_down, SERVICES.c.last_seen_at.is_(None), SERVICES.c.last_seen_at < wanted.alive_since)))
    if not wanted.disabled_too:
        reasons.append(_Reason('disabled', SERVICES.c.disabled))
    if wanted.zone is not None:
        reasons.append(_Reason('zone', sa.not_(_in_zone(conn, wanted)), wanted.zone))
    if wanted.together:
        reasons.append(_Reason('affinity', HOSTS.c.host.not_in(wanted.together)))
    if wanted.apart:
        reasons.append(_Reason('anti-affinity', HOSTS.c.host.in_(wanted.apart)))
    reasons += [_Reason(rule.filter, sa.not_(host_rules.condition(conn, rule.test)), rule.wanted,
                        host_rules.had(rule.test)) for rule in wanted.rules]
    return [
        *reasons,
        _Reason('memory', HOSTS.c.memory_mb_free < wanted.memory_mb, wanted.memory_mb, HOSTS.c.memory_mb_free),
        _Reason('vcpus', FREE_VCPUS < wanted.vcpus, wanted.vcpus, FREE_VCPUS),
        _Reason('disk', FREE_DISK < wanted.local_gb, wanted.local_gb, FREE_DISK),
    ]


def _named(wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    named = []
    if wanted.host is not None:
        named.append(HOSTS.c.host == wanted.host)
    if wanted.node is not None:
        named.append(HOSTS.c.hypervisor_hostname == wanted.node)
    return named


class Pages(NamedTuple):
    """In which order hosts are read, and what of them beside what every decision needs."""

    by: str = 'memory'
    most_first: bool = True
    with_facts: bool = False


def page(conn: Conn, wanted: Wanted, limit: int, pages: Pages = Pages(),  # noqa: B008 - it cannot change
         after: tuple[int, int] | None = None) -> Sequence[sa.Row[Any]]:
    """Hosts that can take the server; ``after`` is (position, id) of the last one seen."""
    if after is None and _is_plain(wanted):
        return conn.execute(_plain(limit, pages), {
            'vcpus': wanted.vcpus, 'memory_mb': wanted.memory_mb, 'local_gb': wanted.local_gb,
            'alive_since': wanted.alive_since}).all()
    return conn.execute(_page(conn, wanted, limit, pages, after)).all()


def _is_plain(wanted: Wanted) -> bool:
    return not (wanted.zone or wanted.host or wanted.node or wanted.tried or wanted.disabled_too or wanted.leaving
                or wanted.together or wanted.apart or wanted.rules)


@functools.lru_cache(32)
def _plain(limit: int, pages: Pages) -> sa.Select[Any]:
    """The commonest statement: to build it anew costs as much as the rest of it."""
    anything: Any = {name: sa.bindparam(name) for name in ('vcpus', 'memory_mb', 'local_gb', 'alive_since')}
    return _page(None, Wanted(**anything), limit, pages, None)


def _page(conn: Any, wanted: Wanted, limit: int, pages: Pages, after: tuple[int, int] | None) -> sa.Select[Any]:
    key = ORDERS[pages.by]
    columns = [*_SNAPSHOT, key.label('position'), *(_FACTS if pages.with_facts else ())]
    query = sa.select(*columns).select_from(JOIN).where(
        *_named(wanted), *(sa.not_(reason.out) for reason in _reasons(conn, wanted)))
    if after is not None:
        # Spelt out, because MariaDB uses no index for a comparison of tuples.
        position, row_id = after
        less = key < position if pages.most_first else key > position
        tie = HOSTS.c.id < row_id if pages.most_first else HOSTS.c.id > row_id
        query = query.where(sa.or_(less, sa.and_(key == position, tie)))
    order = (column.desc() if pages.most_first else column for column in (key, HOSTS.c.id))
    return query.order_by(*order).limit(limit)


def exist(conn: Conn, wanted: Wanted) -> bool:
    """Whether any host can take the server, as far as SQL can say."""
    query = sa.select(HOSTS.c.id).select_from(JOIN).where(
        *_named(wanted), *(sa.not_(reason.out) for reason in _reasons(conn, wanted)))
    return conn.execute(query.limit(1)).first() is not None


def rejections(conn: Conn, wanted: Wanted) -> Rejections:
    """Why hosts are not in any ``page``."""
    reasons = _reasons(conn, wanted)
    # The number of the reason, because two rules of one filter want different things.
    number = sa.case(*((reason.out, index) for index, reason in enumerate(reasons)), else_=-1).label('reason')
    had = sa.case(*((reason.out, sa.null() if reason.had is None else reason.had) for reason in reasons),
                  else_=sa.null()).label('had')
    judged = sa.select(HOSTS.c.host, number, had).select_from(JOIN).where(*_named(wanted)).subquery()
    grouped = conn.execute(sa.select(
        judged.c.reason, sa.func.count(), sa.func.max(judged.c.had), sa.func.min(judged.c.had))
        .group_by(judged.c.reason).order_by(judged.c.reason)).all()
    named = conn.execute(sa.select(judged.c.host, judged.c.reason, judged.c.had)
                         .where(judged.c.reason >= 0).order_by(judged.c.host).limit(EXAMPLES)).all()
    return Rejections(
        sum(row[1] for row in grouped),
        tuple(Count(reasons[index].name, reasons[index].wanted, count, most, least)
              for index, count, most, least in grouped if index >= 0),
        tuple((host, reasons[index].name, reasons[index].wanted, value) for host, index, value in named))
