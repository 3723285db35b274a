# SPDX-License-Identifier: Apache-2.0
"""How guests move: their files are set aside on the one host and copied by the other one.

What a guest leaves behind is its directory under another name, with a record of what it was; renaming it is the moment
at which the guest has left.  Disks that lean on an image keep doing so: the other host has the image, or gets it too.
"""

import abc
import json
import logging
import os
from pathlib import Path
from typing import Any

from oslo_config import cfg

from nova_lite import errors
from nova_lite.model.power import Power
from nova_lite.objects.server import Server
from nova_lite.virt import base
from nova_lite.virt.libvirt import disks, inspection, xml
from nova_lite.virt.libvirt.connection import Connection
from nova_lite.virt.libvirt.disks import Disks, complete
from nova_lite.virt.libvirt.domains import Domains
from nova_lite.virt.libvirt.layout import Layout

LOG = logging.getLogger(__name__)

RECORD = 'left.json'
#: In the directory of a guest that is to come while it runs, and is not here to stay yet.
EXPECTED = 'expected'
#: Never copied: what is made anew, and what is about this place only.
_NOT_COPIED = frozenset((RECORD, EXPECTED, 'config.iso'))


class LibvirtMoves(base.MovePort):
    """The port for them."""

    _conf: cfg.ConfigOpts
    _connection: Connection
    _disks: Disks
    _domains: Domains
    _host: str

    @abc.abstractmethod
    def _layout(self, server: Server) -> Layout:
        """The disks of a server."""

    @abc.abstractmethod
    def _define(self, server: Server, disks_: Layout, before: xml.Element | None = None) -> None:
        """Define the guest's domain with these disks."""

    @abc.abstractmethod
    def power_off(self, server_uuid: str, grace: float = 0) -> None:
        """The guest does not run."""

    def prepare_move(self, spec: base.GuestSpec) -> None:
        """Its volumes can be reached from here, and its machine can be built."""
        self._layout(spec.server)

    # ----------------------------------------------------------------------- the source

    def leave(self, server_uuid: str) -> dict[str, Any]:
        """Shut the guest down, write down what it is, and give its directory another name."""
        aside, directory = self._disks.aside(server_uuid), self._disks.directory(server_uuid)
        if not aside.exists():
            domain = self._domains.description(server_uuid, lasting=True)
            self.power_off(server_uuid, self._conf.shutdown_timeout)
            self._write(directory, domain)
            os.rename(directory, aside)
        if not directory.exists():
            self._domains.undefine(server_uuid)
        return self._told(aside)

    def _write(self, directory: Path, domain: xml.Element, **more: Any) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with complete(directory / RECORD) as part:
            part.write_text(json.dumps({'domain': xml.render(domain), **more}))

    def _told(self, aside: Path) -> dict[str, Any]:
        """All that the other host needs: what the guest was, and where its files are."""
        files = {path.name: (base_.name if (base_ := inspection.backing_file(path)) else None)
                 if path.suffix == '.qcow2' else None
                 for path in sorted(aside.iterdir()) if path.name not in _NOT_COPIED}
        return {'domain': _record(aside)['domain'], 'files': files, 'directory': str(aside), 'host': self._host,
                'bases': str(self._disks.cache_path('')), 'address': str(self._conf.my_ip)}

    def come_back(self, server_uuid: str, power: Power) -> None:
        """Undo ``leave``, whatever has arrived since."""
        aside, directory = self._disks.aside(server_uuid), self._disks.directory(server_uuid)
        if aside.exists():
            self._domains.undefine(server_uuid)
            self._disks.remove(directory)
            os.rename(aside, directory)
        if (directory / RECORD).exists() and not self._domains.exists(server_uuid):
            self._domains.define(xml.parse(_record(directory)['domain']))
        self._set_power(server_uuid, power)
        (directory / RECORD).unlink(missing_ok=True)

    def forget(self, server_uuid: str) -> None:
        """Remove the directory that was set aside."""
        self._disks.remove(self._disks.aside(server_uuid))

    def set_aside(self) -> frozenset[str]:
        """All directories that are."""
        return self._disks.set_aside()

    # ------------------------------------------------------------------ the destination

    def arrive(self, spec: base.GuestSpec, disk: dict[str, Any], power: Power) -> None:
        """Copy the files, make what is new, and define the guest anew, its devices where they were."""
        server = spec.server
        if not self._domains.exists(server.uuid):
            directory = self._disks.directory(server.uuid)
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name, base_ in disk.get('files', {}).items():
                self._bring(disk, _checked(name), base_, directory)
            disks_ = self._layout(server)
            self._disks.make(spec, disks_)
            self._disks.grow(disks_)
            self._define(server, disks_, xml.parse(disk['domain']))
        self._set_power(server.uuid, power)

    def _bring(self, disk: dict[str, Any], name: str, base_: str | None, directory: Path) -> None:
        target = directory / name
        if target.exists():
            return
        with complete(target) as part:
            self._copy(disk, Path(disk['directory']) / name, part)
            if base_ is not None:
                base_name = _checked(base_)
                self._disks.lean_on(part, base_name, lambda own: self._copy(disk, Path(disk['bases']) / base_name, own))

    def _copy(self, disk: dict[str, Any], source: Path, target: Path) -> None:
        """From the same machine or a shared directory as a file, else from the other host."""
        if source.exists():
            disks.copy(source, target)
        elif disk['host'] == self._host:
            raise errors.HypervisorError(reason=f'What guest {source.parent.name} left is not there any more.')
        else:
            disks.fetch(self._conf.libvirt.remote_filesystem_transport, disk['address'], str(source), target)

    def withdraw(self, server_uuid: str) -> None:
        """Remove the domain and its files; what is set aside has another directory."""
        if self._disks.aside(server_uuid).exists() or self._disks.directory(server_uuid).exists():
            self._domains.undefine(server_uuid)
            self._disks.remove(self._disks.directory(server_uuid))

    # ---------------------------------------------------------------------------- both

    def _set_power(self, server_uuid: str, power: Power) -> None:
        if power == self._domains.state(server_uuid):
            return
        if power == Power.SHUTDOWN:
            self._domains.stop(server_uuid)
            return
        self._domains.start(server_uuid)
        if power == Power.PAUSED:
            self._domains.run(server_uuid, lambda domain: domain.suspend() and None)


def _record(directory: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((directory / RECORD).read_text())
    return found


def _checked(name: str) -> str:
    """A name that another host says, which must not lead out of the directory."""
    if name != os.path.basename(name) or name in ('', '.', '..'):
        raise errors.HypervisorError(reason=f'{name!r} is no name of a disk.')
    return name
