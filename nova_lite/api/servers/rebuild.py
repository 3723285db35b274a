# SPDX-License-Identifier: Apache-2.0
"""Rebuild. Source: compute API reference, "Servers - run an action"; microversions 2.19 (description), 2.54
(key_name), 2.57 (user_data; no more personality), 2.63 (certificates), 2.75 (answers like show), 2.90 and 2.94
(hostname), 2.93 (servers on volumes)."""

from collections.abc import Mapping
from typing import Any

from nova_lite import errors
from nova_lite.api.servers import bodies, view
from nova_lite.api.servers.acting import action, password, shown_password
from nova_lite.auth import policy
from nova_lite.ops import rebuild as ops
from nova_lite.wsgi import formats, kinds
from nova_lite.wsgi.body import Array, Object, Prop, wrapped
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import Raw, one
from nova_lite.wsgi.window import only, since, until

REBUILD = 'os_compute_api:servers:rebuild'
TRUSTED_CERTS = 'os_compute_api:servers:rebuild:trusted_certs'
_ACTION = '/servers/{id}/action (rebuild)'

RULES = (
    policy.rule(REBUILD, policy.MEMBER_OR_ADMIN, 'Rebuild a server.', ('POST', _ACTION)),
    policy.rule(TRUSTED_CERTS, policy.MEMBER_OR_ADMIN, 'Rebuild a server with trusted image certificates.',
                ('POST', _ACTION)),
)

BODY = wrapped('rebuild', Object(
    Prop('imageRef', formats.UUID, required=True),
    Prop('name', bodies.NAME),
    Prop('adminPass', bodies.text(4096)),
    Prop('metadata', formats.METADATA),
    Prop('preserve_ephemeral', formats.BOOLEAN),
    Prop('OS-DCF:diskConfig', bodies.DISK_CONFIG),
    Prop('accessIPv4', bodies.ACCESS_IP_V4),
    Prop('accessIPv6', bodies.ACCESS_IP_V6),
    Prop('personality', Array(Object(
        Prop('path', bodies.text(4096), required=True),
        Prop('contents', {'type': 'string', 'format': 'base64'}, required=True))), until(56)),
    Prop('description', formats.DESCRIPTION, since(19)),
    Prop('key_name', bodies.or_null(formats.NAME), since(54)),
    Prop('user_data', {'type': ['string', 'null'], 'format': 'base64', 'maxLength': 65535}, since(57)),
    Prop('trusted_image_certificates', bodies.CERTIFICATES, since(63)),
    Prop('hostname', bodies.HOSTNAME, only(90, 93)),
    Prop('hostname', bodies.FQDN, since(94)),
))

NAME_IS_DESCRIPTION = 'a server without a description is described by its name'
SHOWS_USER_DATA = 'the answer shows the user data'
ON_VOLUME = 'the root volume of a server is written over'
FLAGS = ((NAME_IS_DESCRIPTION, until(18)), (SHOWS_USER_DATA, since(57)), (ON_VOLUME, since(93)))

# What the answer shows beside the server.
_PASSWORD = {'adminPass': kinds.TEXT}
_USER_DATA = {'user_data': kinds.maybe(kinds.TEXT)}
# Words of the body, and the columns that they change.
_COLUMNS = {'OS-DCF:diskConfig': 'disk_config', 'accessIPv4': 'access_ip_v4', 'accessIPv6': 'access_ip_v6',
            'description': 'description', 'hostname': 'hostname', 'metadata': 'metadata', 'user_data': 'user_data',
            'trusted_image_certificates': 'trusted_image_certificates'}


def rebuild(call: Call) -> Raw:
    """Make the disk of a server anew from an image."""
    body = call.body
    if body.get('trusted_image_certificates') is not None:
        call.authorize(TRUSTED_CERTS)
    made = password(call, body.get('adminPass'))
    row = ops.rebuild(call.services, call.context, ops.RebuildServer(
        call.target, _image(call, body['imageRef']), made, _values(call, body), body.get('key_name', ops.KEEP),
        tuple(body.get('personality', ())), formats.as_bool(body.get('preserve_ephemeral', False)),
        call.has(ON_VOLUME), call.context.is_admin))
    rendering = call.rendering()
    shown = call.plan.render([row], rendering)[0] if call.plan else {}
    if call.has(SHOWS_USER_DATA):
        shown['user_data'] = row.user_data
    return Raw({'server': {**shown, **shown_password(call, made)}},
               headers={'Location': rendering.links(f'servers/{row.uuid}')[0]['href']})


def _values(call: Call, body: Mapping[str, Any]) -> dict[str, Any]:
    values = {column: body[word] for word, column in _COLUMNS.items() if word in body}
    if 'access_ip_v6' in values:
        values['access_ip_v6'] = bodies.shortest(values['access_ip_v6'])
    if 'name' in body:
        values['name'] = body['name'].strip()
        if call.has(NAME_IS_DESCRIPTION):
            values['description'] = values['name']
    return values


def _image(call: Call, image_ref: str) -> Any:
    try:
        return call.services.images.show(call.context, image_ref)
    except errors.ImageNotFound as error:
        # What the path names is not missing; a value in the body is wrong.
        raise errors.Invalid(f'Invalid input for rebuild/imageRef: {error}') from None


ACTIONS = (
    action('rebuild', rebuild, REBUILD, BODY, flags=FLAGS, errors=(400, 403, 404, 409),
           show=(one('server', view.SERVER, op='rebuild', when=until(56), more=_PASSWORD),
                 one('server', view.SERVER, op='rebuild', when=only(57, 74), more=_PASSWORD | _USER_DATA),
                 one('server', view.SERVER, op='rebuilt', when=since(75), more=_PASSWORD | _USER_DATA))),
)
