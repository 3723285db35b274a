# SPDX-License-Identifier: Apache-2.0
"""Signed tokens of the embedded identity, and the list of revoked ones.

A token carries its own claims, so that every process confirms it without a
shared store; roles are looked up when it is used, so a role that is taken away
is gone at once.  A revocation is one empty file named after the token: it holds
in every process and over restarts, and asking for it is one ``stat``.
"""

import base64
import hashlib
import hmac
import os
import secrets
import time
from dataclasses import dataclass

import orjson

from nova_lite.embedded import files

FORMAT = 1
LONGEST = 2048
SCOPES = ('unscoped', 'project', 'system')
PRUNE_EVERY = 600


@dataclass(frozen=True)
class Claims:
    """What a token says."""

    user_id: str
    scope: str
    scope_id: str
    issued_at: float
    expires_at: int
    audit_id: str
    methods: tuple[str, ...]
    parent_audit_id: str = ''

    @property
    def audit_ids(self) -> list[str]:
        """The token's own id and, for a token got with a token, that of the first in the chain."""
        return [self.audit_id, self.parent_audit_id] if self.parent_audit_id else [self.audit_id]


class Tokens:
    """Signs, reads and revokes."""

    def __init__(self, revocations: str, key: bytes, grace: int = 0):
        """``grace``: seconds for which an expired token may be asked for and its revocation must last."""
        self._grace = grace
        self._key = hmac.new(key, b'tokens', hashlib.sha256).digest()
        self._revoked = files.private_dir(revocations)
        self._pruned = 0.0

    def sign(self, claims: Claims) -> str:
        payload = orjson.dumps((
            FORMAT, claims.user_id, SCOPES.index(claims.scope), claims.scope_id, claims.issued_at,
            claims.expires_at, claims.audit_id, claims.methods, claims.parent_audit_id))
        return f'{_text(payload)}.{_text(self._mac(payload))}'

    def read(self, token: str, allow_expired: bool = False) -> Claims | None:
        """The claims of a token that we signed and that is neither revoked nor expired."""
        claims = self._parse(token)
        grace = self._grace if allow_expired else 0
        if claims is None or claims.expires_at + grace <= time.time() or os.path.exists(self._mark(claims)):
            return None
        return claims

    def revoke(self, claims: Claims) -> None:
        os.close(files.private_opener(self._mark(claims), os.O_WRONLY | os.O_CREAT))
        files.sync_dir(self._revoked)
        if time.time() - self._pruned > PRUNE_EVERY:
            self.prune()

    def prune(self) -> None:
        """Forget the revocations of tokens that nobody can use any more."""
        self._pruned = time.time()
        for entry in os.listdir(self._revoked):
            expires, _, _ = entry.partition('-')
            if expires.isdigit() and int(expires) + self._grace < self._pruned:
                try:
                    os.unlink(os.path.join(self._revoked, entry))
                except FileNotFoundError:
                    continue

    def _parse(self, token: str) -> Claims | None:
        payload_text, _, mac_text = token.partition('.')
        if len(token) > LONGEST:
            return None
        try:
            payload, mac = _raw(payload_text), _raw(mac_text)
        except ValueError:
            return None
        if not hmac.compare_digest(self._mac(payload), mac):
            return None
        version, user_id, scope, scope_id, issued, expires, audit_id, methods, parent = orjson.loads(payload)
        if version != FORMAT:
            return None
        return Claims(user_id, SCOPES[scope], scope_id, issued, expires, audit_id, tuple(methods), parent)

    def _mac(self, payload: bytes) -> bytes:
        return hmac.new(self._key, payload, hashlib.sha256).digest()

    def _mark(self, claims: Claims) -> str:
        return os.path.join(self._revoked, f'{claims.expires_at}-{claims.audit_id}')


def new_audit_id() -> str:
    return secrets.token_urlsafe(16)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b'=').decode()


def _raw(text: str) -> bytes:
    data = text.encode('ascii')
    return base64.b64decode(data + b'=' * (-len(data) % 4), altchars=b'-_', validate=True)
