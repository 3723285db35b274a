# SPDX-License-Identifier: Apache-2.0
"""What the owner of a server hints at: other servers, an address, a query."""

import ipaddress
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson

from nova_lite.db.queries.host_rules import Named, Test
from nova_lite.scheduler.filters.base import FACTS, PLACES, Filter, Found, View, texts
from nova_lite.scheduler.request import HostState, Request

SAME, DIFFERENT, NEAR, CIDR, QUERY = 'same_host', 'different_host', 'build_near_host_ip', 'cidr', 'query'
SERVER_HINTS = (SAME, DIFFERENT)
_DEEPEST = 30


def _has(hint: str) -> Callable[[Request, View], bool]:
    def applies(request: Request, view: View) -> bool:
        return bool(request.hints.get(hint))

    return applies


def _places(request: Request, view: View, hint: str) -> tuple[str, ...]:
    return tuple(sorted({view.places[uuid] for uuid in texts(request.hints.get(hint)) if uuid in view.places}))


def same_host(request: Request, view: View) -> Iterable[tuple[object, Test]]:
    """One of the servers is on the host."""
    yield f'the host of {" or ".join(texts(request.hints[SAME]))}', Named(_places(request, view, SAME))


def different_host(request: Request, view: View) -> Iterable[tuple[object, Test]]:
    """None of the servers is on the host."""
    yield (f'not the host of {" or ".join(texts(request.hints[DIFFERENT]))}',
           Named(_places(request, view, DIFFERENT), among=False))


def near(host: HostState, request: Request, view: View) -> Found:
    """The address of the host is in the network of the hinted one."""
    text = f'{request.hints[NEAR]}{request.hints.get(CIDR) or "/24"}'
    try:
        network = ipaddress.ip_network(text, strict=False)
        address = ipaddress.ip_address(host.facts['host_ip'])
    except ValueError as error:
        return f'near {text}', str(error)
    return None if address in network else (f'near {network}', 'elsewhere')


class _NotUnderstood(ValueError):
    """A query that means nothing."""


def _compare(holds: Callable[[Any, Any], bool]) -> Callable[[list[Any]], bool]:
    def compare(values: list[Any]) -> bool:
        try:
            return len(values) > 1 and all(holds(values[0], value) for value in values[1:])
        except TypeError:
            return False

    return compare


_OPERATORS: dict[str, Callable[[list[Any]], bool]] = {
    '=': _compare(operator.eq), '<': _compare(operator.lt), '>': _compare(operator.gt),
    '<=': _compare(operator.le), '>=': _compare(operator.ge),
    'in': lambda values: bool(values) and values[0] in values[1:],
    'not': lambda values: not any(values), 'or': any, 'and': all,
}


def query(host: HostState, request: Request, view: View) -> Found:
    """The query is true of the host."""
    asked = request.hints[QUERY]
    try:
        parsed = orjson.loads(asked) if isinstance(asked, str) else asked
        return None if _value(parsed, host.facts, 0) else ('true of the query', 'not true')
    except ValueError as error:
        return 'a query that can be understood', str(error)


def _value(part: Any, facts: Mapping[str, Any], depth: int) -> Any:
    """What a part of a query means: ``["operator", part, …]``, ``"$fact.entry"``, or itself."""
    if isinstance(part, str) and part.startswith('$'):
        found: Any = facts
        for name in part[1:].split('.'):
            found = found.get(name) if isinstance(found, Mapping) else None
        return found
    if not isinstance(part, list | dict):
        return part
    if depth > _DEEPEST:
        raise _NotUnderstood(f'it is nested more than {_DEEPEST} times')
    if not isinstance(part, list) or not part or not isinstance(part[0], str) or part[0] not in _OPERATORS:
        raise _NotUnderstood(f'a list in it begins with none of {", ".join(_OPERATORS)}')
    return _OPERATORS[part[0]]([_value(one, facts, depth + 1) for one in part[1:]])


FILTERS: dict[str, Filter] = {
    'SameHostFilter': Filter(rules=same_host, applies=_has(SAME), needs=frozenset((PLACES,))),
    'DifferentHostFilter': Filter(rules=different_host, applies=_has(DIFFERENT), needs=frozenset((PLACES,))),
    'SimpleCIDRAffinityFilter': Filter(near, applies=_has(NEAR), needs=frozenset((FACTS,))),
    'JsonFilter': Filter(query, applies=_has(QUERY), needs=frozenset((FACTS,))),
}
