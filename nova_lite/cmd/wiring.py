# SPDX-License-Identifier: Apache-2.0
"""What is plugged into what: from a configuration to the services that a launcher runs."""

import os
import socket
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from nova_lite import api, errors, objects, telemetry
from nova_lite.auth.context import RequestContext, service_context
from nova_lite.auth.policy import Policy
from nova_lite.clients.identity import IdentityClient, identity_client
from nova_lite.clients.image import ImageClient, image_client
from nova_lite.clients.network import NetworkClient, network_client
from nova_lite.clients.volume import VolumeClient, volume_client
from nova_lite.cmd import apart
from nova_lite.cmd.launch import Part
from nova_lite.conf import files
from nova_lite.db import schema
from nova_lite.db.engine import Database
from nova_lite.db.queries import flavors, services
from nova_lite.notifications.port import NOBODY, Notifications
from nova_lite.notifications.sender import Sender
from nova_lite.ops import idempotency, interfaces
from nova_lite.ops.base import Deps, wake
from nova_lite.ops.limits import limits
from nova_lite.ops.volumes import extended
from nova_lite.rpc import notifier, versions
from nova_lite.rpc.compute import ComputeClient
from nova_lite.rpc.conductor import ConductorClient
from nova_lite.rpc.notifier import Notifier
from nova_lite.rpc.server import Server as RpcServer
from nova_lite.rpc.server import preload as preload_rpc
from nova_lite.rpc.transport import get_transport
from nova_lite.scheduler.foresight import Foresight
from nova_lite.wsgi import provided, server

# What each API needs to know of its options; an operator's own paste file may serve others.
Sockets = Mapping[str, socket.socket]


@dataclass(frozen=True)
class Services(Deps):
    """What handlers of the API work with."""

    policy: Policy
    compute: ComputeClient
    identity: IdentityClient
    foresight: Foresight

    def once(self, context: RequestContext, key: str, request: str,
             work: Callable[[], idempotency.Answer]) -> tuple[idempotency.Answer, bool]:
        """Do a request that carries a key of its client, unless it was done before."""
        return idempotency.once(self, context, idempotency.Keyed(key, request), work)

    def forget_port(self, conn: Any, context: RequestContext, server_uuid: str, port_id: str) -> list[str]:
        """A port of a server is deleted in this transaction; the operations to ``wake`` a conductor for."""
        return interfaces.forget_port(conn, context, server_uuid, port_id)

    def wake(self, context: RequestContext, operation_ids: Iterable[str]) -> None:
        """Tell a conductor of work."""
        wake(self, context, operation_ids)


class Program:
    """The parts of one process, made when first asked for.

    Nothing is connected before it is used, so a program can be made before its workers are forked,
    and they share the memory of all that was imported.
    """

    def __init__(self, conf: Any) -> None:
        self.conf = conf
        objects.register_all()
        # Before anything is made that could be traced.
        telemetry.start(conf)

    @cached_property
    def db(self) -> Database:
        """The database."""
        return Database(self.conf)

    @cached_property
    def transport(self) -> Any:
        """The message transport."""
        return get_transport(self.conf)

    @cached_property
    def policy(self) -> Policy:
        """The policy engine with the rules of all rooms."""
        return Policy(self.conf, api.list_rules())

    @cached_property
    def conductor(self) -> ConductorClient:
        """Speaks to conductors."""
        return ConductorClient(self.transport)

    @cached_property
    def compute(self) -> ComputeClient:
        """Speaks to compute hosts, no newer than the oldest of them understands."""
        return ComputeClient(self.transport, self._lowest_compute)

    @cached_property
    def images(self) -> ImageClient:
        """Speaks to the image service, or is it."""
        return image_client(self.conf)

    @cached_property
    def networks(self) -> NetworkClient:
        """Speaks to the network service, or is it."""
        return network_client(self.conf, self.db)

    @cached_property
    def volumes(self) -> VolumeClient:
        """Speaks to the volume service, or is it."""
        return volume_client(self.conf, self.db, self.images)

    @cached_property
    def notifications(self) -> Notifications:
        """Has others told of what happens, if somebody wants that."""
        if not notifier.drivers(self.conf):
            return NOBODY
        from nova_lite.notifications.recorder import Recorder
        return Recorder(self.conf)

    @cached_property
    def foresight(self) -> Foresight:
        """The scheduler, for dry runs."""
        return Foresight(self.conf)

    @cached_property
    def services(self) -> Services:
        """For the handlers of the API."""
        made = Services(db=self.db, conductor=self.conductor, images=self.images, conf=self.conf, policy=self.policy,
                        compute=self.compute, identity=identity_client(self.conf), volumes=self.volumes,
                        networks=self.networks, foresight=self.foresight, limits=limits(self.conf),
                        notifications=self.notifications)
        self.volumes.when_extended(lambda server, volume: extended(made, service_context(), server, volume))
        return made

    def prepare_database(self, with_flavors: bool = False, may_fork: bool = True, alone: bool = False) -> None:
        """Make or upgrade the schema; an empty table of flavors gets the usual ones where asked for.

        ``alone``: no other process of ours is there, so whatever one was at has to be taken up again.
        """
        if may_fork and not schema.is_current(self.db):
            # What upgrades is big, and is not needed any more once it is done.
            self.db.dispose()
            apart.run(lambda: schema.upgrade(self.db))
        elif not may_fork:
            schema.upgrade(self.db)
        if with_flavors:
            self.db.transaction(flavors.ensure_defaults)
        self.networks.prepare(self.conf)
        if alone:
            self.volumes.take_up()
        self.db.dispose()

    def _lowest_compute(self) -> int | None:
        with self.db.read() as conn:
            return services.minimum_version(conn, 'nova-compute')

    def listen(self, topic: str, name: str, endpoint: Any) -> RpcServer:
        """An RPC server; called in the worker process that will run it."""
        return RpcServer(self.transport, topic, name, [endpoint])

    def reload(self) -> None:
        """What a reload means beside the options themselves."""
        self.policy.reload()
        self.foresight.reload()
        self.compute.pin.forget()


def open_sockets(conf: Any) -> Sockets:
    """A listening socket for each enabled API."""
    opened: dict[str, socket.socket] = {}
    for name in conf.enabled_apis:
        opened[name] = server.listen(conf[f'{name}_listen'], conf[f'{name}_listen_port'], conf.wsgi.tcp_keepidle)
    return opened


def load_api(program: Program, name: str) -> Any:
    """The WSGI application of one API, as the paste file composes it."""
    provided.provide(conf=program.conf, services=program.services)
    return server.load_app(files.find(program.conf, program.conf.wsgi.api_paste_config), name)


def api_parts(program: Program, sockets: Sockets) -> list[Part]:
    """The APIs."""
    conf = program.conf
    unknown = set(conf.enabled_ssl_apis) - set(sockets)
    if unknown:
        raise errors.StartError(reason=f'enabled_ssl_apis names {", ".join(sorted(unknown))}, which is not among '
                                       'enabled_apis.')
    parts = []
    for name, sock in sockets.items():
        service = server.HttpService(name, load_api(program, name), sock, conf,
                                     tls=name in conf.enabled_ssl_apis, reload=program.reload)
        parts.append(Part(service, _workers(conf, f'{name}_workers')))
    return parts


def conductor_parts(program: Program) -> list[Part]:
    """The conductor."""
    from nova_lite.conductor.manager import ConductorManager
    from nova_lite.conductor.work import Deps as ConductorDeps
    from nova_lite.scheduler.place import Scheduler
    preload_rpc()
    conf = program.conf
    deps = ConductorDeps(conf=conf, db=program.db, compute=program.compute, scheduler=Scheduler(conf), name=conf.host,
                         images=program.images, volumes=program.volumes, networks=program.networks,
                         notifications=program.notifications)
    sender = None if program.notifications is NOBODY else Sender(conf, program.db, lambda: Notifier(conf))
    manager = ConductorManager(deps, lambda endpoint: program.listen('conductor', conf.host, endpoint),
                               versions.SERVICE_VERSION, sender)
    return [Part(manager, lambda: conf.conductor.workers or os.cpu_count() or 1, outlasts=True)]


def compute_parts(program: Program) -> list[Part]:
    """The compute hosts of this machine: one process, and no database."""
    from nova_lite.compute.manager import ComputeManager
    preload_rpc()
    manager = ComputeManager(program.conf, program.conductor, program.images,
                             lambda host, endpoint: program.listen('compute', host, endpoint),
                             versions.SERVICE_VERSION)
    return [Part(manager, lambda: 1)]


def console_parts(program: Program, kinds: Collection[str], address: str, port: int) -> list[Part]:
    """A proxy that lets clients to consoles of these kinds: one process, which waits for bytes most of the time."""
    from nova_lite.console import service
    service.check_available()
    conf = program.conf
    sock = server.listen(address, port, conf.wsgi.tcp_keepidle)
    web = Path(conf.web) if 'novnc' in kinds else None
    deps = service.Deps(db=program.db, conf=conf, compute=program.compute)
    return [Part(service.ConsoleService(deps, kinds, sock, web), lambda: 1)]


def _workers(conf: Any, option: str) -> Any:
    return lambda: conf[option] or os.cpu_count() or 1
