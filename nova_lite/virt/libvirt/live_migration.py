# SPDX-License-Identifier: Apache-2.0
"""Guests that go to another host while they run.

The destination makes the files anew, from its own copy of the image, and tells the source where everything is; libvirt
fills in what the guest has written. The guest's directory at the source has the record of a live move from before
libvirt begins until all is over. So a guest that is off and has that record is never started again where it was: it
runs elsewhere, and what is here is from before.
"""

import ipaddress
import json
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from nova_lite import concurrency, errors
from nova_lite.model.power import Power
from nova_lite.objects.server import Server
from nova_lite.virt import base
from nova_lite.virt.libvirt import design, elsewhere, inspection, layout, ports, xml
from nova_lite.virt.libvirt.disks import CONSOLE_LOG
from nova_lite.virt.libvirt.domains import POLL
from nova_lite.virt.libvirt.elsewhere import There
from nova_lite.virt.libvirt.inventory import Inventory
from nova_lite.virt.libvirt.layout import Layout
from nova_lite.virt.libvirt.migration_job import MigrationJob, Order
from nova_lite.virt.libvirt.moves import EXPECTED, RECORD, LibvirtMoves

LIVE = 'live'
#: Processors of guests that are as good as the host's, whatever that is.
_LIKE_HOST = ('host-passthrough', 'maximum')


class LibvirtLiveMigration(LibvirtMoves, base.LiveMigrationPort):
    """The port for them."""

    _defining: threading.Lock
    _ground: design.Ground
    _inventory: Inventory

    # ------------------------------------------------------------------ the destination

    def receive(self, spec: base.GuestSpec, move: Mapping[str, Any]) -> dict[str, Any]:
        """Make the files that the guest's disks will be written to, and choose its ports."""
        server = spec.server
        directory = self._disks.directory(server.uuid)
        disks_ = self._layout(server)
        if disks_.files and move.get('block_migration') is False:
            raise errors.HypervisorError(reason='The server has disks on its host and is to move without them; hosts '
                                                'with libvirt do not share these.')
        if directory.exists() and not (directory / EXPECTED).exists() or self._domains.exists(server.uuid):
            raise errors.HypervisorError(reason=f'Host {self._host} has files of the server already. instances_path '
                                                "must be a directory of each host's own.")
        self._check_room(disks_, bool(move.get('disk_over_commit')))
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        (directory / EXPECTED).touch(mode=0o600)
        for file in disks_.files:
            # Of an attempt before, and nobody knows what was written to it.
            file.path.unlink(missing_ok=True)
        self._disks.make(spec, disks_)
        return asdict(self._there(server, directory, disks_))

    def _check_room(self, disks_: Layout, over_commit: bool) -> None:
        free = os.statvfs(self._disks.root)
        room, wanted = free.f_bavail * free.f_frsize, sum(file.size or 0 for file in disks_.files)
        if wanted > room and not over_commit:
            raise errors.HypervisorError(reason=f'The disks of the server may become {wanted} bytes; host {self._host} '
                                                f'has room for {room}.')

    def _there(self, server: Server, directory: Path, disks_: Layout) -> There:
        conf = self._conf
        about = self._inventory.read(0)
        with self._defining:
            serial = ports.listeners(conf, self._domains, server) if conf.serial_console.enabled else ()
        return There(
            host=self._host, directory=str(directory), log=str(directory / CONSOLE_LOG),
            address=conf.libvirt.live_migration_inbound_addr, kind=self._ground.kind, version=about.hypervisor_version,
            cpu={name: about.cpu_info.get(name) for name in ('arch', 'model', 'features')},
            files={file.path.name: _shape(file.path, file.disk.disk_format) for file in disks_.files},
            vnc=conf.vnc.server_listen if conf.vnc.enabled else None, serial=serial, bridge=conf.libvirt.bridge)

    def turn_away(self, server_uuid: str) -> None:
        """End what is on its way, and remove the files."""
        directory = self._disks.directory(server_uuid)
        if not (directory / EXPECTED).exists():
            return
        if self._domains.exists(server_uuid):
            raise errors.HypervisorError(reason=f'The guest of server {server_uuid} is on host {self._host} already.')
        self._domains.drop_incoming(server_uuid)
        self._disks.remove(directory)

    def arrive(self, spec: base.GuestSpec, disk: dict[str, Any], power: Power) -> None:
        """One that runs is here as soon as libvirt says so; any other is made of what its source left."""
        if disk and not disk.get('arrived'):
            super().arrive(spec, disk, power)
            return
        server_uuid = spec.server.uuid
        while self._domains.is_incoming(server_uuid):
            # The other libvirt brings it to its end, or it vanishes when that one does.
            concurrency.sleep(POLL)
        self._set_power(server_uuid, power)
        (self._disks.directory(server_uuid) / EXPECTED).unlink(missing_ok=True)

    def _keep_arrived(self) -> None:
        """Guests that came while nobody was here to be told of it."""
        for server_uuid in self._domains.states():
            (self._disks.directory(server_uuid) / EXPECTED).unlink(missing_ok=True)

    def set_aside(self) -> frozenset[str]:
        """Those that are expected may have files here as well."""
        expected = (path.parent.name for path in self._disks.root.glob(f'*/{EXPECTED}'))
        return super().set_aside() | frozenset(expected)

    # ----------------------------------------------------------------------- the source

    def live_migrate(self, spec: base.GuestSpec, move: Mapping[str, Any],
                     watch: Callable[[base.Progress], str | None]) -> dict[str, Any]:
        """Have libvirt do it, or join what another process began, and set aside what stays."""
        server_uuid = spec.server.uuid
        aside, directory = self._disks.aside(server_uuid), self._disks.directory(server_uuid)
        if not aside.exists():
            job = MigrationJob(self._conf, self._connection, self._domains, server_uuid)
            if self._is_leaving(directory):
                job.join(watch)
            else:
                order = self._order(spec, _destination(move))
                self._write(directory, self._domains.description(server_uuid, lasting=True), **{LIVE: True})
                job.run(order, watch)
            if not job.has_left():
                raise errors.HypervisorError(reason='The live migration was interrupted.')
            os.rename(directory, aside)
        self._domains.undefine(server_uuid)
        return {'arrived': True, 'host': self._host}

    def _order(self, spec: base.GuestSpec, there: There) -> Order:
        lib, directory = self._connection.lib, self._disks.directory(spec.server.uuid)
        now, lasting = (self._migratable(spec.server.uuid, flags) for flags in (0, lib.VIR_DOMAIN_XML_INACTIVE))
        check_host(now, there, self._inventory.read(0))
        own = {target: name for target, disk in xml.disks(now).items() if disk.get('device') == 'disk'
               and (name := elsewhere.own_file(disk, directory)) is not None}
        flags = ['VIR_MIGRATE_LIVE', 'VIR_MIGRATE_PEER2PEER', 'VIR_MIGRATE_PERSIST_DEST', *self._more_flags()]
        if own:
            flags.append('VIR_MIGRATE_NON_SHARED_INC' if _leans_alike(directory, own.values(), there)
                         else 'VIR_MIGRATE_NON_SHARED_DISK')
        volumes = self._volumes_there(spec.server)
        if volumes:
            # libvirt takes files for files of one host; the volume service says that they are not.
            flags.append('VIR_MIGRATE_UNSAFE')
        now, lasting = (elsewhere.remade(one, directory, there, volumes) for one in (now, lasting))
        return Order(self._uri_of(there), {
            lib.VIR_MIGRATE_PARAM_DEST_XML: xml.render(now), lib.VIR_MIGRATE_PARAM_PERSIST_XML: xml.render(lasting),
            **self._way(there), **({lib.VIR_MIGRATE_PARAM_MIGRATE_DISKS: list(own)} if own else {})}, tuple(flags))

    def _migratable(self, server_uuid: str, flags: int) -> xml.Element:
        lib = self._connection.lib
        flags |= lib.VIR_DOMAIN_XML_MIGRATABLE | lib.VIR_DOMAIN_XML_SECURE
        return xml.parse(self._domains.run(server_uuid, lambda domain: domain.XMLDesc(flags)))

    def _more_flags(self) -> list[str]:
        options = self._conf.libvirt
        return [name for name, wanted in (
            ('VIR_MIGRATE_POSTCOPY', options.live_migration_permit_post_copy),
            ('VIR_MIGRATE_AUTO_CONVERGE', options.live_migration_permit_auto_converge),
            ('VIR_MIGRATE_TLS', options.live_migration_with_native_tls)) if wanted]

    def _volumes_there(self, server: Server) -> dict[str, xml.Disk]:
        """The connections that a server on its way has are those of its destination."""
        said = layout.Defaults(bus='virtio', cdrom_bus='ide', disk_format='qcow2')
        found = (layout.volume(one, said) for one in server.block_devices if one.get('connection') is not None)
        return {f'ua-{disk.alias}': disk for disk in found}

    def _uri_of(self, there: There) -> str:
        options = self._conf.libvirt
        wanted = options.live_migration_uri or f'qemu+{options.live_migration_scheme or "tcp"}://%s/system'
        return str(wanted).replace('%s', _bracketed(there.address or there.host))

    def _way(self, there: There) -> dict[str, Any]:
        """Where the memory and the disks go."""
        lib, bandwidth = self._connection.lib, self._conf.libvirt.live_migration_bandwidth
        found: dict[str, Any] = {lib.VIR_MIGRATE_PARAM_BANDWIDTH: bandwidth} if bandwidth else {}
        if there.address:
            found[lib.VIR_MIGRATE_PARAM_URI] = f'tcp://{_bracketed(there.address)}'
            if _is_ip(there.address):
                found[lib.VIR_MIGRATE_PARAM_LISTEN_ADDRESS] = there.address
        return found

    def come_back(self, server_uuid: str, power: Power) -> None:
        """One that has left for good does not."""
        aside, directory = self._disks.aside(server_uuid), self._disks.directory(server_uuid)
        is_off = self._domains.state(server_uuid) not in (Power.RUNNING, Power.PAUSED)
        if self._is_leaving(aside) or (self._is_leaving(directory) and is_off):
            raise errors.HypervisorError(reason=f'The guest of server {server_uuid} has left host {self._host} while '
                                                'it ran, and is not started twice.')
        super().come_back(server_uuid, power)

    def _is_leaving(self, directory: Path) -> bool:
        """Whether the record of a live move is there."""
        try:
            return bool(json.loads((directory / RECORD).read_text()).get(LIVE))
        except FileNotFoundError:
            return False


def _destination(move: Mapping[str, Any]) -> There:
    """What it said, as far as it is known here."""
    said = move.get('there') or {}
    if not said.get('directory'):
        raise errors.HypervisorError(reason=f'Host {move.get("dest")} has no libvirt for the guest to go to.')
    return There(**{one.name: said[one.name] for one in fields(There) if one.name in said})


def check_host(domain: xml.Element, there: There, here: base.HostInventory) -> None:
    """``HypervisorError`` if the guest cannot run over there; libvirt checks a processor that has a name by itself."""
    problem = None
    if domain.get('type') != there.kind:
        problem = f'the guest runs on {domain.get("type")}, and the host has {there.kind}'
    elif there.version < here.hypervisor_version:
        problem = f'its QEMU is {there.version}, older than {here.hypervisor_version} of host'
    elif there.kind == design.KVM and (cpu := domain.find('cpu')) is not None and cpu.get('mode') in _LIKE_HOST:
        lacking = sorted(set(here.cpu_info.get('features') or ()) - set(there.cpu.get('features') or ()))
        if lacking:
            problem = f'its processor lacks {", ".join(lacking[:5])}'
    if problem is not None:
        raise errors.HypervisorError(reason=f'The guest cannot run on host {there.host}: {problem}.')


def _shape(path: Path, disk_format: str) -> list[Any]:
    """How big a disk is, and the name of the image that it leans on."""
    base_ = inspection.backing_file(path) if disk_format == 'qcow2' else None
    return [inspection.size_of(path, disk_format), base_.stem if base_ else None]


def _leans_alike(directory: Path, names: Any, there: There) -> bool:
    """Whether the disks over there have the same beginnings; ``HypervisorError`` if one cannot take what is here."""
    alike = True
    for name in names:
        path = directory / name
        size, base_ = _shape(path, path.suffix.removeprefix('.'))
        if name not in there.files:
            raise errors.HypervisorError(reason=f'Host {there.host} made no disk {name}.')
        other_size, other_base = there.files[name]
        if size != other_size:
            raise errors.HypervisorError(reason=f'Disk {name} has {size} bytes, and {other_size} on host {there.host}.')
        alike = alike and base_ == other_base
    return alike


def _bracketed(address: str) -> str:
    return f'[{address}]' if ':' in address else address


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
