# SPDX-License-Identifier: Apache-2.0
"""Network cards that come and go while a guest is there.

Those that a guest was made with may be arguments of QEMU, of which libvirt knows nothing; they are taken out of the
arguments, and out of the guest by QEMU itself.
"""

import time
from typing import Any

from oslo_config import cfg

from nova_lite import concurrency, errors
from nova_lite.virt import base
from nova_lite.virt.libvirt import design, hotplug, user_network, xml
from nova_lite.virt.libvirt.connection import Connection
from nova_lite.virt.libvirt.domains import POLL, Domains
from nova_lite.virt.libvirt.wishes import Wishes


class LibvirtInterfaces(base.InterfacePort):
    """The port for them."""

    _conf: cfg.ConfigOpts
    _connection: Connection
    _domains: Domains

    def attach_interface(self, server_uuid: str, interface: dict[str, Any]) -> None:
        """Plug it in; of the model that the others have."""
        domain = self._domains.description(server_uuid, lasting=True)
        if interface['mac'].lower() in wired(domain):
            return
        models = [model.get('type') for one in xml.interfaces(domain).values()
                  if (model := one.find('model')) is not None]
        wishes = Wishes({'hw_vif_model': models[0]} if models else {}, {})
        card = design.interface_of(self._conf, wishes, 1, interface)
        hotplug.attach(self._connection, self._domains, server_uuid, card.element(), _finder(interface))

    def detach_interface(self, server_uuid: str, interface: dict[str, Any]) -> None:
        """Pull it out."""
        if interface['mac'].lower() in wired(self._domains.description(server_uuid)):
            self._unwire(server_uuid, interface)
        hotplug.detach(self._conf, self._connection, self._domains, server_uuid, _finder(interface))

    def _unwire(self, server_uuid: str, interface: dict[str, Any]) -> None:
        """A guest that does not let go of it has it until its next start."""
        name = user_network.device_id(interface)
        lib = self._connection.lib

        def ask(domain: Any) -> None:
            with self._connection.ignoring('VIR_ERR_INTERNAL_ERROR', 'VIR_ERR_OPERATION_INVALID'):
                self._connection.monitor(domain, 'device_del', id=name)

        def is_there(domain: Any) -> bool:
            if not domain.isActive():
                return False
            known = self._connection.monitor(domain, 'qom-list', path='/machine/peripheral') or ()
            return any(one['name'] == name for one in known)

        if self._domains.run(server_uuid, is_there):
            self._domains.run(server_uuid, ask)
            end = time.monotonic() + self._conf.libvirt.device_detach_timeout
            while self._domains.run(server_uuid, is_there):
                if time.monotonic() > end:
                    raise errors.HypervisorError(
                        reason=f'The guest of server {server_uuid} did not let go of its interface.')
                concurrency.sleep(POLL)
            self._domains.run(server_uuid, lambda domain: self._connection.monitor(
                domain, 'netdev_del', id=f'{name}-net') and None)
        flags = lib.VIR_DOMAIN_XML_INACTIVE | lib.VIR_DOMAIN_XML_SECURE
        text = self._domains.run(server_uuid, lambda domain: domain.XMLDesc(flags))
        self._domains.define(_without(xml.parse(text), name))


def wired(domain: xml.Element) -> list[str]:
    """The MAC addresses of the cards that are arguments."""
    found = (one.get('value', '') for one in domain.iterfind(f'{{{xml.QEMU_NS}}}commandline/{{{xml.QEMU_NS}}}arg'))
    return [word.removeprefix('mac=').lower() for value in found for word in value.split(',')
            if word.startswith('mac=')]


def _without(domain: xml.Element, name: str) -> xml.Element:
    """The domain without both halves of a card."""
    line = domain.find(f'{{{xml.QEMU_NS}}}commandline')
    if line is None:
        return domain
    pairs = [line[number:number + 2] for number in range(0, len(line), 2)]
    kept = [one for pair in pairs for one in pair if not _names(pair[-1].get('value', ''), name)]
    line[:] = kept
    return domain


def _names(value: str, name: str) -> bool:
    return f'id={name}' in value.split(',') or f'id={name}-net' in value.split(',')


def _finder(interface: dict[str, Any]) -> hotplug.Finder:
    mac = interface['mac'].lower()
    return lambda domain: xml.interfaces(domain).get(mac)
