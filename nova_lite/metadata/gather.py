# SPDX-License-Identifier: Apache-2.0
"""What a server is told about itself, gathered from its row in the database or from the message that a host gets.

Both have the same names for the same things.
"""

import base64
import binascii
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from nova_lite import errors
from nova_lite.metadata.document import Address, Disk, Facts, File, Key, Port
from nova_lite.model import block_devices, networks

LOG = logging.getLogger(__name__)


def of_server(server: Any, domain: str = '', vendor_data: Mapping[str, Any] | None = None,
              admin_password: str | None = None, files: Iterable[Mapping[str, str]] = ()) -> Facts:
    """All that there is to tell. ``files`` are as a request has them: path, and contents in base64."""
    return Facts(
        uuid=server.uuid, number=server.id, name=server.name, project_id=server.project_id,
        flavor=server.flavor['name'],
        hostname=f'{server.hostname}.{domain}' if domain and '.' not in server.hostname else server.hostname,
        availability_zone=server.availability_zone or '', launch_index=server.launch_index,
        reservation_id=server.reservation_id or '', image=server.image_ref, kernel=server.kernel_id,
        ramdisk=server.ramdisk_id, root_device=server.root_device_name, metadata=server.metadata,
        user_data=_decoded(server.user_data),
        key=Key(server.key_name, server.public_key, server.key_type or 'ssh')
        if server.key_name and server.public_key else None,
        ports=_ports(server), disks=_disks(server), name_servers=_name_servers(server),
        security_groups=_security_groups(server), vendor_data=vendor_data or {}, admin_password=admin_password,
        files=tuple(File(one['path'], base64.b64decode(one['contents'])) for one in files))


def _ports(server: Any) -> tuple[Port, ...]:
    known = networks.plugged(server.interfaces)
    if known:
        return tuple(Port(one['mac'], one['network_id'], _addresses(one), one['mtu'], one['port_id'], one['tag'])
                     for one in known)
    # Somebody else's record of what the server has tells its addresses only.
    found: dict[tuple[str, str], list[Address]] = {}
    for network, entries in (getattr(server, 'addresses', None) or {}).items():
        for entry in entries:
            found.setdefault((network, entry['mac']), []).append(
                Address(entry['addr'], floating=entry['type'] == 'floating'))
    return tuple(Port(mac, network, tuple(those)) for (network, mac), those in found.items())


def _disks(server: Any) -> tuple[Disk, ...]:
    return tuple(Disk(one['tag'], one['disk_bus'], one['device'], one['volume_id'])
                 for one in block_devices.of_server(server) if one['tag'])


def _addresses(interface: Mapping[str, Any]) -> tuple[Address, ...]:
    fixed = [Address(one['addr'], one['prefix'], one['gateway']) for one in interface['addresses']]
    outside = [Address(address, floating=True) for one in interface['addresses'] for address in one['floating']]
    return (*fixed, *outside)


def _name_servers(server: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for interface in networks.plugged(server.interfaces)
                               for one in interface['addresses'] for name in one['dns']))


def _security_groups(server: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for interface in networks.plugged(server.interfaces)
                               for name in interface['groups']))


def _decoded(user_data: str | None) -> bytes | None:
    if user_data is None:
        return None
    try:
        return base64.b64decode(user_data)
    except binascii.Error:
        LOG.warning('The user data of a server is not base64; the guest does not get any.')
        return None


def read_vendor_data(path: str | None) -> Mapping[str, Any]:
    """The JSON object in the operator's file; ``errors.StartError`` if there is none in it."""
    if not path:
        return {}
    try:
        content = orjson.loads(Path(path).read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise errors.StartError(reason=f'[api] vendordata_jsonfile_path {path} cannot be used: {error}') from error
    if not isinstance(content, dict):
        raise errors.StartError(reason=f'[api] vendordata_jsonfile_path {path} cannot be used: it must hold one '
                                       'JSON object.')
    return content
