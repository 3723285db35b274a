# SPDX-License-Identifier: Apache-2.0
"""What a handler gets: one checked request, without headers, versions or raw JSON."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from nova_lite import concurrency
from nova_lite.auth.context import RequestContext
from nova_lite.wsgi.body import EMPTY, Values
from nova_lite.wsgi.endpoint import Endpoint
from nova_lite.wsgi.view import Plan, Rendering


class Call:
    """One request on its way through an endpoint.

    ``params`` are the path's parts, ``body`` the checked JSON (of an action: what stands under its
    key), ``query`` the checked parameters, ``target`` what the endpoint's ``load`` found, ``services``
    whatever the program plugged in (database, clients, policy), ``plan`` the compiled view.
    """

    __slots__ = ('context', 'params', 'body', 'query', 'target', 'services', 'plan', 'endpoint', 'environ',
                 'url_project', '_minor', '_base')

    def __init__(self, environ: dict[str, Any], endpoint: Endpoint, minor: int, params: Mapping[str, str],
                 services: Any) -> None:
        self.environ = environ
        self.endpoint = endpoint
        self.params = params
        self.services = services
        self.context: RequestContext = environ['nova.context']
        self.body: Any = None
        self.query: Values = EMPTY
        self.target: Any = None
        self.plan: Plan | None = None
        self.url_project: str | None = None
        self._minor = minor
        self._base: tuple[str, str] | None = None

    def has(self, flag: str) -> bool:
        """Whether a named behaviour of the endpoint holds for this request."""
        return any(name == flag and self._minor in when for name, when in self.endpoint.flags)

    def can(self, rule: str, owner: tuple[Any, Any] | None = None) -> bool:
        """Whether the caller passes a policy rule, on the loaded target unless an owner is given."""
        return bool(self.services.policy.allows(self.context, rule, owner or self.owner()))

    def authorize(self, rule: str, owner: tuple[Any, Any] | None = None) -> None:
        """errors.Forbidden unless the caller passes a policy rule."""
        self.services.policy.authorize(self.context, rule, owner or self.owner())

    def owner(self) -> tuple[Any, Any] | None:
        """(project, user) that own the target, if it has an owner."""
        project = getattr(self.target, 'project_id', None)
        return None if project is None else (project, getattr(self.target, 'user_id', None))

    @property
    def minor(self) -> int:
        """The version asked for. Only what describes the API may want it; all else has windows and flags."""
        return self._minor

    @property
    def columns(self) -> frozenset[str]:
        """The database columns that the answer's view reads."""
        return self.plan.columns if self.plan else frozenset()

    def limit(self) -> int:
        """Rows of a page: what was asked for, none at all included, within ``[api] max_limit``."""
        most = int(self.services.conf.api.max_limit)
        asked = self.query.integer('limit')
        return most if asked is None else min(asked, most)

    @property
    def base(self) -> str:
        """URL under which this API is reached, with the project where the request had it."""
        return self._bases()[0]

    @staticmethod
    def aside(work: Callable[..., Any], *args: Any) -> Any:
        """Run what keeps a processor busy for long, such as making keys, without holding up other requests."""
        return concurrency.run_in_thread(work, *args)

    def rendering(self) -> Rendering:
        """What the view's getters may ask."""
        base, bookmark = self._bases()
        show = self.endpoint.shown(self._minor)
        return Rendering(self, base, bookmark, show.view.loaders if show else {})

    def next_link(self, marker: str) -> str:
        """URL of the page after this one."""
        pairs = [(name, text) for name in self.query.names() if name != 'marker' for text in self.query.all(name)]
        path = self.environ.get('PATH_INFO', '').rstrip('/')
        if self.url_project:
            path = path.removeprefix(f'/{self.url_project}')
        return f'{self.base}{path}?{urlencode([*pairs, ("marker", marker)])}'

    def _bases(self) -> tuple[str, str]:
        if self._base is None:
            host = _host_url(self.environ, self.services.conf.api.compute_link_prefix)
            tail = f'/{self.url_project}' if self.url_project else ''
            self._base = (host + self.environ.get('SCRIPT_NAME', '') + tail, host + tail)
        return self._base


def _host_url(environ: Mapping[str, Any], prefix: str | None) -> str:
    if prefix:
        return prefix.rstrip('/')
    host = environ.get('HTTP_HOST') or f'{environ["SERVER_NAME"]}:{environ["SERVER_PORT"]}'
    return f'{environ["wsgi.url_scheme"]}://{host}'
