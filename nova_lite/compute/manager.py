# SPDX-License-Identifier: Apache-2.0
"""One nova-compute process: one host, or with the fake driver any number of them."""

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from oslo_config import cfg
from oslo_service.backend.base import ServiceBase

from nova_lite import concurrency, virt
from nova_lite.clients.image import ImageClient
from nova_lite.compute.delivery import Conductor
from nova_lite.compute.images import HostImages
from nova_lite.compute.operations import snapshot
from nova_lite.compute.report import Heartbeat, Host
from nova_lite.compute.service import ComputeService

LOG = logging.getLogger(__name__)

#: Listeners that are started or stopped at a time.
STARTERS = 32


class Listener(Protocol):
    """Takes messages for one host from the transport and hands them to its endpoint."""

    def start(self) -> None:
        """Take messages, now or as soon as the transport can be reached."""

    def listening(self) -> bool:
        """Whether messages are taken by now."""

    def stop(self) -> None:
        """Take no more."""

    def wait(self) -> None:
        """Return when the messages that were taken are dealt with."""


class ComputeManager(ServiceBase):
    """Runs the hosts of this process under an oslo.service launcher.

    ``listen(host, endpoint)`` makes the RPC server of a host. It is called in ``start``, thus in the worker
    process: a connection must not cross a fork. The drivers are chosen before it, so that a wrong name ends
    the start.
    """

    def __init__(self, conf: cfg.ConfigOpts, conductor: Conductor, images: ImageClient,
                 listen: Callable[[str, ComputeService], Listener], version: int) -> None:
        self._conf = conf
        self._conductor = conductor
        self._listen = listen
        self._version = version
        self._drivers = {host: virt.load_driver(conf, host, HostImages(images)) for host in virt.host_names(conf)}
        self._services = {host: ComputeService(conf, host, driver, conductor, images)
                          for host, driver in self._drivers.items()}
        self._listeners: list[Listener] = []
        self._heartbeat: Heartbeat | None = None
        self._connected = False

    def start(self) -> None:
        """Find the guests, listen, and only then report: work comes as soon as a host is known."""
        if not self._connected:
            snapshot.remove_leftovers(self._conf)
            for driver in self._drivers.values():
                driver.start()
            self._connected = True
        for service in self._services.values():
            service.worker.start()
        self._listeners = [self._listen(host, service) for host, service in self._services.items()]
        _side_by_side([listener.start for listener in self._listeners])
        hosts = [Host(host, self._drivers[host], service.worker, listener.listening)
                 for (host, service), listener in zip(self._services.items(), self._listeners, strict=True)]
        self._heartbeat = Heartbeat(self._conf, self._conductor, hosts, self._version)
        self._heartbeat.start()
        LOG.info('nova-compute runs %d hosts with driver %s.', len(hosts), self._conf.compute_driver)

    def stop(self) -> None:
        """Take no more work; what has begun goes on."""
        if self._heartbeat is not None:
            self._heartbeat.stop()
        _side_by_side([listener.stop for listener in self._listeners])
        for service in self._services.values():
            service.worker.stop()

    def wait(self) -> None:
        """Return when what had begun has ended."""
        _side_by_side([listener.wait for listener in self._listeners])
        self._listeners = []

    def reset(self) -> None:
        """Reread nothing: options are read when they are used."""


def _side_by_side(actions: Sequence[Callable[[], None]]) -> None:
    """Do what takes each listener a while, with a broker that is away or that is asked for the last time."""
    pool = concurrency.Pool(STARTERS)
    for future in [pool.spawn(action) for action in actions]:
        future.result()
