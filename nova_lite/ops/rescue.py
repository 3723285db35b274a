# SPDX-License-Identifier: Apache-2.0
"""Rescue a server: boot it from another image, and back."""

from dataclasses import dataclass, field
from typing import Any

from nova_lite import errors
from nova_lite.auth.context import RequestContext
from nova_lite.model import states
from nova_lite.ops.base import Act, Deps, begin, judge

_RESCUE = Act('rescue', 'rescue', 'rescue', needs='rescue')
_UNRESCUE = Act('unrescue', 'unrescue', 'unrescue', needs='rescue')


@dataclass(frozen=True)
class RescueServer:
    """Boot from ``image_ref``, or from the image that the server was made from."""

    server: Any
    password: str = field(repr=False)
    image_ref: str | None = None
    override_lock: bool = False


@dataclass(frozen=True)
class UnrescueServer:
    """Boot from the server's own disk again."""

    server: Any
    override_lock: bool = False


def rescue(deps: Deps, context: RequestContext, command: RescueServer) -> None:
    """Accept a rescue; errors.Invalid for an image that cannot be booted."""
    judge('rescue', command.server, command.override_lock)
    if command.image_ref is not None:
        _check_image(deps, context, command.image_ref)
    begin(deps, context, command.server, _RESCUE, override_lock=command.override_lock, params={
        'image': command.image_ref, 'was_running': command.server.vm_state == states.ACTIVE,
        'admin_password': command.password})


def _check_image(deps: Deps, context: RequestContext, image_ref: str) -> None:
    try:
        image = deps.images.show(context, image_ref)
    except errors.ImageNotFound as error:
        # What the path names is not missing; a value in the body is wrong.
        raise errors.Invalid(reason=f'Invalid input for rescue/rescue_image_ref: {error}') from None
    if image.status != 'active':
        raise errors.Invalid(reason=f'Image {image.id} is {image.status}, not active.')


def unrescue(deps: Deps, context: RequestContext, command: UnrescueServer) -> None:
    """Accept the end of a rescue."""
    begin(deps, context, command.server, _UNRESCUE, override_lock=command.override_lock)
