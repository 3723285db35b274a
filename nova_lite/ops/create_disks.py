# SPDX-License-Identifier: Apache-2.0
"""The disks of new servers, held against what the image and the volume service say of their sources."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from nova_lite import errors
from nova_lite.auth.context import RequestContext
from nova_lite.clients.image import Image
from nova_lite.model import block_devices
from nova_lite.model.block_devices import IMAGE, SNAPSHOT, VOLUME, Wish
from nova_lite.model.volumes import ATTACHING, AVAILABLE, IN_USE, RESERVED, Volume
from nova_lite.ops import create_checks
from nova_lite.ops.base import Deps

if TYPE_CHECKING:
    from nova_lite.ops.create import CreateServers


@dataclass(frozen=True)
class Disks:
    """What servers boot from: ``image`` as the service describes it, what they remember of it, all other disks."""

    image: Image | None
    properties: Mapping[str, Any]
    wishes: tuple[Wish, ...] = ()

    @property
    def on_volume(self) -> bool:
        """Whether the root disk is a volume."""
        return any(wish.boot_index == 0 and wish.is_volume for wish in self.wishes)


def find(deps: Deps, context: RequestContext, command: 'CreateServers') -> Disks:
    """The disks that the request can have, or ``Invalid``."""
    plan = command.disks
    if plan is None or not plan.is_special:
        if command.image is None:
            raise errors.Invalid(reason='The request names no image to boot from (imageRef).')
        create_checks.check_image(command.image, command.flavor)
        return Disks(command.image, create_checks.image_properties(command.image))
    block_devices.check(plan.wishes, command.flavor, deps.conf.max_local_block_devices, command.max_count)
    if any(wish.is_volume for wish in plan.wishes) and not deps.volumes.is_there:
        raise errors.NoVolumeService()
    _check_types(deps, context, plan.wishes)
    if plan.root.is_volume and command.trusted_image_certificates:
        raise errors.Invalid(reason='Certificates of an image cannot be checked for a server that boots from a volume.')
    found = [_source(deps, context, command, wish) for wish in plan.wishes]
    root = plan.wishes.index(plan.root)
    _, image, properties = found[root]
    if image is not None:
        room = SimpleNamespace(name=command.flavor.name, ram=command.flavor.ram,
                               disk=plan.root.size if plan.root.is_volume else command.flavor.disk)
        create_checks.check_image(image, room)
    return Disks(image or command.image, properties, tuple(wish for wish, _, _ in found))


def _check_types(deps: Deps, context: RequestContext, wishes: Sequence[Wish]) -> None:
    for volume_type in {wish.volume_type for wish in wishes if wish.volume_type}:
        try:
            deps.volumes.check_type(context, volume_type)
        except errors.VolumeTypeNotFound as error:
            raise errors.Invalid(reason=f'A block device cannot be made: {error}') from None


_Found = tuple[Wish, Image | None, Mapping[str, Any]]


def _source(deps: Deps, context: RequestContext, command: 'CreateServers', wish: Wish) -> _Found:
    """The wish with its size, the image that it is made of, and what that says of itself."""
    if wish.source == IMAGE:
        image = _image(deps, context, command, str(wish.source_id))
        return wish, image, create_checks.image_properties(image)
    if wish.source == SNAPSHOT:
        return _of_snapshot(deps, context, wish)
    if wish.source == VOLUME:
        volume = _volume(deps, context, command, wish)
        return replace(wish, size=volume.size), None, dict(volume.image_metadata)
    return wish, None, {}


def _image(deps: Deps, context: RequestContext, command: 'CreateServers', image_id: str) -> Image:
    if command.image is not None and command.image.id == image_id:
        return command.image
    try:
        return deps.images.show(context, image_id)
    except errors.ImageNotFound as error:
        # What the path names is not missing; a value in the body is wrong.
        raise errors.Invalid(reason=f'A block device cannot be made: {error}') from None


def _of_snapshot(deps: Deps, context: RequestContext, wish: Wish) -> _Found:
    try:
        snapshot = deps.volumes.snapshot(context, str(wish.source_id))
    except errors.VolumeSnapshotNotFound as error:
        raise errors.Invalid(reason=f'A block device cannot be made: {error}') from None
    if snapshot.status != AVAILABLE:
        raise errors.Invalid(reason=f'Snapshot {snapshot.id} is {snapshot.status}, not {AVAILABLE}.')
    if wish.size is not None and wish.size < snapshot.size:
        raise errors.Invalid(reason=f'Snapshot {snapshot.id} has {snapshot.size} GiB and does not fit into a volume of '
                                    f'{wish.size} GiB.')
    try:
        properties = dict(deps.volumes.show(context, snapshot.volume_id).image_metadata)
    except errors.VolumeNotFound:
        properties = {}
    return replace(wish, size=wish.size or snapshot.size), None, properties


def _volume(deps: Deps, context: RequestContext, command: 'CreateServers', wish: Wish) -> Volume:
    try:
        volume = deps.volumes.show(context, str(wish.source_id))
    except errors.VolumeNotFound as error:
        raise errors.Invalid(reason=f'A block device cannot be made: {error}') from None
    check_free(volume, command.multiattach)
    if wish.boot_index == 0 and not volume.bootable and command.image is None:
        raise errors.Invalid(reason=f'Volume {volume.id} is not bootable.')
    return volume


def check_free(volume: Volume, several: bool) -> None:
    """``Invalid`` unless a server can have the volume; ``several``: the caller knows that others may have it, too."""
    if volume.multiattach and not several:
        raise errors.Invalid(reason=f'Volume {volume.id} can be attached to several servers; that needs microversion '
                                    '2.60 or later.')
    fit = (AVAILABLE, RESERVED, ATTACHING, IN_USE) if volume.multiattach else (AVAILABLE,)
    if volume.status not in fit:
        raise errors.Invalid(reason=f'Volume {volume.id} is {volume.status}; only one that is {" or ".join(fit)} can '
                                    'be attached.')
