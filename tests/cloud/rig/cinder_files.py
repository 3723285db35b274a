# SPDX-License-Identifier: Apache-2.0
"""A volume driver of Cinder whose volumes are files in ``[desk] folder``: it needs no privilege and no other program.

Images have to be raw, and go into the file as they are.
"""

import os
import shutil

from cinder.common import constants
from cinder.volume import driver
from oslo_config import cfg

OPTS = [cfg.StrOpt('desk_folder', help='Where the files are.')]
cfg.CONF.register_opts(OPTS, group='desk')
GIB = 1 << 30


class FilesDriver(driver.VolumeDriver):
    """Sparse files that grow and shrink nowhere else."""

    VERSION = '1.0.0'

    def __init__(self, *args: object, **known: object) -> None:
        super().__init__(*args, **known)
        self.configuration.append_config_values(OPTS)
        self._folder = self.configuration.desk_folder

    def check_for_setup_error(self) -> None:
        os.makedirs(self._folder, exist_ok=True)

    def _update_volume_stats(self) -> None:
        self._stats = {
            'volume_backend_name': 'desk', 'vendor_name': 'nova-lite', 'driver_version': self.VERSION,
            'storage_protocol': constants.FILE, 'total_capacity_gb': 1000, 'free_capacity_gb': 900,
            'reserved_percentage': 0, 'multiattach': True, 'online_extend_support': True,
            'thin_provisioning_support': True, 'max_over_subscription_ratio': 20}

    def _path(self, name: str) -> str:
        return os.path.join(self._folder, name)

    # ------------------------------------------------------------------- volumes

    def create_volume(self, volume: object) -> None:
        with open(self._path(volume.name), 'wb') as file:
            file.truncate(volume.size * GIB)

    def delete_volume(self, volume: object) -> None:
        self._remove(volume.name)

    def extend_volume(self, volume: object, new_size: int) -> None:
        os.truncate(self._path(volume.name), new_size * GIB)

    def create_cloned_volume(self, volume: object, src_vref: object) -> None:
        self._copy(src_vref.name, volume)

    def create_snapshot(self, snapshot: object) -> None:
        shutil.copyfile(self._path(snapshot.volume.name), self._path(snapshot.name))

    def delete_snapshot(self, snapshot: object) -> None:
        self._remove(snapshot.name)

    def create_volume_from_snapshot(self, volume: object, snapshot: object) -> None:
        self._copy(snapshot.name, volume)

    def _copy(self, name: str, volume: object) -> None:
        shutil.copyfile(self._path(name), self._path(volume.name))
        os.truncate(self._path(volume.name), volume.size * GIB)

    def _remove(self, name: str) -> None:
        if os.path.exists(self._path(name)):
            os.unlink(self._path(name))

    # -------------------------------------------------------------------- images

    def clone_image(self, context: object, volume: object, image_location: object, image_meta: dict,
                    image_service: object) -> tuple[dict, bool]:
        """All of the way from an image to a volume, so that nothing has to be converted."""
        self.copy_image_to_volume(context, volume, image_service, image_meta['id'])
        return {}, True

    def copy_image_to_volume(self, context: object, volume: object, image_service: object, image_id: str,
                             disable_sparse: bool = False) -> None:
        with open(self._path(volume.name), 'wb') as file:
            image_service.download(context, image_id, file)
        os.truncate(self._path(volume.name), volume.size * GIB)

    # --------------------------------------------------------------- connections

    def initialize_connection(self, volume: object, connector: dict) -> dict:
        return {'driver_volume_type': 'local', 'data': {
            'device_path': self._path(volume.name), 'format': 'raw', 'host': connector.get('host')}}

    def terminate_connection(self, volume: object, connector: dict | None, **known: object) -> None:
        """Nobody keeps a file open for somebody else."""

    def create_export(self, context: object, volume: object, connector: dict) -> None:
        """A file needs none."""

    def ensure_export(self, context: object, volume: object) -> None:
        """A file needs none."""

    def remove_export(self, context: object, volume: object) -> None:
        """A file needs none."""
