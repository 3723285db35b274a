# SPDX-License-Identifier: Apache-2.0
"""Create servers: check the wishes, book the quota, store the rows, and put the builds on the work list."""

import random
import string
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nova_lite import errors
from nova_lite.auth.context import RequestContext
from nova_lite.clients.image import Image
from nova_lite.db.queries import actions, keypairs, operations, servers, tags
from nova_lite.model import block_devices, names, states, times
from nova_lite.model.zones import Place
from nova_lite.ops import create_checks, create_disks, create_networks, create_volumes, quotas, server_groups
from nova_lite.ops.base import Deps, action_row, operation_row, wake
from nova_lite.ops.change import check_metadata

#: In the template in place of the disks, which each server has as devices of its own; one whose volumes are
#: reserved has them and its id there already.
_WISHES = 'block_devices'
_RESERVATION = string.ascii_lowercase + string.digits
_FLAVOR = ('flavorid', 'name', 'ram', 'vcpus', 'disk', 'ephemeral', 'swap', 'rxtx_factor', 'extra_specs')


@dataclass(frozen=True)
class CreateServers:
    """Make ``min_count`` to ``max_count`` servers, as many as the quota has room for.

    ``flavor`` is a row of ``flavors``, ``image`` what the image service says.  ``place`` is what
    ``model.zones.parse`` made of availability_zone: its host and node are an administrator's order;
    ``host`` and ``hypervisor_hostname`` are a wish that the filters still have to agree with.
    ``any_network``: networks that lead outside, too.  ``disks`` is what ``model.block_devices.plan`` made of the
    image and the block devices, None for just the image; ``multiattach``: volumes of several servers may be among
    them.
    """

    name: str
    flavor: Any
    image: Image | None
    disks: block_devices.Plan | None = None
    multiattach: bool = True
    min_count: int = 1
    max_count: int = 1
    key_name: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    user_data: str | None = None
    config_drive: bool = False
    place: Place = Place()
    host: str | None = None
    hypervisor_hostname: str | None = None
    networks: str | Sequence[Mapping[str, Any]] | None = None
    any_network: bool = False
    security_groups: Sequence[str] = ()
    personality: Sequence[Any] = ()
    hints: Mapping[str, Any] = field(default_factory=dict)
    tags: Sequence[str] = ()
    description: str | None = None
    hostname: str | None = None
    trusted_image_certificates: Sequence[str] | None = None
    disk_config: str | None = None
    access_ip_v4: str | None = None
    access_ip_v6: str | None = None
    admin_password: str | None = None


@dataclass(frozen=True)
class Created:
    """The new servers, as dictionaries of the columns of ``servers``."""

    servers: list[dict[str, Any]]
    reservation_id: str


def create(deps: Deps, context: RequestContext, command: CreateServers) -> Created:
    """Accept the request; all servers of it, or an error and none."""
    template, owner = prepare(deps, context, command)
    with create_volumes.taken(deps, context, template.get(_WISHES, ()), template['root_device_name']) as volumes:
        created, operation_ids = deps.db.transaction(
            _store_with, deps, volumes, context, command, template, owner)
    wake(deps, context, operation_ids)
    return created


def _store_with(conn: Any, deps: Deps, volumes: create_volumes.Taken, context: RequestContext,
                command: CreateServers, template: Mapping[str, Any], owner: quotas.Owner) -> tuple[Created, list[str]]:
    volumes.keep(conn)
    created, work = store(conn, context, command, {**template, **volumes.columns}, owner)
    deps.notifications.created(conn, context, created.servers)
    if 'group' in command.hints:
        deps.notifications.thing(conn, 'server_group.add_member', command.hints['group'])
    return created, work


def prepare(deps: Deps, context: RequestContext, command: CreateServers) -> tuple[dict[str, Any], quotas.Owner]:
    """What ``store`` needs beside the command, if nothing in it is impossible."""
    if context.project_id is None or context.user_id is None:
        raise errors.Invalid(reason='Servers belong to a project and a user; this token names none.')
    create_checks.check(command)
    disks = create_disks.find(deps, context, command)
    networking = create_networks.columns(deps, context, command)
    known = deps.limits.of(context.project_id)
    with deps.db.read() as conn:
        limits = known.effective(conn, context.user_id)
        create_checks.check_place(conn, deps.conf, command)
        key = _key(conn, context.user_id, command.key_name)
    check_metadata(command.metadata, limits.user['metadata_items'])
    create_checks.check_files(limits.user, command.personality)
    template = {**_template(deps, context, command, disks, key), **networking}
    create_checks.check_count(limits.user, template['flavor'], command.min_count)
    return template, quotas.Owner(context.project_id, context.user_id, limits)


def _key(conn: Any, user_id: str, name: str | None) -> Any:
    if name is None:
        return None
    try:
        return keypairs.get(conn, user_id, name)
    except errors.KeypairNotFound as error:
        # What the path names is not missing; a value in the body is wrong.
        raise errors.Invalid(reason=str(error)) from None


def _template(deps: Deps, context: RequestContext, command: CreateServers, disks: create_disks.Disks,
              key: Any) -> dict[str, Any]:
    """The columns that all servers of the request share."""
    properties = disks.properties
    automatic = str(properties.get('auto_disk_config', '')).lower() == 'true'
    zone = command.place.zone or deps.conf.default_schedule_zone
    return {
        'project_id': context.project_id, 'user_id': context.user_id,
        'reservation_id': 'r-' + ''.join(random.choices(_RESERVATION, k=8)),
        'description': command.description, 'vm_state': states.BUILDING, 'task_state': states.SCHEDULING,
        'power_state': 0, 'progress': 0, 'locked': False,
        'availability_zone': zone, 'pinned_availability_zone': zone,
        'image_ref': command.image.id if command.image else None, 'image_properties': dict(properties),
        'kernel_id': properties.get('kernel_id'), 'ramdisk_id': properties.get('ramdisk_id'),
        'flavor': _flavor(command.flavor, disks),
        'key_name': command.key_name, 'public_key': key.public_key if key else None,
        'key_type': key.type if key else None, 'user_data': command.user_data,
        'config_drive': command.config_drive or properties.get('img_config_drive') == 'mandatory',
        'disk_config': command.disk_config or ('AUTO' if automatic else 'MANUAL'),
        'root_device_name': _root_name(disks),
        'access_ip_v4': command.access_ip_v4, 'access_ip_v6': command.access_ip_v6, 'addresses': {},
        'metadata': dict(command.metadata), 'scheduler_hints': dict(command.hints),
        'trusted_image_certificates': list(command.trusted_image_certificates)
        if command.trusted_image_certificates is not None else None,
        'system_metadata': {key: value for key, value in (
            ('boot_roles', ','.join(context.roles)), ('owner_user_name', context.user_name),
            ('owner_project_name', context.project_name)) if value},
        'deleted': False, **({_WISHES: disks.wishes} if disks.wishes else {}),
    }


def _flavor(flavor: Any, disks: create_disks.Disks) -> dict[str, Any]:
    known = {name: getattr(flavor, name) for name in _FLAVOR}
    return {**known, block_devices.ON_VOLUME: True} if disks.on_volume else known


def _root_name(disks: create_disks.Disks) -> str:
    said = next((wish.device for wish in disks.wishes if wish.boot_index == 0), None)
    return str(said or disks.properties.get('root_device_name') or block_devices.ROOT)


def store(conn: Any, context: RequestContext, command: CreateServers, template: Mapping[str, Any],
          owner: quotas.Owner) -> tuple[Created, list[str]]:
    """The new servers and the operations that build them."""
    group = server_groups.lock(conn, context, command.hints['group']) if 'group' in command.hints else None
    counts = (command.min_count, min(command.max_count, create_checks.MOST_SERVERS))
    count = counts[0] if counts[0] == counts[1] else quotas.how_many(conn, owner, template['flavor'], counts)
    rows = _rows(command, template, count)
    for row, row_id in zip(rows, servers.insert(conn, rows), strict=True):
        row['id'] = row_id
    if group is not None:
        server_groups.join(conn, group, owner, [row['uuid'] for row in rows])
    work = _work(conn, context, command, rows)
    for row in rows if command.tags else ():
        tags.add(conn, row['uuid'], sorted(set(command.tags)))
    # Last, because other requests of the project wait from here to the end of the transaction.
    quotas.book(conn, owner, template['flavor'], count)
    return Created(rows, template['reservation_id']), work


def _rows(command: CreateServers, template: Mapping[str, Any], count: int) -> list[dict[str, Any]]:
    now = times.utcnow()
    rows = []
    for index, name in enumerate(names.numbered(command.name, count)):
        server_uuid = template.get('uuid') or str(uuid.uuid4())
        hostname = command.hostname or names.hostname(name, f'server-{server_uuid}')
        disks = {_WISHES: block_devices.devices(template[_WISHES], template['root_device_name'])
                 } if _WISHES in template and 'uuid' not in template else {}
        rows.append({**template, **disks, 'uuid': server_uuid, 'name': name, 'hostname': hostname,
                     'launch_index': index, 'created_at': now, 'updated_at': now})
    return rows


def _work(conn: Any, context: RequestContext, command: CreateServers, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Store the action and the operation of each server; the operations' ids."""
    started = [action_row(context, row['uuid'], 'create') for row in rows]
    if len(started) == 1:
        action_ids = {rows[0]['uuid']: actions.insert(conn, started[0])}
    else:
        actions.insert_many(conn, started)
        action_ids = actions.ids_of_request(conn, context.request_id, [row['uuid'] for row in rows])
    params = create_checks.placing(command)
    if command.personality:
        params['personality'] = [dict(file) for file in command.personality]
    if command.admin_password is not None:
        params['admin_password'] = command.admin_password
    now = times.utcnow()
    work = [operation_row(context, 'build', row['uuid'], action_ids[row['uuid']], params, now) for row in rows]
    operations.insert(conn, work)
    return [row['id'] for row in work]
