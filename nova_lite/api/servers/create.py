# SPDX-License-Identifier: Apache-2.0
"""From the body of ``POST /servers`` to a command, and from the new servers to the answer."""

from collections.abc import Mapping
from typing import Any

from nova_lite import errors
from nova_lite.api.servers import acting, rules
from nova_lite.clients.image import Image
from nova_lite.db.queries import flavors
from nova_lite.model import block_devices, zones
from nova_lite.ops import create as ops
from nova_lite.wsgi import formats
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import Raw
from nova_lite.wsgi.window import until

NAME_IS_DESCRIPTION = 'a server without a description is described by its name'
FLAGS = ((NAME_IS_DESCRIPTION, until(18)),)


def create(call: Call) -> Raw:
    """Create one or more servers."""
    body = call.body['server']
    hints = call.body.get('os:scheduler_hints', call.body.get('OS-SCH-HNT:scheduler_hints'))
    command = _command(call, body, hints or {})
    created = ops.create(call.services, call.context, command)
    if formats.as_bool(body.get('return_reservation_id', False)):
        return Raw({'reservation_id': created.reservation_id})
    return _answer(call, body, created.servers[0], command.admin_password)


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
    flavor = _flavor(call, str(body['flavorRef']))
    if image is not None and not flavor.disk:
        call.authorize(rules.ZERO_DISK)
    name = body['name'].strip()
    description = name if call.has(NAME_IS_DESCRIPTION) else body.get('description')
    return ops.CreateServers(
        name=name, flavor=flavor, image=image, min_count=least, max_count=most, key_name=body.get('key_name'),
        metadata=body.get('metadata', {}), user_data=body.get('user_data'),
        config_drive=formats.as_bool(body.get('config_drive', False)), place=place, host=body.get('host'),
        hypervisor_hostname=body.get('hypervisor_hostname'), networks=body.get('networks'),
        security_groups=tuple(group['name'] for group in body.get('security_groups', ()) if 'name' in group),
        personality=tuple(body.get('personality', ())), hints=hints, tags=tuple(body.get('tags', ())),
        description=description, hostname=body.get('hostname'),
        trusted_image_certificates=body.get('trusted_image_certificates'),
        disk_config=body.get('OS-DCF:diskConfig'), access_ip_v4=body.get('accessIPv4'),
        access_ip_v6=body.get('accessIPv6'),
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
    if body.get('block_device_mapping') and body.get('block_device_mapping_v2'):
        raise errors.Invalid('block_device_mapping and block_device_mapping_v2 cannot be given together.')
    image_ref = block_devices.root_image(body.get('imageRef'), body.get('block_device_mapping_v2', ()),
                                         body.get('block_device_mapping', ()))
    if image_ref is None:
        return None
    try:
        found: Image = call.services.images.show(call.context, image_ref)
    except errors.ImageNotFound as error:
        # What the path names is not missing; a value in the body is wrong.
        raise errors.Invalid(f'Invalid input for server/imageRef: {error}') from None
    return found


def _flavor(call: Call, flavor_id: str) -> Any:
    try:
        with call.services.db.read() as conn:
            return flavors.get(conn, flavor_id, call.context.project_id, call.context.is_admin)
    except errors.FlavorNotFound as error:
        raise errors.Invalid(f'Invalid input for server/flavorRef: {error}') from None
