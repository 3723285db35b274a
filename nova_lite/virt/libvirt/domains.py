# SPDX-License-Identifier: Apache-2.0
"""The guests of a host as libvirt's domains: found, defined, started, stopped, forgotten.

Only domains that carry our mark with the name of this host are guests; others on the same libvirt are left alone, for
what belongs to no server is destroyed.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

from nova_lite import concurrency, errors
from nova_lite.model.power import Power
from nova_lite.virt.libvirt import xml
from nova_lite.virt.libvirt.connection import TEST, Connection

POLL = 0.2
#: Seconds before a guest that does not go off is asked again; it may not have been listening yet.
FIRST_REPEAT, LONGEST_REPEAT = 1.0, 10.0
#: A process that is busy writing to a disk ends late.
STOP_ATTEMPTS = 5
#: A port that was free when it was looked for may be another process's when QEMU comes to it.
START_ATTEMPTS = 5
TAKEN = ('Address already in use', 'failed to connect to monitor socket')


class Domains:
    """The domains of one host; every method may be called again."""

    def __init__(self, connection: Connection, host: str, renew_ports: Callable[[xml.Element], bool]) -> None:
        self._connection = connection
        self._host = host
        self._renew_ports = renew_ports

    # ---------------------------------------------------------------------- asking

    def states(self) -> dict[str, Power]:
        """What every guest does."""
        def work(conn: Any) -> dict[str, Power]:
            found = {}
            for domain in conn.listAllDomains(0):
                # It may go while it is looked at.
                with self._connection.ignoring('VIR_ERR_NO_DOMAIN'):
                    if self._is_ours(domain):
                        found[domain.UUIDString()] = self._power(domain)
            return found

        return self._connection.run(work)

    def state(self, server_uuid: str) -> Power:
        """What a guest does, ``NOSTATE`` if there is none."""
        try:
            return self.run(server_uuid, self._power)
        except errors.GuestNotFound:
            return Power.NOSTATE

    def exists(self, server_uuid: str) -> bool:
        """Whether there is such a guest."""
        return self.state(server_uuid) is not Power.NOSTATE

    def run(self, server_uuid: str, work: Callable[[Any], Any]) -> Any:
        """What ``work(domain)`` returns, in a native thread; ``GuestNotFound`` if there is no such guest."""
        def found(conn: Any) -> Any:
            domain = self._connection.find(conn, server_uuid)
            if not self._is_ours(domain):
                raise errors.GuestNotFound(server=server_uuid, host=self._host)
            return work(domain)

        return self._connection.run(found, server_uuid)

    def is_incoming(self, server_uuid: str) -> bool:
        """Whether such a guest is on its way from another host."""
        return bool(self._connection.run(lambda conn: self._incoming(conn, server_uuid) is not None))

    def _incoming(self, conn: Any, server_uuid: str) -> Any:
        try:
            domain = self._connection.find(conn, server_uuid)
        except errors.GuestNotFound:
            return None
        return None if domain.isPersistent() else domain

    def description(self, server_uuid: str, lasting: bool = False) -> xml.Element:
        """The domain as it is; ``lasting``: as it will be at its next start, with all that is secret in it."""
        lib = self._connection.lib
        flags = lib.VIR_DOMAIN_XML_INACTIVE | lib.VIR_DOMAIN_XML_SECURE if lasting else 0
        return xml.parse(self.run(server_uuid, lambda domain: domain.XMLDesc(flags)))

    def in_use(self) -> Iterator[xml.Element]:
        """All domains of the libvirt, whoever they belong to."""
        def work(conn: Any) -> list[str]:
            found = []
            for domain in conn.listAllDomains(0):
                with self._connection.ignoring('VIR_ERR_NO_DOMAIN'):
                    found.append(domain.XMLDesc(0))
            return found

        yield from map(xml.parse, self._connection.run(work))

    def _is_ours(self, domain: Any) -> bool:
        lib = self._connection.lib
        if not domain.isPersistent():
            # It is on its way from another host, and not here before it is there to stay.
            return False
        try:
            mark = domain.metadata(lib.VIR_DOMAIN_METADATA_ELEMENT, xml.GUEST_NS, lib.VIR_DOMAIN_AFFECT_CONFIG)
        except lib.libvirtError as error:
            if error.get_error_code() == lib.VIR_ERR_NO_DOMAIN_METADATA:
                return False
            raise
        return bool(xml.parse(mark).get('host') == self._host)

    def _power(self, domain: Any) -> Power:
        lib = self._connection.lib
        state = domain.state()[0]
        if state == lib.VIR_DOMAIN_SHUTOFF:
            return Power.SUSPENDED if domain.hasManagedSaveImage() else Power.SHUTDOWN
        return {lib.VIR_DOMAIN_PAUSED: Power.PAUSED, lib.VIR_DOMAIN_CRASHED: Power.CRASHED,
                lib.VIR_DOMAIN_PMSUSPENDED: Power.SUSPENDED}.get(state, Power.RUNNING)

    # ------------------------------------------------------------------- changing

    def define(self, element: xml.Element) -> None:
        """A domain is what ``element`` says, from its next start on."""
        text = xml.render(element)
        self._connection.run(lambda conn: conn.defineXML(text) and None)

    def undefine(self, server_uuid: str) -> None:
        """There is no such domain, and it does not run."""
        def work(domain: Any) -> None:
            lib = self._connection.lib
            if self._connection.kind == TEST:
                domain.undefine()
                return
            domain.undefineFlags(lib.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | lib.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
                                 | lib.VIR_DOMAIN_UNDEFINE_NVRAM | lib.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA)

        try:
            self.stop(server_uuid)
            self.run(server_uuid, work)
        except errors.GuestNotFound:
            return

    def drop_incoming(self, server_uuid: str) -> None:
        """No such guest is on its way here; it goes on where it comes from."""
        def work(conn: Any) -> None:
            domain = self._incoming(conn, server_uuid)
            if domain is not None:
                # It may have gone by itself.
                with self._connection.ignoring('VIR_ERR_OPERATION_INVALID', 'VIR_ERR_NO_DOMAIN'):
                    domain.destroy()

        self._connection.run(work)

    def start(self, server_uuid: str) -> None:
        """The guest runs, from where it was suspended or paused if it was."""
        def work(domain: Any) -> None:
            lib = self._connection.lib
            state = domain.state()[0]
            if state == lib.VIR_DOMAIN_PAUSED:
                domain.resume()
            elif state == lib.VIR_DOMAIN_PMSUSPENDED:
                domain.pMWakeup()
            elif state in (lib.VIR_DOMAIN_SHUTOFF, lib.VIR_DOMAIN_CRASHED):
                domain.create()

        for _ in range(START_ATTEMPTS - 1):
            try:
                self.run(server_uuid, work)
                return
            except errors.HypervisorError as error:
                if not any(text in str(error) for text in TAKEN):
                    raise
            lasting = self.description(server_uuid, lasting=True)
            if self._renew_ports(lasting):
                self.define(lasting)
        self.run(server_uuid, work)

    def stop(self, server_uuid: str) -> None:
        """The guest does not run, at once, and has nothing left to wake up to."""
        def work(domain: Any) -> None:
            lib = self._connection.lib
            if domain.isActive():
                # It may have gone by itself.
                with self._connection.ignoring('VIR_ERR_OPERATION_INVALID'):
                    domain.destroy()
            if domain.hasManagedSaveImage():
                domain.managedSaveRemove()
            if domain.isActive():
                raise lib.libvirtError('it runs still')

        for attempt in range(STOP_ATTEMPTS):
            try:
                self.run(server_uuid, work)
                return
            except errors.GuestNotFound:
                raise
            except errors.HypervisorError:
                if attempt == STOP_ATTEMPTS - 1:
                    raise
            concurrency.sleep(POLL * 2 ** attempt)

    def ask_to_stop(self, server_uuid: str, seconds: float) -> bool:
        """Press the guest's power button, more than once; whether it was off in time."""
        def press(domain: Any) -> None:
            with self._connection.ignoring('VIR_ERR_OPERATION_INVALID', 'VIR_ERR_AGENT_UNRESPONSIVE'):
                domain.shutdown()

        end = time.monotonic() + seconds
        pause, press_again = FIRST_REPEAT, 0.0
        while self.state(server_uuid) is Power.RUNNING:
            now = time.monotonic()
            if now >= end:
                return False
            if now >= press_again:
                self.run(server_uuid, press)
                press_again, pause = now + pause, min(pause * 2, LONGEST_REPEAT)
            concurrency.sleep(min(POLL, max(end - now, 0.01)))
        return self.state(server_uuid) is Power.SHUTDOWN
