# SPDX-License-Identifier: Apache-2.0
"""Who asks for what: the caller, the microversion, the body and the query of one request to the Block Storage API."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import webob
from oslo_utils import strutils

from nova_lite import errors
from nova_lite.db import paging
from nova_lite.embedded import http
from nova_lite.model import times

BODY_LIMIT = 256 * 1024
MOST = 1000
NEWEST = 71
WRITERS = frozenset(('admin', 'manager', 'member'))
READ, WRITE, ADMIN = 'read', 'write', 'admin'
LONGEST = 255
_UUID = re.compile(r'[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}')
_VERSION = re.compile(r'3\.(\d{1,4})')
_VERSION_KEY = 'nova.volume_minor'


@dataclass
class Ask:
    """One request; ``args`` are the variables of the path."""

    request: webob.Request
    context: Any
    minor: int
    args: Mapping[str, str]
    _query: Any = field(default=None)

    @property
    def base(self) -> str:
        """What the paths of resources are put behind."""
        return f'{self.request.application_url.rstrip("/")}/v3'

    @property
    def query(self) -> Any:
        """The query string."""
        if self._query is None:
            self._query = http.query(self.request)
        return self._query

    def json(self) -> dict[str, Any]:
        """The body, which is an object."""
        found = http.read_json(self.request, BODY_LIMIT)
        if not isinstance(found, dict):
            raise errors.Invalid(reason='The body must be a JSON object.')
        return found

    def body(self, key: str) -> dict[str, Any]:
        """The object under the one key of the body."""
        found = self.json().get(key)
        if not isinstance(found, dict):
            raise errors.Invalid(reason=f'The body must hold an object {key!r}.')
        return found

    def flag(self, name: str) -> bool:
        """A truth in the query string."""
        return boolean(name, self.query.get(name, 'false'))

    # ------------------------------------------------------------------- lists

    def whose(self) -> dict[str, Any]:
        """The filter that keeps a list to what the caller may see."""
        if self.context.is_admin and (self.flag('all_tenants') or self.flag('all_projects')):
            project = self.query.get('project_id')
            return {'project_id': project} if project else {}
        return {'project_id': self.context.project_id}

    def page(self) -> tuple[paging.Page, int]:
        """What page is asked for, and how many rows of it are left out at first."""
        limit = min(self._number('limit', MOST), MOST)
        marker = self.query.get('marker') or None
        return paging.Page(limit, marker, self._sort()), self._number('offset', 0)

    def _number(self, name: str, default: int) -> int:
        text = self.query.get(name)
        if text in (None, ''):
            return default
        if not text.isascii() or not text.isdecimal() or len(text) > 9:
            raise errors.Invalid(reason=f'{name}: {text[:40]!r} is not a whole number from 0.')
        return int(text)

    def _sort(self) -> list[tuple[str, str]]:
        if 'sort' in self.query:
            pairs = [one.partition(':')[::2] for one in self.query['sort'].split(',')]
        else:
            keys, directions = self.query.getall('sort_key'), self.query.getall('sort_dir')
            pairs = [(key, directions[min(place, len(directions) - 1)] if directions else '')
                     for place, key in enumerate(keys)]
        found = []
        for key, direction in pairs:
            key, direction = key.strip(), direction.strip() or 'desc'
            if direction not in ('asc', 'desc'):
                raise errors.Invalid(reason=f'A list is sorted asc or desc, not {direction!r}.')
            found.append(({'display_name': 'name'}.get(key, key), direction))
        return found

    def changed(self) -> list[tuple[str, str, datetime]]:
        """The conditions on times of creation and change, as ``gt:2026-01-01T00:00:00,lte:…``."""
        found = []
        for name in ('created_at', 'updated_at'):
            for one in filter(None, self.query.get(name, '').split(',')):
                operator, colon, moment = one.partition(':')
                if operator not in ('gt', 'gte', 'lt', 'lte', 'eq', 'neq') or not colon:
                    operator, moment = 'eq', one
                try:
                    found.append((name, operator, times.parse(moment)))
                except ValueError:
                    raise errors.Invalid(reason=f'{name}: {moment[:40]!r} is not a time of ISO 8601.') from None
        return found

    def links(self, key: str, rows: Any) -> dict[str, Any]:
        """The link to the next page, if this one is full."""
        limit = self._number('limit', MOST)
        if not rows or len(rows) < min(limit, MOST) or not limit:
            return {}
        kept = [(name, value) for name, value in self.query.items() if name not in ('marker', 'offset')]
        href = f'{self.request.path_url}?{urlencode([*kept, ("marker", rows[-1].uuid)])}'
        return {f'{key}_links': [{'rel': 'next', 'href': href}]}


Handler = Callable[[Ask], webob.Response]


@dataclass(frozen=True)
class Row:
    """One operation: who may ask for it, and from which minor version on there is such a thing."""

    method: str
    path: str
    needs: str
    handler: Handler
    since: int = 0

    def __call__(self, request: webob.Request, **args: str) -> webob.Response:
        """What the route table calls."""
        minor = minor_of(request.environ)
        if minor < self.since:
            raise errors.NotFound(f'{self.method} {self.path} exists from version 3.{self.since} on; the request is '
                                  f'of version 3.{minor}.')
        return self.handler(Ask(request, _caller(request, self.needs), minor, args))


def _caller(request: webob.Request, needs: str) -> Any:
    context = request.environ.get('nova.context')
    if context is None:
        raise errors.Unauthenticated()
    if needs == ADMIN and not context.is_admin:
        raise errors.Forbidden('Only an administrator does this.')
    roles = {role.lower() for role in context.roles or ()}
    if needs == WRITE and not context.is_admin and roles and not roles & WRITERS:
        raise errors.Forbidden(f'Changing volumes needs one of the roles {", ".join(sorted(WRITERS))}.')
    if needs == WRITE and context.project_id is None:
        raise errors.Forbidden('A volume needs a project; the token has none.')
    return context


def set_minor(environ: dict[str, Any]) -> None:
    """Read the microversion of a request; ``Refused`` (406) if it is not served."""
    for word in environ.get('HTTP_OPENSTACK_API_VERSION', '').split(','):
        service, _, version = word.strip().partition(' ')
        if service.lower() not in ('volume', 'block-storage'):
            continue
        version = version.strip().lower()
        match = _VERSION.fullmatch(version)
        minor = NEWEST if version == 'latest' else int(match[1]) if match else -1
        if not 0 <= minor <= NEWEST:
            raise http.Refused(406 if match else 400, f'Version {version[:40]!r} is not served; there are 3.0 to '
                                                      f'3.{NEWEST}.')
        environ[_VERSION_KEY] = minor


def minor_of(environ: Mapping[str, Any]) -> int:
    """The minor version of a request."""
    return int(environ.get(_VERSION_KEY, 0))


# --------------------------------------------------------------- parts of bodies


def text(body: Mapping[str, Any], name: str, default: Any = None, most: int = LONGEST) -> Any:
    """A string or null."""
    value = body.get(name, default)
    if value is not None and (not isinstance(value, str) or len(value) > most):
        raise wrong(name, value, f'a string of at most {most} characters')
    return value


def uuid_of(body: Mapping[str, Any], *names: str) -> str | None:
    """A UUID under one of these names, or None."""
    for name in names:
        value = body.get(name)
        if value in (None, ''):
            continue
        if not isinstance(value, str) or not _UUID.fullmatch(value):
            raise wrong(name, value, 'a UUID')
        return value.lower()
    return None


def boolean(name: str, value: Any) -> bool:
    """A truth, also in words."""
    try:
        return strutils.bool_from_string(value, strict=True)
    except (ValueError, TypeError):
        raise wrong(name, value, 'true or false') from None


def number(name: str, value: Any, least: int = 0) -> int:
    """A whole number, also as a string."""
    if isinstance(value, str) and re.fullmatch(r'-?\d{1,9}', value, re.ASCII):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value < 1 << 31:
        raise wrong(name, value, f'a whole number from {least}')
    return value


def strings(name: str, value: Any) -> dict[str, str]:
    """Entries of metadata."""
    if not isinstance(value, dict):
        raise wrong(name, value, 'an object of strings')
    for key, one in value.items():
        if not 0 < len(key) <= LONGEST:
            raise wrong(name, key, f'a key of 1 to {LONGEST} characters')
        if not isinstance(one, str) or len(one) > LONGEST:
            raise wrong(f'{name}.{key}', one, f'a string of at most {LONGEST} characters')
    return value


def wrong(name: str, value: Any, rule: str) -> errors.Invalid:
    """The error of a value that breaks a rule."""
    shown = repr(value)
    if len(shown) > 100:
        shown = shown[:100] + '…'
    return errors.Invalid(reason=f'{name}: {shown} is not {rule}.')
