# SPDX-License-Identifier: Apache-2.0
"""Writes to the key pairs of a user."""

from dataclasses import dataclass
from typing import Any

from nova_lite import errors
from nova_lite.db.queries import keypairs
from nova_lite.model import quotas


@dataclass(frozen=True)
class AddKeypair:
    """Only the public half is ever stored."""

    user_id: str
    name: str
    type: str
    public_key: str
    fingerprint: str


def check_quota(deps: Any, user_id: str) -> None:
    """errors.OverQuota when the user has all key pairs that he may have; ``add`` checks again."""
    with deps.db.read() as conn:
        _check(conn, user_id, deps.conf.quota.key_pairs)


def add(deps: Any, command: AddKeypair) -> None:
    """errors.OverQuota when the user has enough, errors.KeypairExists when he has one of that name."""
    deps.db.transaction(_add, command, deps.conf.quota.key_pairs)


def _add(conn: Any, command: AddKeypair, limit: int) -> None:
    keypairs.lock_list(conn, command.user_id)
    _check(conn, command.user_id, limit)
    keypairs.create(conn, {'user_id': command.user_id, 'name': command.name, 'type': command.type,
                           'public_key': command.public_key, 'fingerprint': command.fingerprint})


def _check(conn: Any, user_id: str, limit: int) -> None:
    if limit == quotas.UNLIMITED:
        return
    used = keypairs.count(conn, user_id)
    if used >= limit:
        raise errors.OverQuota(resource='key_pairs', requested=1, used=used, limit=limit)


def delete(deps: Any, user_id: str, name: str) -> None:
    """Servers keep their copy of the public key."""
    deps.db.transaction(keypairs.delete, user_id, name)
