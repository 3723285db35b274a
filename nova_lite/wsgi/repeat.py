# SPDX-License-Identifier: Apache-2.0
"""``Idempotency-Key``: a POST that carries one is done once, and sent again it gets the first answer.

Which request it is, is said by the user, the microversion, the path with its query and the JSON of the body.
"""

import hashlib
from collections.abc import Callable
from typing import Any

import orjson

from nova_lite import errors
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import Raw

HEADER = 'Idempotency-Key'
VARIABLE = 'HTTP_IDEMPOTENCY_KEY'
#: Of an answer that was given before.
REPLAYED = {'Idempotent-Replayed': 'true'}
LONGEST = 255


def once(call: Call, content: Any, run: Callable[[], Raw]) -> Raw:
    """The answer of ``run``, or the one that an earlier request with this key got."""
    key = _checked(call.environ[VARIABLE])

    def work() -> tuple[int, dict[str, str], Any]:
        made = run()
        return made.status or call.endpoint.status(call.minor), dict(made.headers), made.body

    (status, headers, body), before = call.services.once(call.context, key, _digest(call, content), work)
    return Raw(body, status, {**headers, **REPLAYED} if before else headers)


def _checked(key: str) -> str:
    if not 1 <= len(key) <= LONGEST or not key.isascii() or not key.isprintable():
        raise errors.Invalid(f'Invalid header {HEADER}: it must have 1 to {LONGEST} printable characters of ASCII.')
    return key


def _digest(call: Call, content: Any) -> str:
    environ = call.environ
    path = environ.get('SCRIPT_NAME', '') + environ.get('PATH_INFO', '')
    parts = [call.context.user_id, call.minor, path, environ.get('QUERY_STRING', ''), content]
    return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()
