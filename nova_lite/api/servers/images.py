# SPDX-License-Identifier: Apache-2.0
"""Images of servers. Source: compute API reference, "Servers - run an action"; microversions 2.39 (metadata of
images have no quota any more), 2.45 (the answer has the image's id)."""

from typing import Any

from nova_lite.api.servers import bodies
from nova_lite.api.servers.acting import action
from nova_lite.auth import policy
from nova_lite.ops import snapshot as ops
from nova_lite.wsgi import formats, kinds
from nova_lite.wsgi.body import Object, Prop, wrapped
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import Raw
from nova_lite.wsgi.window import since, until

IMAGE = 'os_compute_api:servers:create_image'
BACKUP = 'os_compute_api:os-create-backup'
_ACTION = '/servers/{id}/action'

RULES = (
    policy.rule(IMAGE, policy.MEMBER_OR_ADMIN, 'Make an image of a server.', ('POST', _ACTION + ' (createImage)')),
    policy.rule(BACKUP, policy.MEMBER_OR_ADMIN, 'Back a server up.', ('POST', _ACTION + ' (createBackup)')),
)

BODY = wrapped('createImage', Object(
    Prop('name', bodies.NAME, required=True),
    Prop('metadata', formats.METADATA)))
BACKUP_BODY = wrapped('createBackup', Object(
    Prop('name', bodies.NAME, required=True),
    Prop('backup_type', bodies.text(), required=True),
    Prop('rotation', formats.COUNT, required=True),
    Prop('metadata', formats.METADATA)))

_MADE = kinds.record({'image_id': kinds.UUID})
QUOTA = 'metadata of images have a quota'
LOCATION = 'the answer is a header'
FLAGS = ((QUOTA, until(38)), (LOCATION, until(44)))


def create_image(call: Call) -> Raw:
    """Make an image of a server."""
    body = call.body
    return _answer(call, ops.create_image(call.services, call.context, ops.CreateImage(
        call.target, body['name'].strip(), body.get('metadata', {}), call.has(QUOTA))))


def create_backup(call: Call) -> Raw:
    """Make an image of a server, and keep only so many of its kind."""
    body = call.body
    image_id = ops.create_backup(call.services, call.context, ops.CreateBackup(
        call.target, body['name'].strip(), body['backup_type'], int(body['rotation']), body.get('metadata', {}),
        call.has(QUOTA)))
    return Raw() if image_id is None else _answer(call, image_id)


def _answer(call: Call, image_id: str) -> Raw:
    if call.has(LOCATION):
        return Raw(headers={'Location': _location(call, image_id)})
    return Raw({'image_id': image_id})


def _location(call: Call, image_id: str) -> str:
    """The image where the caller's catalogue has the image service, or else below this API."""
    for service in call.context.service_catalog:
        url: Any = next((one.get('publicURL') or one.get('url') for one in service.get('endpoints', ())
                         if one.get('publicURL') or one.get('interface') == 'public'), None)
        if service.get('type') == 'image' and url:
            return f'{url.rstrip("/")}/v2/images/{image_id}'
    return f'{call.rendering().bookmark}/images/{image_id}'


ACTIONS = (
    action('createImage', create_image, IMAGE, BODY, flags=FLAGS, reply=((_MADE, since(45)),),
           errors=(400, 403, 404, 409, 501)),
    # With a rotation of none, none is made.
    action('createBackup', create_backup, BACKUP, BACKUP_BODY, flags=FLAGS,
           reply=((kinds.or_nothing(_MADE), since(45)),),
           errors=(400, 403, 404, 409, 501)),
)
