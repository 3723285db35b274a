# SPDX-License-Identifier: Apache-2.0
"""How a server looks on the wire, in every version.

Operations that show it: ``show`` (one server; what an update answers from 2.75), ``detail`` (the
list), ``update`` and ``rebuild`` (the shorter answers of those until 2.74).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from nova_lite.api import shared
from nova_lite.api.servers import rules
from nova_lite.db.queries import server_groups, services, tags
from nova_lite.model import states, times
from nova_lite.wsgi import kinds
from nova_lite.wsgi.view import OMIT, Field, Rendering, View, column
from nova_lite.wsgi.window import only, since, until

FULL = frozenset(('show', 'detail', 'rebuilt'))
SINGLE = frozenset(('show', 'update', 'rebuild', 'rebuilt'))
SHORTER = frozenset(('update', 'rebuild'))

_WITH_PROGRESS = frozenset(('ACTIVE', 'BUILD', 'REBUILD', 'RESIZE', 'VERIFY_RESIZE', 'MIGRATING'))
# What a server remembers of its image beside the properties.
_NO_PROPERTIES = frozenset(('container_format', 'disk_format', 'min_disk', 'min_ram', 'kernel_id', 'ramdisk_id'))
_WITH_FAULT = frozenset(('ERROR', 'DELETED'))

# ------------------------------------------------------------------ getters


def _status(row: Any, rendering: Rendering) -> str:
    return states.status(row.vm_state, row.task_state)


def links(row: Any, rendering: Rendering) -> list[dict[str, str]]:
    """The two links of a server."""
    path = f'/servers/{row.uuid}'
    return [{'rel': 'self', 'href': rendering.base + path}, {'rel': 'bookmark', 'href': rendering.bookmark + path}]


def _image(row: Any, rendering: Rendering) -> Any:
    if not row.image_ref:
        return ''
    return {'id': row.image_ref, 'links': rendering.bookmark_link(f'images/{row.image_ref}')}


def _image_with_properties(row: Any, rendering: Rendering) -> Any:
    image = _image(row, rendering)
    if image:
        image['properties'] = {name: value for name, value in row.image_properties.items()
                               if name not in _NO_PROPERTIES}
    return image


def _flavor_link(row: Any, rendering: Rendering) -> dict[str, Any]:
    return {'id': row.flavor_id, 'links': rendering.bookmark_link(f'flavors/{row.flavor_id}')}


def _flavor(row: Any, rendering: Rendering) -> dict[str, Any]:
    flavor = row.flavor
    return {'vcpus': flavor['vcpus'], 'ram': flavor['ram'], 'disk': flavor['disk'],
            'ephemeral': flavor['ephemeral'], 'swap': flavor['swap'], 'original_name': flavor['name']}


def _flavor_with_specs(row: Any, rendering: Rendering) -> dict[str, Any]:
    flavor = row.flavor
    return {'vcpus': flavor['vcpus'], 'ram': flavor['ram'], 'disk': flavor['disk'],
            'ephemeral': flavor['ephemeral'], 'swap': flavor['swap'], 'original_name': flavor['name'],
            'extra_specs': flavor['extra_specs']}


def addresses(row: Any, rendering: Rendering | None = None) -> dict[str, list[dict[str, Any]]]:
    """Addresses by network, as the shorter answers have them."""
    return {network: [{'version': port['version'], 'addr': port['addr']} for port in ports]
            for network, ports in row.addresses.items()}


def _addresses_in_full(row: Any, rendering: Rendering) -> dict[str, list[dict[str, Any]]]:
    return {network: [{'version': port['version'], 'addr': port['addr'], 'OS-EXT-IPS:type': port['type'],
                       'OS-EXT-IPS-MAC:mac_addr': port['mac']} for port in ports]
            for network, ports in row.addresses.items()}


def _zone(row: Any, rendering: Rendering) -> str:
    return row.availability_zone or row.pinned_availability_zone or ''


def _progress(row: Any, rendering: Rendering) -> Any:
    return row.progress if states.status(row.vm_state, row.task_state) in _WITH_PROGRESS else OMIT


def _fault(row: Any, rendering: Rendering) -> Any:
    fault = row.fault
    if not fault or states.status(row.vm_state, row.task_state) not in _WITH_FAULT:
        return OMIT
    shown = {'code': fault['code'], 'created': fault['created'], 'message': fault['message']}
    # What went wrong inside of a host is for administrators.
    if fault.get('details') and (fault['code'] != 500 or rendering.call.context.is_admin):
        shown['details'] = fault['details']
    return shown


def _security_groups(row: Any, rendering: Rendering) -> Any:
    return [{'name': name} for name in row.security_groups] if row.security_groups else OMIT


def _hints(row: Any, rendering: Rendering) -> dict[str, Any]:
    return {name: value if isinstance(value, list) else [value] for name, value in row.scheduler_hints.items()}


def _volumes(row: Any, rendering: Rendering) -> list[dict[str, Any]]:
    return [{'id': one['volume_id']} for one in row.block_devices or () if one['volume_id']]


def _volumes_and_ends(row: Any, rendering: Rendering) -> list[dict[str, Any]]:
    return [{'id': one['volume_id'], 'delete_on_termination': one['delete_on_termination']}
            for one in row.block_devices or () if one['volume_id']]


def _instance_name(row: Any, rendering: Rendering) -> str:
    return str(rendering.loaded['name_template'] % row.id)


def _tags(row: Any, rendering: Rendering) -> Any:
    return rendering.loaded['tags'][row.uuid]


def _groups(row: Any, rendering: Rendering) -> list[str]:
    group = rendering.loaded['groups'].get(row.uuid)
    return [] if group is None else [group]


def _host_status(row: Any, rendering: Rendering) -> str:
    return str(rendering.loaded['host_status'].get(row.host, ''))


def _unknown_host(row: Any, rendering: Rendering) -> Any:
    status = _host_status(row, rendering)
    return status if status == UNKNOWN else OMIT


def _created(row: Any, rendering: Rendering) -> str:
    return row.created_at.isoformat(timespec='seconds') + 'Z'


def _updated(row: Any, rendering: Rendering) -> str:
    return row.updated_at.isoformat(timespec='seconds') + 'Z'


# ------------------------------------------------------------------ loaders

UP, DOWN, MAINTENANCE, UNKNOWN = 'UP', 'DOWN', 'MAINTENANCE', 'UNKNOWN'


def _load_tags(rendering: Rendering, rows: Sequence[Any]) -> Mapping[str, list[str]]:
    with rendering.call.services.db.read() as conn:
        return tags.by_server(conn, [row.uuid for row in rows])


def _load_groups(rendering: Rendering, rows: Sequence[Any]) -> Mapping[str, str]:
    # Servers get into a group by the hint alone, so that the others need no query.
    hinted = [row.uuid for row in rows if 'group' in row.scheduler_hints]
    if not hinted:
        return {}
    with rendering.call.services.db.read() as conn:
        return server_groups.of_servers(conn, hinted)


def _load_host_status(rendering: Rendering, rows: Sequence[Any]) -> Mapping[str, str]:
    """Host → what its service says of itself; a host without a service has no status."""
    wanted = {row.host for row in rows if row.host}
    if not wanted:
        return {}
    down_time = rendering.call.services.conf.service_down_time
    now = times.utcnow()
    found = {}
    with rendering.call.services.db.read() as conn:
        for service in services.by_hosts(conn, wanted, 'nova-compute'):
            seen = service.last_seen_at
            if service.forced_down:
                found[service.host] = DOWN
            elif service.disabled:
                found[service.host] = MAINTENANCE
            else:
                alive = seen is not None and (now - seen).total_seconds() <= down_time
                found[service.host] = UP if alive else UNKNOWN
    return found


def _load_name_template(rendering: Rendering, rows: Sequence[Any]) -> str:
    return str(rendering.call.services.conf.instance_name_template)


LOADERS = {'tags': _load_tags, 'groups': _load_groups, 'host_status': _load_host_status,
           'name_template': _load_name_template}

# -------------------------------------------------------------------- views


_TEXT = kinds.maybe(kinds.TEXT)


def _attribute(name: str, source: str, **more: Any) -> Field:
    return column(f'OS-EXT-SRV-ATTR:{name}', source, rule=rules.EXTENDED_ATTRIBUTES,
                  **{'ops': FULL, 'kind': _TEXT, **more})


def _or_empty(name: str, source: str, **more: Any) -> Field:
    return Field(name, lambda row, _: getattr(row, source) or '', columns=(source,), kind=kinds.TEXT, **more)


def _addressed(fields: Mapping[str, kinds.Kind]) -> kinds.Kind:
    return kinds.mapped(kinds.listed(kinds.record({'version': kinds.INTEGER, 'addr': kinds.TEXT, **fields})))


# The shorter answers and /servers/{id}/ips; the full ones.
ADDRESSES = _addressed({})
_ADDRESSES = _addressed({'OS-EXT-IPS:type': kinds.word('fixed', 'floating'), 'OS-EXT-IPS-MAC:mac_addr': kinds.TEXT})
_LINKED = {'id': kinds.TEXT, 'links': kinds.LINKS}
# A server that boots from a volume has no image.
_IMAGE = {'anyOf': [kinds.word(''), kinds.record(_LINKED)]}
_IMAGE_WITH_PROPERTIES = {'anyOf': [
    kinds.word(''), kinds.record({**_LINKED, 'properties': kinds.mapped(kinds.ANY)})]}
_FLAVOR = {'original_name': kinds.TEXT,
           **dict.fromkeys(('vcpus', 'ram', 'disk', 'ephemeral', 'swap'), kinds.INTEGER)}
_FAULT = kinds.record({'code': kinds.INTEGER, 'created': kinds.TIME, 'message': kinds.TEXT}, {'details': kinds.TEXT})
_POWER = {'type': 'integer', 'enum': [0, 1, 3, 4, 6, 7]}
_VOLUME = kinds.record({'id': kinds.UUID}, {'delete_on_termination': kinds.BOOLEAN})


SERVER = View(
    column('id', 'uuid', kind=kinds.UUID),
    column('name', kind=kinds.TEXT),
    Field('status', _status, columns=('vm_state', 'task_state'), kind=kinds.TEXT),
    column('tenant_id', 'project_id', kind=kinds.TEXT),
    column('user_id', kind=kinds.TEXT),
    column('metadata', kind=kinds.TEXTS),
    Field('hostId', lambda row, _: shared.host_id(row.project_id, row.host), columns=('project_id', 'host'),
          kind=kinds.TEXT),
    Field('image', _image, until(97), columns=('image_ref',), kind=_IMAGE),
    Field('image', _image_with_properties, since(98), columns=('image_ref', 'image_properties'),
          kind=_IMAGE_WITH_PROPERTIES),
    Field('flavor', _flavor_link, until(46), columns=('flavor_id',), kind=kinds.record(_LINKED)),
    Field('flavor', _flavor, since(47), columns=('flavor',), kind=kinds.record(_FLAVOR)),
    Field('flavor', _flavor_with_specs, since(47), rule=rules.EXTRA_SPECS, columns=('flavor',),
          kind=kinds.record({**_FLAVOR, 'extra_specs': kinds.TEXTS})),
    Field('created', _created, columns=('created_at',), kind=kinds.TIME),
    Field('updated', _updated, columns=('updated_at',), kind=kinds.TIME),
    Field('addresses', addresses, ops=SHORTER, columns=('addresses',), kind=ADDRESSES),
    Field('addresses', _addresses_in_full, ops=FULL, columns=('addresses',), kind=_ADDRESSES),
    _or_empty('accessIPv4', 'access_ip_v4'),
    _or_empty('accessIPv6', 'access_ip_v6'),
    Field('links', links, columns=('uuid',), kind=kinds.LINKS),
    column('OS-DCF:diskConfig', 'disk_config', kind=kinds.word('AUTO', 'MANUAL')),
    Field('progress', _progress, columns=('progress', 'vm_state', 'task_state'), sometimes=True, kind=kinds.INTEGER),
    Field('fault', _fault, columns=('fault', 'vm_state', 'task_state'), sometimes=True, kind=_FAULT),
    Field('OS-EXT-AZ:availability_zone', _zone, ops=FULL, columns=('availability_zone', 'pinned_availability_zone'),
          kind=kinds.TEXT),
    Field('config_drive', lambda row, _: 'True' if row.config_drive else '', ops=FULL, columns=('config_drive',),
          kind=kinds.word('', 'True')),
    column('key_name', ops=FULL, kind=_TEXT),
    column('key_name', when=only(54, 74), ops=frozenset(('rebuild',)), kind=_TEXT),
    Field('OS-SRV-USG:launched_at', lambda row, _: shared.wire_time_us(row.launched_at), ops=FULL,
          columns=('launched_at',), kind=kinds.maybe(kinds.TIME_US)),
    Field('OS-SRV-USG:terminated_at', lambda row, _: shared.wire_time_us(row.terminated_at), ops=FULL,
          columns=('terminated_at',), kind=kinds.maybe(kinds.TIME_US)),
    column('OS-EXT-STS:task_state', 'task_state', ops=FULL, kind=_TEXT),
    column('OS-EXT-STS:vm_state', 'vm_state', ops=FULL, kind=kinds.TEXT),
    column('OS-EXT-STS:power_state', 'power_state', ops=FULL, kind=_POWER),
    Field('security_groups', _security_groups, ops=FULL, columns=('security_groups',), sometimes=True,
          kind=kinds.listed(kinds.under('name', kinds.TEXT))),
    Field('os-extended-volumes:volumes_attached', _volumes, until(2), ops=FULL, columns=('block_devices',),
          kind=kinds.listed(kinds.under('id', kinds.UUID))),
    Field('os-extended-volumes:volumes_attached', _volumes_and_ends, since(3), ops=FULL, columns=('block_devices',),
          kind=kinds.listed(_VOLUME)),
    _attribute('host', 'host'),
    _attribute('hypervisor_hostname', 'node'),
    Field('OS-EXT-SRV-ATTR:instance_name', _instance_name, ops=FULL, rule=rules.EXTENDED_ATTRIBUTES,
          columns=('id',), needs=('name_template',), kind=kinds.TEXT),
    _attribute('reservation_id', 'reservation_id', when=since(3)),
    _attribute('launch_index', 'launch_index', when=since(3), kind=kinds.INTEGER),
    _or_empty('OS-EXT-SRV-ATTR:kernel_id', 'kernel_id', when=since(3), ops=FULL, rule=rules.EXTENDED_ATTRIBUTES),
    _or_empty('OS-EXT-SRV-ATTR:ramdisk_id', 'ramdisk_id', when=since(3), ops=FULL, rule=rules.EXTENDED_ATTRIBUTES),
    _attribute('root_device_name', 'root_device_name', when=since(3)),
    # The answer to a rebuild shows it under a name of its own.
    _attribute('user_data', 'user_data', when=since(3), ops=FULL - {'rebuilt'}),
    _attribute('hostname', 'hostname', when=only(3, 89)),
    column('OS-EXT-SRV-ATTR:hostname', 'hostname', since(90), ops=FULL, kind=_TEXT),
    column('locked', when=since(9), kind=kinds.BOOLEAN),
    Field('host_status', _unknown_host, since(16), ops=FULL, rule=rules.UNKNOWN_ONLY, columns=('host',),
          needs=('host_status',), sometimes=True, kind=kinds.TEXT),
    Field('host_status', _host_status, since(16), ops=FULL, rule=rules.HOST_STATUS, columns=('host',),
          needs=('host_status',), kind=kinds.word(UP, DOWN, MAINTENANCE, UNKNOWN, '')),
    column('description', when=since(19), kind=_TEXT),
    Field('tags', _tags, since(26), columns=('uuid',), needs=('tags',), kind=kinds.listed(kinds.TEXT)),
    column('trusted_image_certificates', when=since(63), kind=kinds.maybe(kinds.listed(kinds.TEXT))),
    Field('server_groups', _groups, since(71), ops=SINGLE, columns=('uuid', 'scheduler_hints'), needs=('groups',),
          kind=kinds.listed(kinds.UUID)),
    column('locked_reason', when=since(73), kind=_TEXT),
    column('pinned_availability_zone', when=since(96), kind=_TEXT),
    Field('scheduler_hints', _hints, since(100), columns=('scheduler_hints',),
          kind=kinds.mapped(kinds.listed(kinds.ANY))),
    loaders=LOADERS)

BRIEF = View(column('id', 'uuid', kind=kinds.UUID), column('name', kind=kinds.TEXT),
             Field('links', links, columns=('uuid',), kind=kinds.LINKS))

# One row is read in one piece before it is known what the caller may see.
COLUMNS = frozenset(name for field in SERVER.fields for name in field.columns) | {'deleted'}
