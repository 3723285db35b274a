# SPDX-License-Identifier: Apache-2.0
"""The volumes that a new server takes over: reserved before the server is stored.

So of several requests for one volume all but one are refused at once.  Before the first volume is reserved, the
work list says that they have to be given back in a minute; the transaction that stores the server takes that away
again.  If this process dies in between, no volume is left reserved for a server that nobody knows.
"""

import contextlib
import datetime
import logging
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nova_lite import errors
from nova_lite.auth.context import RequestContext, service_context
from nova_lite.db.queries import operations
from nova_lite.model import block_devices, times
from nova_lite.model.block_devices import MAKING, VOLUME, Device, Wish
from nova_lite.ops.base import Deps, operation_row

LOG = logging.getLogger(__name__)

#: The chore of conductors that gives volumes back.
_CHORE = 'release_volumes'
#: How long a create may take from its first volume to its row; afterwards the volumes are not its own any more.
_LIMIT = datetime.timedelta(seconds=60)


@dataclass(frozen=True)
class Taken:
    """Columns that the new server has of its volumes, and the chore that stands by in case it is never stored."""

    columns: Mapping[str, Any]
    chore: str | None = None

    def keep(self, conn: Any) -> None:
        """The volumes are the server's if this transaction comes to its end."""
        if self.chore is not None and not operations.withdraw(conn, self.chore):
            raise errors.Unavailable(reason='The volumes of the new server were given back, because this took too '
                                            'long.')


@contextlib.contextmanager
def taken(deps: Deps, context: RequestContext, wishes: Sequence[Wish], root_name: str) -> Iterator[Taken]:
    """Have the volumes among the wishes reserved for one new server; if the block fails, they are given back."""
    if not any(wish.source == VOLUME for wish in wishes):
        yield Taken({})
        return
    server_uuid = str(uuid.uuid4())
    devices = block_devices.devices(wishes, root_name)
    row = _chore(context, server_uuid, devices)
    deps.db.apart(operations.insert, [row])
    try:
        yield Taken({'uuid': server_uuid, 'block_devices': _reserved(deps, context, server_uuid, devices)}, row['id'])
    except Exception:
        _give_back(deps, server_uuid, devices, row['id'])
        raise


def _chore(context: RequestContext, server_uuid: str, devices: Sequence[Device]) -> dict[str, Any]:
    now = times.utcnow()
    # The volumes were there before the server: whatever it wished for its end, they stay.
    params = {'server_uuid': server_uuid, 'project_id': context.project_id, 'user_id': context.user_id,
              'devices': [{**one, 'status': MAKING, 'delete_on_termination': False} for one in devices
                          if one['volume_id']]}
    return {**operation_row(context, _CHORE, server_uuid, None, params, now), 'lease_until': now + _LIMIT}


def _reserved(deps: Deps, context: RequestContext, server_uuid: str, devices: Sequence[Device]) -> list[Device]:
    return [{**one, 'attachment_id': _reserve(deps, context, server_uuid, one)} if one['volume_id'] else one
            for one in devices]


def _reserve(deps: Deps, context: RequestContext, server_uuid: str, one: Device) -> str:
    try:
        return deps.volumes.reserve(context, one['volume_id'], server_uuid, key=one['id'])
    except (errors.Conflict, errors.VolumeNotFound) as error:
        # Somebody else was faster; the request is as wrong as if it had come later.
        raise errors.Invalid(reason=f'A block device cannot be made: {error}') from None


def _give_back(deps: Deps, server_uuid: str, devices: Sequence[Device], chore: str) -> None:
    """Give the volumes back now; where that fails, the chore does it at its time."""
    try:
        for one in devices:
            if one['volume_id']:
                for attachment in deps.volumes.show(service_context(), one['volume_id']).attachments:
                    if attachment.server_uuid == server_uuid:
                        deps.volumes.detach(service_context(), attachment.id)
        deps.db.apart(operations.withdraw, chore)
    except Exception as error:
        LOG.warning('Volumes of a server that was not created are given back within %d seconds: %s: %s',
                    _LIMIT.total_seconds(), type(error).__name__, error)
