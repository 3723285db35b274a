# SPDX-License-Identifier: Apache-2.0
"""Root disks: copied while a guest runs, made anew, and laid beside that of a rescue."""

import abc
import os
import pathlib
from pathlib import Path

from oslo_config import cfg

from nova_lite import errors
from nova_lite.model.power import Power
from nova_lite.objects.server import Server
from nova_lite.virt import base
from nova_lite.virt.libvirt import blockjobs, design, layout, qemu_img, xml
from nova_lite.virt.libvirt.connection import Connection
from nova_lite.virt.libvirt.disks import Disks, complete
from nova_lite.virt.libvirt.domains import Domains
from nova_lite.virt.libvirt.layout import Layout

NORMAL = 'normal.xml'


class LibvirtRescues(base.VolumeRescuePort, base.SnapshotPort, base.EphemeralPort):
    """The ports for them."""

    _conf: cfg.ConfigOpts
    _connection: Connection
    _disks: Disks
    _domains: Domains
    _ground: design.Ground

    @abc.abstractmethod
    def _layout(self, server: Server) -> Layout:
        """The disks of a server."""

    @abc.abstractmethod
    def _define(self, server: Server, disks_: Layout, before: xml.Element | None = None) -> None:
        """Define the guest's domain with these disks."""

    # ---------------------------------------------------------------------- snapshot

    def snapshot(self, server_uuid: str, path: pathlib.Path) -> base.Snapshot:
        """Copy the root disk, with all that it takes from its image."""
        wanted = self._conf.libvirt.snapshot_image_format or 'qcow2'
        target, source, known = self._root(server_uuid)
        if self._domains.state(server_uuid) in (Power.RUNNING, Power.PAUSED):
            path.unlink(missing_ok=True)
            blockjobs.copy(self._connection, self._domains, server_uuid, target,
                           xml.Disk(path=str(path), target=target, disk_format=wanted),
                           quiesce=self._has_agent(server_uuid))
            os.chmod(path, 0o600)
        else:
            with complete(path) as part:
                qemu_img.convert(Path(source), known, part, wanted)
        return base.Snapshot(path, wanted, path.stat().st_size)

    def _root(self, server_uuid: str) -> tuple[str, str, str]:
        """Target, path and format of the guest's own root disk, wherever a rescue has put it."""
        directory = self._disks.directory(server_uuid)
        for target, disk in xml.disks(self._domains.description(server_uuid, lasting=True)).items():
            source, driver = disk.find('source'), disk.find('driver')
            path = source.get('file', '') if source is not None else ''
            if Path(path).parent == directory and Path(path).stem == layout.ROOT:
                return target, path, driver.get('type', 'raw') if driver is not None else 'raw'
        raise errors.HypervisorError(reason=f'The guest of server {server_uuid} has no root disk on this host.')

    def _has_agent(self, server_uuid: str) -> bool:
        domain = self._domains.description(server_uuid)
        channel = domain.find(f"devices/channel/target[@name='{xml.AGENT}']")
        return channel is not None and channel.get('state') == 'connected'

    # ------------------------------------------------------------------------ rebuild

    def replace_root(self, spec: base.GuestSpec) -> None:
        """The old root disk is gone with the first step."""
        server = spec.server
        before = self._domains.description(server.uuid, lasting=True)
        self._domains.stop(server.uuid)
        disks_ = self._layout(server)
        root = disks_.file(layout.ROOT)
        if root is not None:
            self._disks.make_file(root, spec.boot_image)
        if disks_.config is not None:
            Path(disks_.config.path).unlink(missing_ok=True)
        self._disks.make(spec, disks_)
        self._define(server, disks_, before)
        self._domains.start(server.uuid)

    # ------------------------------------------------------------------------- rescue

    def rescue(self, spec: base.GuestSpec) -> None:
        """Define the domain with another root disk, keep what it was, and start it."""
        server = spec.server
        normal = self._disks.directory(server.uuid) / NORMAL
        before = self._domains.description(server.uuid, lasting=True)
        if not normal.exists():
            with complete(normal) as part:
                part.write_text(xml.render(before))
        self._domains.stop(server.uuid)
        disks_ = self._rescue_layout(server, xml.parse(normal.read_text()))
        rescue = disks_.files[0]
        if not rescue.path.exists():
            self._disks.make_file(rescue, spec.image or self._conf.libvirt.rescue_image_id or server.image_ref)
        self._define(server, disks_)
        self._domains.start(server.uuid)

    def _rescue_layout(self, server: Server, normal: xml.Element) -> Layout:
        """The rescue disk has the root's place, and the root the next one that is free."""
        own = self._layout(server)
        root = next(disk for disk in own.disks if disk.boot_order == 1)
        wishes = design.wishes_of(server)
        said = layout.defaults(self._conf, wishes, design.machine_of(self._conf, server, self._ground).machine)
        disk = layout.local(self._disks.directory(server.uuid), layout.RESCUE, said, root.target, root.bus, 1)
        beside = layout.free_target((*xml.disks(normal), *(one.target for one in own.disks)), {'disk_bus': root.bus})
        return layout.rescued(own, disk, beside)

    def unrescue(self, server_uuid: str) -> None:
        """Define what it was, remove the rescue's disk, and start it."""
        directory = self._disks.directory(server_uuid)
        normal = directory / NORMAL
        self._domains.description(server_uuid)
        if normal.exists():
            self._domains.stop(server_uuid)
            self._domains.define(xml.parse(normal.read_text()))
            for path in directory.glob(f'{layout.RESCUE}.*'):
                path.unlink(missing_ok=True)
            normal.unlink(missing_ok=True)
        self._domains.start(server_uuid)
