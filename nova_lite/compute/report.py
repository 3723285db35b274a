# SPDX-License-Identifier: Apache-2.0
"""The heartbeat of compute hosts: what each has and what runs on it.

One process may stand for thousands of hosts, so hosts do not have a thread each: a few threads serve
whichever host is due next.  A host that could not report tries again soon, because until it does nothing is
placed on it.
"""

import dataclasses
import heapq
import logging
import threading
import time
from collections.abc import Callable, Sequence

from oslo_config import cfg

from nova_lite import concurrency, errors
from nova_lite.auth.context import service_context
from nova_lite.compute.delivery import Conductor
from nova_lite.compute.worker import Worker
from nova_lite.model.power import Power
from nova_lite.objects.host import HostReport
from nova_lite.virt import base as virt

LOG = logging.getLogger(__name__)

#: Threads that send heartbeats, however many hosts there are.
SENDERS = 4
FIRST_RETRY = 1.0
#: Seconds between a heartbeat and the next one, however often a guest starts and stops.
LEAST_PAUSE = 1.0
#: Seconds after which a thread that waits for guests to change looks whether it is still wanted.
LOOK = 5.0


@dataclasses.dataclass
class Host:
    """One host whose heart beats."""

    name: str
    driver: virt.Driver
    worker: Worker
    listening: Callable[[], bool] = lambda: True
    failures: int = 0


def host_report(conf: cfg.ConfigOpts, host: Host, version: int) -> HostReport:
    """What ``host`` has in total, what of it servers may not have, its guests, and what it is at."""
    inventory = host.driver.inventory()
    return HostReport(
        host=host.name,
        hypervisor_hostname=inventory.hypervisor_hostname,
        hypervisor_type=inventory.hypervisor_type,
        hypervisor_version=inventory.hypervisor_version,
        host_ip=str(conf.my_ip),
        cpu_info=inventory.cpu_info,
        vcpus=inventory.vcpus,
        memory_mb=inventory.memory_mb,
        local_gb=inventory.local_gb,
        disk_available_least=inventory.disk_available_least,
        reserved={
            'vcpus': conf.reserved_host_cpus,
            'memory_mb': conf.reserved_host_memory_mb,
            # A part of a GiB that is reserved cannot be given away as a whole one.
            'local_gb': -(-conf.reserved_host_disk_mb // 1024)},
        ratios={
            'vcpus': conf.cpu_allocation_ratio,
            'memory_mb': conf.ram_allocation_ratio,
            'local_gb': conf.disk_allocation_ratio},
        uptime=inventory.uptime,
        traits=list(inventory.traits),
        guests=_guests(host.driver),
        operations=False if host.worker.fresh else host.worker.busy(),
        capabilities=sorted(host.driver.capabilities),
        version=version)


def _guests(driver: virt.Driver) -> dict[str, int]:
    """Everything that a server may have left here, so that the conductor can say what belongs to none."""
    aside = driver.set_aside() if isinstance(driver, virt.MovePort) else ()
    found = {**dict.fromkeys(aside, Power.SHUTDOWN), **driver.guests()}
    return {server_uuid: int(state) for server_uuid, state in found.items()}


class Heartbeat:
    """Reports each host at once and then every ``[DEFAULT] report_interval`` seconds."""

    def __init__(self, conf: cfg.ConfigOpts, conductor: Conductor, hosts: Sequence[Host],
                 version: int) -> None:
        self._conf = conf
        self._conductor = conductor
        self._version = version
        self._hosts = list(hosts)
        self._due = [(0.0, number) for number in range(len(self._hosts))]
        self._hurried: set[int] = set()
        self._changed = threading.Condition()
        self._stopped = False

    def start(self) -> None:
        """Begin to report."""
        for _ in range(min(SENDERS, len(self._hosts))):
            concurrency.spawn(self._send)
        for number, host in enumerate(self._hosts):
            if isinstance(host.driver, virt.EventPort):
                concurrency.spawn(self._watch, number, host.driver)

    def stop(self) -> None:
        """Report no more. One that is being sent goes on."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _send(self) -> None:
        while (number := self._next()) is not None:
            pause = self._beat(self._hosts[number])
            with self._changed:
                if number in self._hurried:
                    pause = min(pause, LEAST_PAUSE)
                heapq.heappush(self._due, (time.monotonic() + pause, number))
                self._changed.notify()

    def _watch(self, number: int, driver: virt.EventPort) -> None:
        """A guest that starts or stops by itself is told of at once."""
        while not self._stopped:
            if driver.wait_for_change(LOOK):
                self._hurry(number)

    def _hurry(self, number: int) -> None:
        """The next report of this host is due soon, or right after the one that is being sent."""
        soon = time.monotonic() + LEAST_PAUSE
        with self._changed:
            self._hurried.add(number)
            self._due = [(min(due, soon) if known == number else due, known) for due, known in self._due]
            heapq.heapify(self._due)
            self._changed.notify_all()

    def _next(self) -> int | None:
        """Wait for the next host that is due; None when there are to be no more."""
        with self._changed:
            while not self._stopped:
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is not None and wait <= 0:
                    number = heapq.heappop(self._due)[1]
                    self._hurried.discard(number)
                    return number
                self._changed.wait(wait)
        return None

    def _beat(self, host: Host) -> float:
        """Report one host and do what the answer asks for; the seconds until its next report."""
        try:
            if not host.listening():
                # A host that is known gets work, and a message to a queue that is not there yet is lost.
                raise errors.Unavailable(reason='It cannot receive messages yet.')
            report = host_report(self._conf, host, self._version)
            answer = self._conductor.report_host(service_context(), report) or {}
            host.worker.fresh = False
            host.worker.remove_unknown(answer.get('unknown_guests', ()))
        except Exception as error:
            host.failures += 1
            LOG.warning('Host %s could not report, %d times in a row now: %s: %s',
                        host.name, host.failures, type(error).__name__, error)
            return min(FIRST_RETRY * 2 ** min(host.failures - 1, 10), self._conf.report_interval)
        if host.failures:
            LOG.info('Host %s reports again.', host.name)
            host.failures = 0
        return self._conf.report_interval
