# SPDX-License-Identifier: Apache-2.0
"""From a token to a request context: behind keystonemiddleware, or without any identity service."""

import os
import threading
import time
from collections import OrderedDict
from typing import Any

from nova_lite import errors
from nova_lite.auth.context import RequestContext
from nova_lite.wsgi import faults, provided

_CACHE_KEY = 'nova.token_cache'
_CACHED_TOKENS = 10_000


def authtoken_factory(global_conf: dict[str, str], **local_conf: str) -> Any:
    """Paste filter factory: keystonemiddleware's auth_token, with a cache in this process.

    The middleware caches validated tokens in memcached or, for itself, nowhere; without
    ``[keystone_authtoken] memcached_servers`` each worker here keeps them in memory.
    """
    from keystonemiddleware import auth_token
    if provided.get('conf').keystone_authtoken.memcached_servers:
        return auth_token.filter_factory(global_conf, **local_conf)
    make = auth_token.filter_factory(global_conf, **{**local_conf, 'cache': _CACHE_KEY})
    cache = TokenCache(provided.get('conf').embedded.revocations)

    def filter_(app: Any) -> Any:
        guarded = make(app)

        def with_cache(environ: dict[str, Any], start_response: Any) -> Any:
            environ[_CACHE_KEY] = cache
            return guarded(environ, start_response)
        return with_cache
    return filter_


class TokenCache:
    """A bounded memory of validated tokens, with the interface of a memcached client.

    ``stamp`` is a directory of the embedded identity service that changes when a token is revoked;
    then everything is forgotten, so that a revoked token is refused at once.
    """

    def __init__(self, stamp: str | None = None) -> None:
        self._stamp = stamp
        self._seen = self._look()
        self._tokens: OrderedDict[str, tuple[float, Any]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> Any:
        """What was stored, None when it is unknown or too old."""
        seen = self._look()
        with self._lock:
            if seen != self._seen:
                self._seen = seen
                self._tokens.clear()
            end, value = self._tokens.get(key, (0.0, None))
            if end < time.monotonic():
                self._tokens.pop(key, None)
                return None
            return value

    def set(self, key: str, value: Any, time: int = 300) -> None:  # noqa: A002 - memcached's own name
        """Keep a value for ``time`` seconds."""
        with self._lock:
            self._tokens[key] = (_now() + time, value)
            self._tokens.move_to_end(key)
            while len(self._tokens) > _CACHED_TOKENS:
                self._tokens.popitem(last=False)

    def _look(self) -> int:
        if not self._stamp:
            return 0
        try:
            return os.stat(self._stamp).st_mtime_ns
        except FileNotFoundError:
            return 0


def _now() -> float:
    return time.monotonic()


def keystonecontext_factory(global_conf: dict[str, str], **local_conf: str) -> Any:
    """Paste filter factory for KeystoneContext."""
    return KeystoneContext


class KeystoneContext:
    """Makes the context from the headers that auth_token sets."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        if not environ.get('HTTP_X_USER_ID'):
            return faults.send_error(start_response, errors.Unauthenticated())
        environ['nova.context'] = RequestContext.from_environ(
            environ, request_id=environ.get('openstack.request_id'),
            global_request_id=environ.get('openstack.global_request_id'),
            remote_address=environ.get('REMOTE_ADDR'))
        return self._app(environ, start_response)


def noauth2_factory(global_conf: dict[str, str], **local_conf: str) -> Any:
    """Paste filter factory for NoAuth2."""
    return NoAuth2


class NoAuth2:
    """Believes the caller: ``X-Auth-Token: USER:PROJECT`` is that user, and ``admin`` an administrator.

    For tests and for closed networks only.
    """

    def __init__(self, app: Any) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        token = environ.get('HTTP_X_AUTH_TOKEN')
        if not token:
            return self._hand_out(environ, start_response)
        user, _, project = token.partition(':')
        roles = ['admin', 'manager', 'member', 'reader'] if user == 'admin' else ['member', 'reader']
        environ['nova.context'] = RequestContext(
            auth_token=token, user_id=user, project_id=project or user, roles=roles,
            is_admin=user == 'admin', request_id=environ.get('openstack.request_id'),
            global_request_id=environ.get('openstack.global_request_id'),
            remote_address=environ.get('REMOTE_ADDR'))
        return self._app(environ, start_response)

    @staticmethod
    def _hand_out(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        """The oldest way to log in: name user and project in headers, read the token from headers."""
        user = environ.get('HTTP_X_AUTH_USER', 'admin')
        project = environ.get('HTTP_X_AUTH_PROJECT_ID', 'admin')
        host = environ.get('HTTP_HOST', 'localhost')
        start_response(faults.line(204), [
            ('X-Auth-Token', f'{user}:{project}'),
            ('X-Server-Management-Url', f'{environ["wsgi.url_scheme"]}://{host}{environ.get("SCRIPT_NAME", "")}')])
        return []
