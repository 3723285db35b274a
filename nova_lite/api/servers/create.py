# SPDX-License-Identifier: Apache-2.0
"""From the body of ``POST /servers`` to a command, and from the new servers to the answer."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from nova_lite import errors
from nova_lite.api import shared
from nova_lite.api.servers import acting, bodies, rules
from nova_lite.clients.image import Image
from nova_lite.db.queries import flavors
from nova_lite.model import block_devices, zones
from nova_lite.ops import create as ops
from nova_lite.ops import dry_run
from nova_lite.wsgi import formats, kinds
from nova_lite.wsgi.body import Param, Query
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import Raw
from nova_lite.wsgi.window import ALWAYS, since, until

NAME_IS_DESCRIPTION = 'a server without a description is described by its name'
SEVERAL = 'a volume can have several servers'
FLAGS = ((NAME_IS_DESCRIPTION, until(18)), (SEVERAL, since(60)))


_RESERVED = kinds.record({'reservation_id': kinds.TEXT})
_CREATED = kinds.under('server', kinds.record(
    {'id': kinds.UUID, 'links': kinds.LINKS, 'OS-DCF:diskConfig': kinds.word('AUTO', 'MANUAL'),
     'security_groups': kinds.listed(kinds.record({'name': kinds.TEXT}))}, {'adminPass': kinds.TEXT}))
_FORESEEN = kinds.under('dry_run', kinds.record(
    {'possible': kinds.BOOLEAN, 'servers': kinds.INTEGER, 'reason': kinds.TEXT,
     'places': kinds.listed(kinds.record({'availability_zone': kinds.TEXT}, {
         'host': kinds.TEXT, 'hypervisor_hostname': kinds.TEXT}))},
    {'rejected': kinds.listed(kinds.record({'host': kinds.TEXT, 'reason': kinds.TEXT, 'wanted': kinds.ANY,
                                            'had': kinds.ANY}))}))
REPLY: kinds.Kind = {'anyOf': [_CREATED, _RESERVED, _FORESEEN]}

#: An extension of ours; whatever else is in the query is ignored, as ever.
QUERY = Query(Param('dry_run', formats.TEXT), open_=ALWAYS)


def create(call: Call) -> Raw:
    """Create one or more servers."""
    body = call.body['server']
    hints = call.body.get('os:scheduler_hints', call.body.get('OS-SCH-HNT:scheduler_hints'))
    command = _command(call, body, hints or {})
    if shared.parse_bool(call.query.get('dry_run', 'false') or 'false', 'dry_run'):
        return _foreseen(call, command)
    created = ops.create(call.services, call.context, command)
    if formats.as_bool(body.get('return_reservation_id', False)):
        return Raw({'reservation_id': created.reservation_id})
    return _answer(call, body, created.servers[0], command.admin_password)


def _foreseen(call: Call, command: ops.CreateServers) -> Raw:
    """What would become of the servers; hosts are for who may see where a server is."""
    number, found = dry_run.dry_run(call.services, call.services.foresight, call.context, command)
    shown: dict[str, Any] = {'possible': found.possible, 'servers': number, 'reason': found.reason,
                             'places': [{'availability_zone': zone} for zone, _, _ in found.places]}
    if call.can(rules.EXTENDED_ATTRIBUTES):
        for place, (_, host, node) in zip(shown['places'], found.places, strict=True):
            place.update(host=host, hypervisor_hostname=node)
        shown['rejected'] = [{'host': host, 'reason': reason, 'wanted': _plain(wanted), 'had': _plain(had)}
                             for host, reason, wanted, had in found.others]
    return Raw({'dry_run': shown}, status=200)


def _plain(value: object) -> object:
    """A number or a truth as it is, anything else as text."""
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def _answer(call: Call, body: Mapping[str, Any], server: Mapping[str, Any], password: str | None) -> Raw:
    """Of several servers the first one is shown, and all of them have its password."""
    links = call.rendering().links(f'servers/{server["uuid"]}')
    shown = {'id': server['uuid'], 'links': links, 'OS-DCF:diskConfig': server['disk_config'],
             'security_groups': body.get('security_groups', [{'name': 'default'}]),
             **acting.shown_password(call, password or '')}
    return Raw({'server': shown}, headers={'Location': links[0]['href']})


def _command(call: Call, body: Mapping[str, Any], hints: Mapping[str, Any]) -> ops.CreateServers:
    place = zones.parse(body.get('availability_zone'))
    _authorize(call, body, place)
    least = int(body.get('min_count', 1))
    most = int(body.get('max_count', least))
    if least > most:
        raise errors.Invalid(f'min_count {least} is larger than max_count {most}.')
    image = _image(call, body)
    disks = block_devices.plan(image.id if image else None, body.get('block_device_mapping_v2', ()),
                               body.get('block_device_mapping', ()), image.properties if image else None)
    flavor = _flavor(call, str(body['flavorRef']))
    if not (flavor.disk or disks.root.is_volume):
        call.authorize(rules.ZERO_DISK)
    name = body['name'].strip()
    description = name if call.has(NAME_IS_DESCRIPTION) else body.get('description')
    return ops.CreateServers(
        name=name, flavor=flavor, image=image, disks=disks, multiattach=call.has(SEVERAL), min_count=least,
        max_count=most, key_name=body.get('key_name'),
        metadata=body.get('metadata', {}), user_data=body.get('user_data'),
        config_drive=formats.as_bool(body.get('config_drive', False)), place=place, host=body.get('host'),
        hypervisor_hostname=body.get('hypervisor_hostname'), networks=body.get('networks'),
        any_network=bool(body.get('networks')) and call.can(rules.EXTERNAL_NETWORK),
        security_groups=tuple(group['name'] for group in body.get('security_groups', ()) if 'name' in group),
        personality=tuple(body.get('personality', ())), hints=hints, tags=tuple(body.get('tags', ())),
        description=description, hostname=body.get('hostname'),
        trusted_image_certificates=body.get('trusted_image_certificates'),
        disk_config=body.get('OS-DCF:diskConfig'), access_ip_v4=body.get('accessIPv4'),
        access_ip_v6=bodies.shortest(body.get('accessIPv6')),
        admin_password=acting.password(call, body.get('adminPass')))


def _authorize(call: Call, body: Mapping[str, Any], place: zones.Place) -> None:
    """The rules that some words of the body need."""
    needed = (
        (rules.FORCED_HOST, place.forced),
        (rules.DESTINATION, 'host' in body or 'hypervisor_hostname' in body),
        (rules.TRUSTED_CERTS, body.get('trusted_image_certificates') is not None),
        (rules.ATTACH_VOLUME, 'block_device_mapping' in body or 'block_device_mapping_v2' in body),
        (rules.ATTACH_NETWORK, bool(body.get('networks'))),
    )
    for rule, asked in needed:
        if asked:
            call.authorize(rule)


def _image(call: Call, body: Mapping[str, Any]) -> Image | None:
    if not body.get('imageRef'):
        return None
    try:
        found: Image = call.services.images.show(call.context, body['imageRef'])
    except errors.ImageNotFound as error:
        # What the path names is not missing; a value in the body is wrong.
        raise errors.Invalid(f'Invalid input for server/imageRef: {error}') from None
    return found


def _flavor(call: Call, reference: str) -> Any:
    # Clients may give the link that a flavor has instead of its id.
    flavor_id = urlsplit(reference).path.rpartition('/')[2] if '/' in reference else reference
    try:
        with call.services.db.read() as conn:
            return flavors.get(conn, flavor_id, call.context.project_id, call.context.is_admin)
    except errors.FlavorNotFound as error:
        raise errors.Invalid(f'Invalid input for server/flavorRef: {error}') from None
