# SPDX-License-Identifier: Apache-2.0
"""Extra specs that ask for something of a host, and the small language in which their values say it.

Source: "Compute schedulers" in the administrator's guide.  A value without an operator is wanted as it is.
"""

import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from nova_lite.db.queries.host_rules import Nowhere, Rule, Tells
from nova_lite.model import extra_specs
from nova_lite.scheduler.filters.base import FACTS, Filter, Found, View
from nova_lite.scheduler.request import HostState, Request

Compare = Callable[[Any, Any], bool]
# The first two of these are what they look like to nobody: "=" is "at least".
_NUMBERS: dict[str, Compare] = {'=': operator.ge, '==': operator.eq, '!=': operator.ne, '>=': operator.ge,
                                '<=': operator.le}
_TEXTS: dict[str, Compare] = {'s==': operator.eq, 's!=': operator.ne, 's<': operator.lt, 's<=': operator.le,
                              's>': operator.gt, 's>=': operator.ge}
CAPABILITIES = 'capabilities'


def matches(had: object, wanted: str) -> bool:
    """Whether what a host has is what the value of an extra spec asks for."""
    text, (first, *rest) = str(had), str(wanted).split() or ['']
    if first == '<or>':
        return text in (word for word in rest if word != '<or>')
    if not rest or first not in {*_NUMBERS, *_TEXTS, '<in>', '<all-in>'}:
        return text == wanted
    if first == '<in>':
        return rest[0] in text
    if first == '<all-in>':
        return all(word in text for word in rest)
    if first in _TEXTS:
        return _TEXTS[first](text, rest[0])
    try:
        return _NUMBERS[first](float(text), float(rest[0]))
    except ValueError:
        return False


def without_namespace(specs: Mapping[str, str]) -> dict[str, str]:
    """The extra specs that old flavors have: any host, or aggregate, has to have the same."""
    return {name: value for name, value in specs.items() if ':' not in name and name not in extra_specs.NAMES}


def _scoped(request: Request) -> dict[str, str]:
    return {name.partition(':')[2]: value for name, value in request.extra_specs.items()
            if name.startswith(CAPABILITIES + ':')}


def capabilities(host: HostState, request: Request, view: View) -> Found:
    """The host is what the extra specs say."""
    # A name alone may be meant for anybody: it counts if the host knows it.
    plain = {name: wanted for name, wanted in without_namespace(request.extra_specs).items() if name in host.facts}
    for name, wanted in {**plain, **_scoped(request)}.items():
        had: Any = host.facts
        for part in name.split(':'):
            had = had.get(part) if isinstance(had, Mapping) else None
        if had is None or not matches(had, wanted):
            return f'{name} {wanted}', 'nothing' if had is None else had
    return None


def _has_capabilities(request: Request, view: View) -> bool:
    return bool(_scoped(request) or without_namespace(request.extra_specs))


def demands(request: Request) -> Iterable[Rule]:
    """Traits and resources that are asked for by name; no filter has to be enabled for them."""
    for name, value in request.extra_specs.items():
        namespace, colon, what = name.partition(':')
        if not colon:
            continue
        if namespace.startswith('trait'):
            yield _trait(what, required=value == 'required')
        elif namespace.startswith('resources') and what not in ('VCPU', 'MEMORY_MB', 'DISK_GB') and str(value) != '0':
            yield Rule('resource', what, Nowhere())
    for name, value in request.image_properties.items():
        if name.startswith('trait:') and value == 'required':
            yield _trait(name.partition(':')[2], required=True)


def _trait(name: str, required: bool) -> Rule:
    # As it stands in the JSON text of the list.
    return Rule('trait' if required else 'no trait', name, Tells('traits', (f'"{name}"',), there=required))


FILTERS: dict[str, Filter] = {
    'ComputeCapabilitiesFilter': Filter(capabilities, applies=_has_capabilities, needs=frozenset((FACTS,))),
}
