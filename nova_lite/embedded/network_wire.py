# SPDX-License-Identifier: Apache-2.0
"""What all resources of the Networking API have in common: who asks, what a body may say, how a list is cut.

A list is filtered by whatever attribute the query names, so that filters need no table of their own.
"""

import datetime
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import webob
from oslo_utils import uuidutils

from nova_lite import errors
from nova_lite.embedded import http

BODY_LIMIT = 1 << 20
LONGEST = 255
#: What a project may have of a resource without a limit of its own.
UNLIMITED = -1
WRITERS = frozenset(('admin', 'manager', 'member'))
#: Of a query, beside the attributes to filter by.
_PAGING = frozenset(('fields', 'limit', 'marker', 'page_reverse', 'sort_key', 'sort_dir'))

Entry = dict[str, Any]
Check = Callable[[str, Any], Any]

# --------------------------------------------------------------------- who


def caller(request: webob.Request) -> Any:
    """The context of the request."""
    context = request.environ.get('nova.context')
    if context is None:
        raise errors.Unauthenticated()
    return context


def writer(request: webob.Request) -> Any:
    """The caller, if he has more than the reader's role; without Keystone nobody has a role."""
    context = caller(request)
    roles = {role.lower() for role in context.roles or ()}
    if not context.is_admin and roles and not roles & WRITERS:
        raise errors.Forbidden(f'Changing networks needs one of the roles {", ".join(sorted(WRITERS))}.')
    return context


def owned(context: Any, row: Any, missing: errors.Error) -> Any:
    """The row, if the caller may change it."""
    if row is None:
        raise missing
    if not context.is_admin and row.project_id != context.project_id:
        raise errors.Forbidden(f'{row.id} belongs to another project.')
    return row


def project_of(context: Any, values: Mapping[str, Any]) -> str:
    """The project for which something is made: the caller's, or one that an administrator names."""
    asked = values.get('project_id', values.get('tenant_id'))
    if asked is None or asked == context.project_id:
        if not context.project_id:
            raise errors.Invalid(reason='The token names no project, and the body names none either.')
        return str(context.project_id)
    if not context.is_admin:
        raise errors.Forbidden('Only an administrator makes things for another project.')
    return str(asked)


# ------------------------------------------------------------------ bodies


def text(name: str, value: Any) -> str:
    """A string of the usual length."""
    if not isinstance(value, str) or len(value) > LONGEST:
        raise errors.Invalid(reason=f'{name} must be a string of at most {LONGEST} characters.')
    return value


def flag(name: str, value: Any) -> bool:
    """A boolean, perhaps written as text."""
    known = {'true': True, '1': True, 'false': False, '0': False}.get(str(value).lower())
    if known is None:
        raise errors.Invalid(reason=f'{name} must be true or false.')
    return known


def number(name: str, value: Any) -> int:
    """A whole number, perhaps written as text."""
    try:
        return int(value)
    except (TypeError, ValueError):
        raise errors.Invalid(reason=f'{name} must be a whole number.') from None


def identity(name: str, value: Any) -> str:
    """A UUID."""
    if not isinstance(value, str) or not uuidutils.is_uuid_like(value):
        raise errors.Invalid(reason=f'{name} must be a UUID.')
    return value


def texts(name: str, value: Any) -> list[str]:
    """A list of strings."""
    if not isinstance(value, list):
        raise errors.Invalid(reason=f'{name} must be a list.')
    return [text(name, one) for one in value]


def anything(name: str, value: Any) -> Any:
    """What changes nothing here."""
    return value


def needed(name: str, values: Mapping[str, Any]) -> Any:
    """An attribute without which nothing can be made."""
    if values.get(name) is None:
        raise errors.Invalid(reason=f'{name} must be given.')
    return values[name]


def or_none(check: Check) -> Check:
    """The same, or null."""
    return lambda name, value: None if value is None else check(name, value)


@dataclass(frozen=True)
class Body:
    """The attributes that a resource may be given: by everybody, and by administrators only."""

    key: str
    open: Mapping[str, Check]
    admin: Mapping[str, Check]

    def read(self, request: webob.Request, context: Any, known: Collection[str] | None = None) -> Entry:
        """The checked object of a body; ``known`` narrows the attributes down."""
        body = http.read_json(request, BODY_LIMIT)
        if not isinstance(body, dict) or not isinstance(body.get(self.key), dict):
            raise errors.Invalid(reason=f'The body must be an object with {self.key}.')
        return self._check(body[self.key], context, known)

    def create(self, request: webob.Request, context: Any,
               make: Callable[[list[Entry]], Sequence[Entry]]) -> webob.Response:
        """Make the objects of a body, one or several, and answer in the form in which they were asked for."""
        body = http.read_json(request, BODY_LIMIT)
        if isinstance(body, dict) and isinstance(body.get(self.key), dict):
            return http.answer({self.key: make([self._check(body[self.key], context)])[0]}, 201)
        many = body.get(f'{self.key}s') if isinstance(body, dict) else None
        if not isinstance(many, list) or not many or not all(isinstance(one, dict) for one in many):
            raise errors.Invalid(reason=f'The body must be an object with {self.key}.')
        return http.answer({f'{self.key}s': make([self._check(one, context) for one in many])}, 201)

    def _check(self, values: Mapping[str, Any], context: Any, known: Collection[str] | None = None) -> Entry:
        allowed = {**self.open, **self.admin}
        unknown = sorted(name for name in values if name not in allowed or (known is not None and name not in known))
        if unknown:
            raise errors.Invalid(reason=f'{self.key} has no attribute {", ".join(unknown)} that can be set here.')
        if not context.is_admin:
            forbidden = sorted(name for name in values if name in self.admin)
            if forbidden:
                raise errors.Forbidden(f'Only an administrator sets {", ".join(forbidden)}.')
        return {name: allowed[name](name, value) for name, value in values.items()}


# ----------------------------------------------------------------- answers


def shown_time(moment: datetime.datetime) -> str:
    """2026-01-31T12:00:00Z."""
    return moment.isoformat(timespec='seconds') + 'Z'


def one(key: str, entry: Entry, request: webob.Request, status: int = 200) -> webob.Response:
    """One object, of which the query may want some attributes only."""
    return http.answer({key: _narrowed(entry, http.query(request).getall('fields'))}, status)


def page(key: str, entries: Sequence[Entry], request: webob.Request) -> webob.Response:
    """A list: filtered, sorted, cut and narrowed as the query wants it."""
    query = http.query(request)
    found = _sorted([entry for entry in entries if _matches(entry, query)], query)
    following = None
    if query.get('limit') or query.get('marker'):
        found, following = _cut(found, query)
    body: Entry = {key: [_narrowed(entry, query.getall('fields')) for entry in found]}
    if following is not None:
        pairs = [(name, value) for name, value in query.items() if name != 'marker']
        href = f'{request.path_url}?{urlencode([*pairs, ("marker", following)])}'
        body[f'{key}_links'] = [{'rel': 'next', 'href': href}]
    return http.answer(body)


def filters(request: webob.Request, names: Collection[str]) -> dict[str, list[str]]:
    """Those filters of the query that the database can apply: attribute → wanted values."""
    query = http.query(request)
    wanted = {name: query.getall(name) for name in names if name in query}
    if 'tenant_id' in query:
        wanted['project_id'] = query.getall('tenant_id')
    return wanted


def _matches(entry: Entry, query: Any) -> bool:
    return all(any(_equals(entry[name], wanted) for wanted in query.getall(name))
               for name in set(query) - _PAGING if name in entry)


def _equals(value: Any, wanted: str) -> bool:
    if isinstance(value, bool):
        return str(value).lower() == {'1': 'true', '0': 'false'}.get(wanted, wanted.lower())
    if isinstance(value, list):
        name, _, part = wanted.partition('=')
        return any(str(one.get(name)) == part if isinstance(one, dict) else one == wanted for one in value)
    return ('' if value is None else str(value)) == wanted


def _sorted(entries: list[Entry], query: Any) -> list[Entry]:
    keys, directions = query.getall('sort_key'), query.getall('sort_dir')
    for index in reversed(range(len(keys))):
        backwards = index < len(directions) and directions[index] == 'desc'
        entries = sorted(entries, key=lambda entry, key=keys[index]: str(entry.get(key)),  # type: ignore[misc]
                         reverse=backwards)
    return entries


def _cut(entries: list[Entry], query: Any) -> tuple[list[Entry], str | None]:
    marker = query.get('marker')
    if marker:
        ids = [entry['id'] for entry in entries]
        if marker not in ids:
            raise errors.MarkerNotFound(marker=marker)
        entries = entries[ids.index(marker) + 1:]
    limit = number('limit', query.get('limit') or 0)
    if limit <= 0 or len(entries) <= limit:
        return entries, None
    return entries[:limit], entries[limit - 1]['id']


def _narrowed(entry: Entry, fields: Collection[str]) -> Entry:
    return {name: value for name, value in entry.items() if name in fields} if fields else entry
