# SPDX-License-Identifier: Apache-2.0
"""Writes to the key pairs of a user."""

from dataclasses import dataclass
from typing import Any

from nova_lite import errors
from nova_lite.db.queries import keypairs
from nova_lite.model import quotas
from nova_lite.ops.limits import Known


@dataclass(frozen=True)
class AddKeypair:
    """Only the public half is ever stored; the limit of ``project_id``, where the user asks from, counts.

    ``is_new``: it was made here, and not brought along.
    """

    user_id: str
    name: str
    type: str
    public_key: str
    fingerprint: str
    project_id: str | None = None
    is_new: bool = False


def check_quota(deps: Any, user_id: str, project_id: str | None = None) -> None:
    """errors.OverQuota when the user has all key pairs that he may have; ``add`` checks again."""
    known = deps.limits.of(project_id)
    with deps.db.read() as conn:
        _check(conn, known, user_id)


def add(deps: Any, command: AddKeypair) -> None:
    """errors.OverQuota when the user has enough, errors.KeypairExists when he has one of that name."""
    deps.db.transaction(_add, deps, deps.limits.of(command.project_id), command)


def _add(conn: Any, deps: Any, known: Known, command: AddKeypair) -> None:
    keypairs.lock_list(conn, command.user_id)
    _check(conn, known, command.user_id)
    keypairs.create(conn, {'user_id': command.user_id, 'name': command.name, 'type': command.type,
                           'public_key': command.public_key, 'fingerprint': command.fingerprint})
    for phase in ('start', 'end'):
        deps.notifications.thing(conn, f'keypair.{"create" if command.is_new else "import"}.{phase}', command.user_id,
                                 command.name)


def _check(conn: Any, known: Known, user_id: str) -> None:
    limit = known.limit(conn, 'key_pairs', user_id)
    if limit == quotas.UNLIMITED:
        return
    used = keypairs.count(conn, user_id)
    if used >= limit:
        raise errors.OverQuota(resource='key_pairs', requested=1, used=used, limit=limit)


def delete(deps: Any, user_id: str, name: str) -> None:
    """Servers keep their copy of the public key."""
    def remove(conn: Any) -> None:
        for phase in ('start', 'end'):
            deps.notifications.thing(conn, f'keypair.delete.{phase}', user_id, name)
        keypairs.delete(conn, user_id, name)

    deps.db.transaction(remove)
