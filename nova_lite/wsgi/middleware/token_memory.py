# SPDX-License-Identifier: Apache-2.0
"""What keystonemiddleware has found out about tokens, so that it is not asked about each request.

Even with a warm cache it reads the JSON of the token and writes that of the catalogue anew for each request, which
takes as long as half of a small read, and longer with a longer catalogue.
"""

import hashlib
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

_CACHE_KEY = 'nova.token_cache'
_MARK = 'nova.token_memory'
_CACHED_TOKENS = 10_000
_REMEMBERED_TOKENS = 1_000
_REMEMBERED_SECONDS = 10
# What auth_token sets, and takes away when a client sends it.
_MADE = ('HTTP_X_IDENTITY_STATUS', 'HTTP_X_SERVICE_', 'HTTP_X_IS_ADMIN_PROJECT', 'HTTP_X_DOMAIN_', 'HTTP_X_PROJECT_',
         'HTTP_X_USER', 'HTTP_X_ROLE', 'HTTP_X_TENANT', 'HTTP_OPENSTACK_SYSTEM_SCOPE', 'keystone.token_')

Application = Callable[[dict[str, Any], Any], Any]


class Stamp:
    """A directory of the embedded identity that changes when a token is revoked; of Keystone there is none."""

    def __init__(self, directory: str | None) -> None:
        self._directory = directory

    def look(self) -> int:
        """Another number after each revocation."""
        if not self._directory:
            return 0
        try:
            return os.stat(self._directory).st_mtime_ns
        except FileNotFoundError:
            return 0


class TokenCache:
    """A bounded memory of validated tokens, with the interface of a memcached client.

    What was asked for before a revocation is not believed after it, so that a revoked token is refused at once.
    """

    def __init__(self, stamp: Stamp) -> None:
        self._stamp = stamp
        self._tokens: OrderedDict[str, tuple[float, int, Any]] = OrderedDict()
        self._lock = threading.Lock()
        # A thread that finds nothing asks the identity service and then stores: as of when it began.
        self._begun = threading.local()

    def get(self, key: str) -> Any:
        """What was stored, None when it is unknown or too old."""
        self._begun.stamp = stamp = self._stamp.look()
        with self._lock:
            end, stored, value = self._tokens.get(key, (0.0, 0, None))
            if end < time.monotonic() or stored != stamp:
                self._tokens.pop(key, None)
                return None
            return value

    def set(self, key: str, value: Any, time: int = 300) -> None:  # noqa: A002 - memcached's own name
        """Keep a value for ``time`` seconds."""
        with self._lock:
            self._tokens[key] = (_now() + time, getattr(self._begun, 'stamp', 0), value)
            self._tokens.move_to_end(key)
            while len(self._tokens) > _CACHED_TOKENS:
                self._tokens.popitem(last=False)


def _now() -> float:
    return time.monotonic()


class _Known(NamedTuple):
    end: float
    stamp: int
    made: dict[str, Any]


class RememberedTokens:
    """Stands around auth_token, and repeats for some seconds what it has put into the environment for a token.

    auth_token is asked nevertheless where its answer is not the token's alone: with a service token, with headers in
    the request that it would take away, with a token that is bound to something or limited to some requests.
    """

    def __init__(self, guard: Callable[[Application], Application], app: Application, stamp: Stamp,
                 seconds: float) -> None:
        self._app = app
        self._guarded = guard(self._remember)
        self._stamp = stamp
        self._seconds = seconds
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        token = environ.get('HTTP_X_AUTH_TOKEN')
        if not token or any(name.startswith(_MADE) for name in environ):
            return self._guarded(environ, start_response)
        digest = hashlib.sha256(token.encode('latin-1')).digest()
        stamp = self._stamp.look()
        known = self._known.get(digest)
        if known is not None and known.stamp == stamp and time.monotonic() < known.end:
            environ.update(known.made)
            return self._app(environ, start_response)
        environ[_MARK] = digest, stamp
        return self._guarded(environ, start_response)

    def _remember(self, environ: dict[str, Any], start_response: Any) -> Any:
        mark = environ.pop(_MARK, None)
        if mark is not None and environ.get('HTTP_X_IDENTITY_STATUS') == 'Confirmed':
            digest, stamp = mark
            found = environ['keystone.token_auth'].user
            left = (found.expires - datetime.now(UTC)).total_seconds()
            if not found.bind and getattr(found, 'application_credential_access_rules', None) is None and left > 0:
                made = {name: value for name, value in environ.items() if name.startswith(_MADE)}
                self._keep(digest, _Known(time.monotonic() + min(self._seconds, left), stamp, made))
        return self._app(environ, start_response)

    def _keep(self, digest: bytes, known: _Known) -> None:
        with self._lock:
            self._known[digest] = known
            self._known.move_to_end(digest)
            # The oldest come first, so whoever is not seen any more is forgotten with the next one who is new.
            while len(self._known) > _REMEMBERED_TOKENS:
                self._known.popitem(last=False)
            while self._known and next(iter(self._known.values())).end < time.monotonic():
                self._known.popitem(last=False)


def remembering(guard: Callable[[dict[str, str]], Callable[[Application], Application]], settings: dict[str, str],
                conf: Any) -> Callable[[Application], Application]:
    """A paste filter of ``guard``, which makes auth_token's filter out of the settings in the paste file.

    What is remembered here is not older than ``token_cache_time`` allows, as auth_token's own cache gives that much of
    its time away. Without ``memcached_servers`` that cache is in this process, where auth_token has none.
    """
    options = conf.keystone_authtoken
    cache_time = int(settings.get('token_cache_time', options.token_cache_time))
    seconds = min(_REMEMBERED_SECONDS, max(0, cache_time) // 2)
    stamp = Stamp(conf.embedded.revocations)
    settings = {**settings, 'token_cache_time': str(cache_time - seconds)}
    if options.memcached_servers:
        return lambda app: RememberedTokens(guard(settings), app, stamp, seconds)
    cache = TokenCache(stamp)
    make = guard({**settings, 'cache': _CACHE_KEY})

    def filter_(app: Application) -> Application:
        guarded = RememberedTokens(make, app, stamp, seconds)

        def with_cache(environ: dict[str, Any], start_response: Any) -> Any:
            environ[_CACHE_KEY] = cache
            return guarded(environ, start_response)
        return with_cache
    return filter_
