# SPDX-License-Identifier: Apache-2.0
"""The image service as a hypervisor's driver sees it: what is said of an image, and its bytes.

A host asks for itself and not for the user: whether a project may use an image was settled when its request was
accepted, and by the time at which the guest is made, or made again after a crash, the user's token may be gone.
"""

from nova_lite.auth.context import service_context
from nova_lite.clients.image import ImageClient
from nova_lite.virt.base import ImageRecord


class HostImages:
    """An ``ImageSource`` of drivers over the image client."""

    def __init__(self, client: ImageClient) -> None:
        self._client = client

    def describe(self, image_id: str) -> ImageRecord:
        """What the record of an image says."""
        image = self._client.show(service_context(), image_id)
        return ImageRecord(image.id, image.disk_format, image.size, image.checksum, image.hash_algo, image.hash_value)

    def download(self, image_id: str, path: str) -> None:
        """Write the data of an image to ``path``."""
        self._client.download(service_context(), image_id, path)
