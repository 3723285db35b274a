# SPDX-License-Identifier: Apache-2.0
"""A server as a compute worker needs it: enough to make, change and find its guest."""

from typing import Any

from oslo_utils import versionutils
from oslo_versionedobjects import fields

from nova_lite.objects import base

_LISTS = ('interfaces', 'block_devices')
_TOLD = ('reservation_id', 'kernel_id', 'ramdisk_id', 'root_device_name', 'key_type')
_SINCE_1_1 = (*_LISTS, *_TOLD)


@base.Registry.register
class Server(base.NovaLiteObject):
    """What the conductor hands to a host; the host never reads the database.

    ``flavor`` holds name, vcpus, ram (MiB), disk, ephemeral (GiB), swap (MiB) and extra_specs.
    ``guest_name`` is the name the hypervisor shows (``instance-0000002a``).  ``interfaces`` and
    ``block_devices`` are what the columns of these names in the table ``servers`` hold.

    1.1 added interfaces and block_devices, and what only the server itself wants to know: reservation_id, kernel_id,
    ramdisk_id, root_device_name and key_type.
    """

    VERSION = '1.1'
    fields = {
        'uuid': fields.UUIDField(),
        'id': fields.IntegerField(),
        'guest_name': fields.StringField(),
        'name': fields.StringField(),
        'hostname': fields.StringField(),
        'project_id': fields.StringField(),
        'user_id': fields.StringField(),
        'flavor': base.Json(),
        'image_ref': fields.StringField(nullable=True),
        'image_properties': base.Json(),
        'availability_zone': fields.StringField(nullable=True),
        'config_drive': fields.BooleanField(),
        'user_data': fields.StringField(nullable=True),
        'metadata': base.Json(),
        'key_name': fields.StringField(nullable=True),
        'public_key': fields.StringField(nullable=True),
        'admin_password': fields.StringField(nullable=True),
        'launch_index': fields.IntegerField(),
        'power_state': fields.IntegerField(),
        'interfaces': base.Json(),
        'block_devices': base.Json(),
        'reservation_id': fields.StringField(nullable=True),
        'kernel_id': fields.StringField(nullable=True),
        'ramdisk_id': fields.StringField(nullable=True),
        'root_device_name': fields.StringField(nullable=True),
        'key_type': fields.StringField(nullable=True),
    }

    def obj_load_attr(self, attrname: str) -> None:
        """A conductor of an earlier release knows of none of these, so there is nothing."""
        if attrname not in _SINCE_1_1:
            super().obj_load_attr(attrname)
        setattr(self, attrname, [] if attrname in _LISTS else None)

    def obj_make_compatible(self, primitive: dict[str, Any], target_version: str) -> None:
        """Leave out what a host of an earlier release does not know."""
        super().obj_make_compatible(primitive, target_version)
        if versionutils.convert_version_to_tuple(target_version) < (1, 1):
            for name in _SINCE_1_1:
                primitive.pop(name, None)


def of_row(row: Any, guest_name: str, admin_password: str | None = None) -> Server:
    """The message that is made of a row of the table ``servers``."""
    return Server(
        uuid=row.uuid, id=row.id, guest_name=guest_name, name=row.name, hostname=row.hostname,
        project_id=row.project_id, user_id=row.user_id, flavor=row.flavor, image_ref=row.image_ref,
        image_properties=row.image_properties, availability_zone=row.availability_zone,
        config_drive=row.config_drive, user_data=row.user_data, metadata=row.metadata, key_name=row.key_name,
        public_key=row.public_key, admin_password=admin_password, launch_index=row.launch_index,
        power_state=row.power_state, interfaces=row.interfaces or [], block_devices=row.block_devices or [],
        **{name: getattr(row, name) for name in _TOLD})
