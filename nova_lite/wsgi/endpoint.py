# SPDX-License-Identifier: Apache-2.0
"""Endpoints: one row for each thing a client can ask, with everything the machinery must know of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nova_lite.wsgi import window
from nova_lite.wsgi.body import Body, Query
from nova_lite.wsgi.kinds import Kind
from nova_lite.wsgi.view import View

Handler = Callable[..., Any]
# Rows without a table of parameters never look at them.
ANY_QUERY = Query(open_=window.ALWAYS)


@dataclass(frozen=True)
class Answer:
    """A success code and the versions that give it."""

    status: int
    when: window.Window = window.ALWAYS


def answer(status: int, when: window.Window = window.ALWAYS) -> Answer:
    """Short for Answer, reads well in tables."""
    return Answer(status, when)


@dataclass(frozen=True)
class Show:
    """How what a handler returns becomes JSON: a view, the key around it, and whether it is a list.

    ``links`` names the ``*_links`` key of a list that goes on on another page, ``more`` what the handler
    itself may add to the view.
    """

    key: str
    view: View
    many: bool = False
    op: str = 'show'
    links: str = ''
    when: window.Window = window.ALWAYS
    more: Mapping[str, Kind] = field(default_factory=dict)


def one(key: str, view: View, op: str = 'show', when: window.Window = window.ALWAYS,
        more: Mapping[str, Kind] | None = None) -> Show:
    """The handler returns one row, shown as ``{key: {...}}``; an empty key shows it bare."""
    return Show(key, view, False, op, '', when, more or {})


def many(key: str, view: View, op: str = 'list', links: bool = True, when: window.Window = window.ALWAYS) -> Show:
    """The handler returns rows or a Page, shown as ``{key: [...]}``."""
    return Show(key, view, True, op, f'{key}_links' if links else '', when)


@dataclass(frozen=True)
class Page:
    """Rows of one page; ``marker`` is the marker of the next one, None at the end."""

    rows: Any
    marker: str | None = None


@dataclass(frozen=True)
class Raw:
    """An answer in full control of its handler: status, JSON body, extra headers."""

    body: Any = None
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Endpoint:
    """One operation.

    Order of the checks, which decides the error that wins: version (404), body and query (400),
    ``load`` (404), ``rule`` on what was loaded (403), handler.  With ``rule_first`` the rule, which then
    cannot look at what was loaded, comes before ``load``: who may not ask does not learn what there is.
    ``action`` is the single key of the body for rows of an ``…/action`` path.  ``flags`` are named
    behaviours with their windows.
    ``errors`` documents the codes beside the common ones, ``reply`` the answer of a handler that makes it
    itself, without ``show``; without both the answer has no body.
    """

    method: str
    path: str
    handler: Handler
    rule: str = ''
    action: str = ''
    when: window.Window = window.ALWAYS
    body: Body | None = None
    query: Query = ANY_QUERY
    load: Handler | None = None
    show: tuple[Show, ...] = ()
    reply: tuple[tuple[Kind, window.Window], ...] = ()
    answers: tuple[Answer, ...] = (Answer(200),)
    errors: tuple[int, ...] = ()
    flags: tuple[tuple[str, window.Window], ...] = ()
    summary: str = ''
    rule_first: bool = False

    @property
    def name(self) -> str:
        """For messages and for the printed list."""
        return f'{self.method} {self.path}' + (f' {self.action}' if self.action else '')

    def status(self, minor: int) -> int:
        """The success code at a version."""
        return next(a.status for a in self.answers if minor in a.when)

    def shown(self, minor: int) -> Show | None:
        """The view at a version, if the answer has a body made by one."""
        return next((s for s in self.show if minor in s.when), None)

    def replied(self, minor: int) -> Kind | None:
        """The answer at a version, if the handler makes one itself."""
        return next((kind for kind, when in self.reply if minor in when), None)

    def windows(self) -> list[window.Window]:
        """Every window that the row holds."""
        found = [self.when, *(a.when for a in self.answers), *(s.when for s in self.show),
                 *(when for _, when in self.reply), *(when for _, when in self.flags), *self.query.windows()]
        for show in self.show:
            found += show.view.windows()
        return found + (self.body.windows() if self.body else [])


def _row(method: str, path: str, handler: Handler, **more: Any) -> Endpoint:
    for name in ('show', 'answers', 'flags'):
        if name in more and (not isinstance(more[name], tuple) or name == 'flags' and more[name]
                             and isinstance(more[name][0], str)):
            more[name] = (more[name],)
    if isinstance(more.get('reply'), dict):
        more['reply'] = ((more['reply'], window.ALWAYS),)
    more.setdefault('summary', (handler.__doc__ or '').strip().split('\n')[0])
    return Endpoint(method, path, handler, **more)


def GET(path: str, handler: Handler, **more: Any) -> Endpoint:  # noqa: N802 - the wire's own word
    """A row for GET."""
    return _row('GET', path, handler, **more)


def POST(path: str, handler: Handler, **more: Any) -> Endpoint:  # noqa: N802
    """A row for POST."""
    return _row('POST', path, handler, **more)


def PUT(path: str, handler: Handler, **more: Any) -> Endpoint:  # noqa: N802
    """A row for PUT."""
    return _row('PUT', path, handler, **more)


def DELETE(path: str, handler: Handler, **more: Any) -> Endpoint:  # noqa: N802
    """A row for DELETE."""
    return _row('DELETE', path, handler, **more)


def ACTION(action: str, handler: Handler, path: str = '/servers/{id}/action', **more: Any) -> Endpoint:  # noqa: N802
    """A row for POST to an action path, picked by the single key of the body."""
    return _row('POST', path, handler, action=action, **more)
