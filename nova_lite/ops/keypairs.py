# SPDX-License-Identifier: Apache-2.0
"""Writes to the key pairs of a user."""

from dataclasses import dataclass
from typing import Any

from nova_lite import errors
from nova_lite.db.queries import keypairs, quota_limits
from nova_lite.model import quotas


@dataclass(frozen=True)
class AddKeypair:
    """Only the public half is ever stored; the limit of ``project_id``, where the user asks from, counts."""

    user_id: str
    name: str
    type: str
    public_key: str
    fingerprint: str
    project_id: str | None = None


def check_quota(deps: Any, user_id: str, project_id: str | None = None) -> None:
    """errors.OverQuota when the user has all key pairs that he may have; ``add`` checks again."""
    with deps.db.read() as conn:
        _check(conn, deps.conf.quota, user_id, project_id)


def add(deps: Any, command: AddKeypair) -> None:
    """errors.OverQuota when the user has enough, errors.KeypairExists when he has one of that name."""
    deps.db.transaction(_add, deps.conf.quota, command)


def _add(conn: Any, group: Any, command: AddKeypair) -> None:
    keypairs.lock_list(conn, command.user_id)
    _check(conn, group, command.user_id, command.project_id)
    keypairs.create(conn, {'user_id': command.user_id, 'name': command.name, 'type': command.type,
                           'public_key': command.public_key, 'fingerprint': command.fingerprint})


def _check(conn: Any, group: Any, user_id: str, project_id: str | None) -> None:
    limit = quota_limits.limit(conn, group, 'key_pairs', project_id, user_id)
    if limit == quotas.UNLIMITED:
        return
    used = keypairs.count(conn, user_id)
    if used >= limit:
        raise errors.OverQuota(resource='key_pairs', requested=1, used=used, limit=limit)


def delete(deps: Any, user_id: str, name: str) -> None:
    """Servers keep their copy of the public key."""
    deps.db.transaction(keypairs.delete, user_id, name)
