# SPDX-License-Identifier: Apache-2.0
"""An index for whatever a list of servers can be sorted by or narrowed to."""

import sqlalchemy as sa
from alembic import op

revision = '0013'
down_revision = '0012'

_COLUMNS = (
    'access_ip_v4', 'access_ip_v6', 'availability_zone', 'config_drive', 'description', 'disk_config', 'flavor_id',
    'host', 'hostname', 'image_ref', 'kernel_id', 'key_name', 'launch_index', 'launched_at', 'locked', 'locked_by',
    'name', 'node', 'power_state', 'progress', 'ramdisk_id', 'root_device_name', 'task_state', 'terminated_at',
    'updated_at', 'user_id', 'vm_state')
_NOT_NULL = ('config_drive', 'disk_config', 'flavor_id', 'hostname', 'launch_index', 'locked', 'name', 'power_state',
             'progress', 'updated_at', 'user_id', 'vm_state')
# Their work is done by those above.
_REPLACED = tuple(f'ix_servers_{name}' for name in ('flavor', 'host', 'image', 'name', 'state', 'updated', 'user'))


def upgrade() -> None:
    """Also right where a killed upgrade has done a part of it: MariaDB cannot roll back tables."""
    present = {index['name'] for index in sa.inspect(op.get_bind()).get_indexes('servers')}
    for column in _COLUMNS:
        name = f'ix_servers_by_{column}'
        if name not in present:
            op.create_index(name, 'servers', ['deleted', column, 'created_at', 'id'],
                            postgresql_ops={} if column in _NOT_NULL else {column: 'NULLS FIRST'})
    for name in _REPLACED:
        if name in present:
            op.drop_index(name, 'servers')
