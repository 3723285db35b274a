# SPDX-License-Identifier: Apache-2.0
"""What a request may say about disks as long as no volume service is configured: boot from an image."""

from collections.abc import Mapping, Sequence
from typing import Any

from nova_lite import errors

NO_VOLUMES = 'No volume service is configured here: a server can only boot from an image onto a local disk.'
_EMPTY = (None, '')


def root_image(image_ref: str | None, devices: Sequence[Mapping[str, Any]],
               legacy: Sequence[Mapping[str, Any]] = ()) -> str | None:
    """The id of the image that the server boots from; ``Invalid`` for whatever needs a volume."""
    if legacy:
        raise errors.Invalid(reason=NO_VOLUMES)
    found = image_ref or None
    for device in devices:
        if (device.get('source_type'), device.get('destination_type', 'local')) != ('image', 'local'):
            raise errors.Invalid(reason=NO_VOLUMES)
        if device.get('boot_index') not in (0, '0'):
            raise errors.Invalid(reason='The one image of block_device_mapping_v2 needs boot_index 0.')
        image = device.get('uuid')
        if image in _EMPTY or (found is not None and image != found):
            raise errors.Invalid(
                reason=f'block_device_mapping_v2 boots from image {image}, imageRef is {found}; '
                       'they have to be the same.')
        found = image
    return found
