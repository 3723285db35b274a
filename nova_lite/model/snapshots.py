# SPDX-License-Identifier: Apache-2.0
"""What the image of a server says of itself, when it is made as a snapshot or a backup."""

from collections.abc import Mapping
from typing import Any

from nova_lite.model import moves

SNAPSHOT = 'snapshot'
BACKUP = 'backup'

# What a server, or a volume that was made of an image, remembers of the image that is no property of it.
_FACTS = frozenset(('checksum', 'container_format', 'disk_format', 'image_id', 'image_name', 'min_disk', 'min_ram',
                    'size'))
# What belongs to the very bytes of an image, and would be a lie about those of another.
_NOT_INHERITED = frozenset((
    'cache_in_nova', 'bittorrent', 'img_signature', 'img_signature_certificate_uuid', 'img_signature_hash_method',
    'img_signature_key_type', 'cinder_encryption_key_id', 'cinder_encryption_key_deletion_policy',
    'block_device_mapping', 'bdm_v2', 'root_device_name', 'mappings'))
# What a server's service remembers of the one who made the server.
_REMEMBERED = ('boot_roles', 'owner_project_name', 'owner_user_name')


def name_of_shelved(server_name: str) -> str:
    """What the image of a shelved server is called."""
    return f'{server_name}-shelved'


def image(server: Any, name: str, kind: str, user_id: str | None, project_id: str | None,
          extra: Mapping[str, str]) -> dict[str, Any]:
    """Attributes and properties of a new image, side by side as Image v2 takes them.

    An image that belongs to another project than the server is shared with that.
    """
    known = server.image_properties
    properties = {key: value for key, value in known.items()
                  if key not in _FACTS | _NOT_INHERITED and isinstance(value, str)}
    remembered = server.system_metadata or {}
    properties |= {key: remembered[key] for key in _REMEMBERED if remembered.get(key)}
    properties |= {key: value for key, value in (
        ('base_image_ref', server.image_ref), ('kernel_id', server.kernel_id), ('ramdisk_id', server.ramdisk_id),
        ('instance_uuid', server.uuid), ('user_id', user_id), ('owner_id', server.project_id), ('image_type', kind),
        ('image_location', 'snapshot'), ('image_state', 'available')) if value}
    return {
        **properties, **extra, 'name': name, 'container_format': 'bare',
        'disk_format': known.get('disk_format') or 'raw',
        'visibility': 'private' if project_id == server.project_id else 'shared',
        'min_disk': max(int(known.get('min_disk') or 0), moves.root_disk(server.flavor)),
        'min_ram': int(known.get('min_ram') or 0)}
