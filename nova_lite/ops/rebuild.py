# SPDX-License-Identifier: Apache-2.0
"""Rebuild a server: a new disk from an image, everything else stays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from nova_lite import errors
from nova_lite.auth.context import RequestContext
from nova_lite.clients.image import Image
from nova_lite.db.queries import keypairs, servers
from nova_lite.model import block_devices, states
from nova_lite.ops import create_checks
from nova_lite.ops.base import Act, Deps, begin, judge, require
from nova_lite.ops.change import check_metadata

_REBUILD = Act('rebuild', 'rebuild', 'rebuild')
_REIMAGE = Act('rebuild', 'rebuild', 'rebuild_volume')
_VALUES = frozenset(('name', 'description', 'hostname', 'access_ip_v4', 'access_ip_v6', 'disk_config', 'metadata',
                     'user_data', 'trusted_image_certificates'))
#: Says that a server keeps its key, which None would take away.
KEEP = '\0keep'


@dataclass(frozen=True)
class RebuildServer:
    """Make the disk of ``server`` anew from ``image``.

    ``values`` are columns to change with it; ``key_name`` is the name of another key of the server's user,
    or None for none.  ``on_volume``: a server that boots from a volume has that written over.
    """

    server: Any
    image: Image
    password: str = field(repr=False)
    values: Mapping[str, Any] = field(default_factory=dict)
    key_name: str | None = KEEP
    personality: Sequence[Any] = ()
    preserve_ephemeral: bool = False
    on_volume: bool = True
    override_lock: bool = False


def rebuild(deps: Deps, context: RequestContext, command: RebuildServer) -> Any:
    """Accept a rebuild; the server's row as it is then."""
    server = command.server
    judge('rebuild', server, command.override_lock)
    on_volume = block_devices.is_on_volume(server)
    if not on_volume:
        create_checks.check_image(command.image, SimpleNamespace(**server.flavor))
    act = _REIMAGE if on_volume and _writes_over(deps, context, command) else _REBUILD
    keep_disks = command.preserve_ephemeral and bool(server.flavor['ephemeral'])
    if keep_disks:
        require(deps, server, 'ephemeral', 'preserve_ephemeral')
    values = {name: value for name, value in command.values.items() if name in _VALUES}
    known = deps.limits.of(server.project_id)
    with deps.db.read() as conn:
        limits = known.effective(conn, server.user_id).user
        values.update(_key(conn, server.user_id, command.key_name))
    check_metadata(values.get('metadata', {}), limits['metadata_items'])
    create_checks.check_files(limits, command.personality)
    values.update(_of_image(command.image))
    if on_volume:
        # It was made of a volume, and stays so.
        del values['image_ref']

    accepted: list[Any] = []

    def prepare(conn: Any, row: Any) -> dict[str, Any]:
        servers.update(conn, row.uuid, progress=0, **values)
        accepted[:] = [servers.get(conn, row.uuid)]
        return {'was_stopped': row.vm_state == states.STOPPED}

    params = {'admin_password': command.password, 'keep_disks': keep_disks}
    if act is _REIMAGE:
        params['image'] = command.image.id
    if command.personality:
        params['personality'] = [dict(file) for file in command.personality]
    begin(deps, context, server, act, override_lock=command.override_lock, params=params, prepare=prepare)
    return accepted[0]


def _writes_over(deps: Deps, context: RequestContext, command: RebuildServer) -> bool:
    """Whether the root volume is written over; ``Invalid`` if it has to be and cannot."""
    server = command.server
    if not deps.volumes.is_there:
        raise errors.NoVolumeService()
    if command.values.get('trusted_image_certificates'):
        raise errors.Invalid(reason='Certificates of an image cannot be checked for a server that boots from a volume.')
    with deps.db.read() as conn:
        row = servers.get(conn, server.uuid, frozenset(('block_devices', 'image_ref')))
    volume = deps.volumes.show(context, (block_devices.root_of(row) or {}).get('volume_id') or '')
    if command.on_volume:
        create_checks.check_image(command.image, SimpleNamespace(**{**server.flavor, 'disk': volume.size}))
    elif command.image.id not in (volume.source_image_id, row.image_ref):
        raise errors.Invalid(reason=f'Server {server.uuid} boots from a volume; another image on it needs microversion '
                                    '2.93 or later.')
    return command.on_volume


def _of_image(image: Image) -> dict[str, Any]:
    properties = image.properties
    return {'image_ref': image.id, 'image_properties': create_checks.image_properties(image),
            'kernel_id': properties.get('kernel_id'), 'ramdisk_id': properties.get('ramdisk_id')}


def _key(conn: Any, user_id: str, name: str | None) -> dict[str, Any]:
    if name == KEEP:
        return {}
    if name is None:
        return dict.fromkeys(('key_name', 'public_key', 'key_type'))
    try:
        key = keypairs.get(conn, user_id, name)
    except errors.KeypairNotFound as error:
        # What the path names is not missing; a value in the body is wrong.
        raise errors.Invalid(reason=str(error)) from None
    return {'key_name': name, 'public_key': key.public_key, 'key_type': key.type}
