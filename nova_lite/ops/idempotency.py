# SPDX-License-Identifier: Apache-2.0
"""Requests that are done once however often they are sent: those that carry a key of the client.

The first one holds the row of its key while it is at it; its answer is stored in the transaction of what it
changed.  So there are three cases and no fourth: nothing happened and the row is held or gone, or all of it
happened and the answer is there.  Who finds the row held waits.  A holder that died is recognized by a time,
and if it was only slow it finds at its commit that the row is another's.

An answer may hold a password or a private key.  It is encrypted with the client's key, of which the
database has a digest only: who does not know the key cannot read the answer, and neither can we.
"""

import base64
import datetime
import hashlib
import hmac
import logging
import os
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from nova_lite import errors
from nova_lite.auth.context import RequestContext
from nova_lite.db.queries import idempotency
from nova_lite.model import times
from nova_lite.ops.base import Deps

LOG = logging.getLogger(__name__)

#: Seconds after which whoever is at a request counts as dead.
HOLD = 30.0
#: Seconds that a request waits for the answer to an earlier one.
PATIENCE = 10.0
FIRST_PAUSE, LONGEST_PAUSE = 0.02, 0.25

#: Status, headers and JSON of an answer.
Answer = tuple[int, dict[str, str], Any]


@dataclass(frozen=True)
class Keyed:
    """A key as a client sent it, and a digest of everything else that makes the request what it is."""

    key: str
    request: str


def once(deps: Deps, context: RequestContext, keyed: Keyed, work: Callable[[], Answer]) -> tuple[Answer, bool]:
    """What ``work`` answers, or has answered before, and whether it was before.  An error is not kept."""
    digest = hashlib.sha256(f'{context.project_id or ""}\0{keyed.key}'.encode()).hexdigest()
    holder = str(uuid.uuid4())
    before = _hold(deps, digest, keyed, holder)
    if before is not None:
        return before, True

    def store(conn: Any, answer: Answer) -> None:
        if not idempotency.answer(conn, digest, holder, _seal(keyed.key, digest, answer)):
            raise errors.KeyInUse()

    try:
        return deps.db.together(work, store), False
    except BaseException:
        try:
            deps.db.transaction(idempotency.let_go, digest, holder)
        except errors.Unavailable as error:
            LOG.warning('A key is held for %d seconds more: %s', HOLD, error)
        raise


def _hold(deps: Deps, digest: str, keyed: Keyed, holder: str) -> Answer | None:
    """Become the holder of the key, or wait for the answer of who is."""
    lifetime = datetime.timedelta(seconds=deps.conf.idempotency_key_lifetime)
    end = time.monotonic() + PATIENCE
    pause = FIRST_PAUSE
    while True:
        with deps.db.read() as conn:
            found = idempotency.get(conn, digest)
        now = times.utcnow()
        if found is None or found.created_at < now - lifetime or (found.held_until is not None
                                                                 and found.held_until < now):
            row = {'digest': digest, 'request': keyed.request, 'holder': holder, 'created_at': now,
                   'held_until': now + datetime.timedelta(seconds=HOLD)}
            if deps.db.transaction(idempotency.hold, row, now - lifetime):
                return None
            continue
        if found.request != keyed.request:
            raise errors.KeyReused()
        if found.answer is not None:
            return _open(keyed.key, digest, found.answer)
        if time.monotonic() >= end:
            raise errors.KeyInUse()
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


def _cipher(key: str, digest: str) -> Any:
    # Not needed by requests without a key, which are most.
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    return AESGCM(hmac.new(key.encode(), b'answer ' + digest.encode(), hashlib.sha256).digest())


def _seal(key: str, digest: str, answer: Answer) -> str:
    nonce = os.urandom(12)
    sealed: bytes = _cipher(key, digest).encrypt(nonce, orjson.dumps(answer), digest.encode())
    return base64.b64encode(nonce + sealed).decode()


def _open(key: str, digest: str, text: str) -> Answer:
    raw = base64.b64decode(text)
    status, headers, body = orjson.loads(_cipher(key, digest).decrypt(raw[:12], raw[12:], digest.encode()))
    return status, headers, body
