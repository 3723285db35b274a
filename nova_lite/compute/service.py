# SPDX-License-Identifier: Apache-2.0
"""The messages that a compute host answers. Every public method here can be called over the network."""

import dataclasses
from typing import Any

from oslo_config import cfg

from nova_lite import errors
from nova_lite.auth.context import RequestContext
from nova_lite.clients.image import ImageClient
from nova_lite.compute import consoles
from nova_lite.compute.delivery import Conductor
from nova_lite.compute.worker import Worker
from nova_lite.model.power import Power
from nova_lite.objects.operation import Operation
from nova_lite.objects.server import Server
from nova_lite.virt import base as virt


class ComputeService:
    """The RPC surface of one host."""

    def __init__(self, conf: cfg.ConfigOpts, host: str, driver: virt.Driver, conductor: Conductor,
                 images: ImageClient) -> None:
        self._conf = conf
        self._driver = driver
        self.worker = Worker(conf, host, driver, conductor, images=images)

    def run_operation(self, context: RequestContext, operation: Operation, server: Server) -> None:
        """Do what the conductor asks for. The answer is a report of its own."""
        self.worker.run(context, operation, server)

    def get_console_output(self, context: RequestContext, server: Server, tail_length: int | None) -> str:
        """The last ``tail_length`` lines of the console; all that there is if it is None or negative."""
        text = self._driver.console_output(server.uuid).decode('utf-8', 'replace')
        if tail_length is None or tail_length < 0:
            return text
        # Not splitlines(): a console is full of carriage returns and form feeds that end no line.
        lines = text.removesuffix('\n').split('\n')
        return '\n'.join(lines[len(lines) - min(tail_length, len(lines)):])

    def get_console(self, context: RequestContext, server: Server, kind: str) -> dict[str, Any]:
        """Where a console of the server is, for proxies and for clients."""
        return consoles.address(self._conf, self._driver, server.uuid, kind)

    def get_diagnostics(self, context: RequestContext, server: Server) -> dict[str, Any]:
        """What the hypervisor counts of a guest that runs."""
        if not isinstance(self._driver, virt.DiagnosticsPort) or 'diagnostics' not in self._driver.capabilities:
            raise errors.Unsupported(reason='The hypervisor of this host counts nothing.')
        state = self._driver.power_state(server.uuid)
        if state is not Power.RUNNING:
            raise errors.Conflict(reason=f'Server {server.uuid} does not run: its power state is {state.name}.')
        return dataclasses.asdict(self._driver.diagnostics(server.uuid))
