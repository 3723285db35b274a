# SPDX-License-Identifier: Apache-2.0
"""Rescue a server: boot it from another image, and back."""

from dataclasses import dataclass, field
from typing import Any

from nova_lite import errors
from nova_lite.auth.context import RequestContext
from nova_lite.clients.image import Image
from nova_lite.db.queries import capabilities
from nova_lite.model import block_devices, states
from nova_lite.ops.base import Act, Deps, begin, judge

_RESCUE = Act('rescue', 'rescue', 'rescue', needs='rescue')
_UNRESCUE = Act('unrescue', 'unrescue', 'unrescue', needs='rescue')
#: Properties of an image that is made to be a second disk, which leaves the order of the others as it is.
_STABLE = frozenset(('hw_rescue_bus', 'hw_rescue_device'))


@dataclass(frozen=True)
class RescueServer:
    """Boot from ``image_ref``, or from the image of the server; ``on_volume``: a server that boots from one, too."""

    server: Any
    password: str = field(repr=False)
    image_ref: str | None = None
    on_volume: bool = True
    override_lock: bool = False


@dataclass(frozen=True)
class UnrescueServer:
    """Boot from the server's own disk again."""

    server: Any
    override_lock: bool = False


def rescue(deps: Deps, context: RequestContext, command: RescueServer) -> None:
    """Accept a rescue; errors.Invalid for an image that cannot be booted."""
    judge('rescue', command.server, command.override_lock)
    image = None if command.image_ref is None else _image(deps, context, command.image_ref)
    if block_devices.is_on_volume(command.server):
        _check_on_volume(deps, command, image)
    begin(deps, context, command.server, _RESCUE, override_lock=command.override_lock, params={
        'image': command.image_ref, 'was_running': command.server.vm_state == states.ACTIVE,
        'admin_password': command.password})


def _check_on_volume(deps: Deps, command: RescueServer, image: Image | None) -> None:
    """``Invalid`` unless everybody knows how to do it."""
    server = command.server
    if not command.on_volume:
        raise errors.Invalid(reason=f'Server {server.uuid} boots from a volume; to rescue it needs microversion 2.87 '
                                    'or later.')
    if image is None or not _STABLE.intersection(image.properties):
        raise errors.Invalid(reason=f'Server {server.uuid} boots from a volume; the image to rescue it with needs the '
                                    f'property {" or ".join(sorted(_STABLE))}.')
    with deps.db.read() as conn:
        able = server.host is None or capabilities.can(conn, server.host, 'volume_rescue')
    if not able:
        raise errors.Invalid(reason=f'The hypervisor of server {server.uuid} cannot rescue a server that boots from a '
                                    'volume.')


def _image(deps: Deps, context: RequestContext, image_ref: str) -> Image:
    try:
        image = deps.images.show(context, image_ref)
    except errors.ImageNotFound as error:
        # What the path names is not missing; a value in the body is wrong.
        raise errors.Invalid(reason=f'Invalid input for rescue/rescue_image_ref: {error}') from None
    if image.status != 'active':
        raise errors.Invalid(reason=f'Image {image.id} is {image.status}, not active.')
    return image


def unrescue(deps: Deps, context: RequestContext, command: UnrescueServer) -> None:
    """Accept the end of a rescue."""
    begin(deps, context, command.server, _UNRESCUE, override_lock=command.override_lock)
