# SPDX-License-Identifier: Apache-2.0
"""The messages that a compute host answers. Every public method here can be called over the network."""

from oslo_config import cfg

from nova_lite.auth.context import RequestContext
from nova_lite.compute.delivery import Conductor
from nova_lite.compute.worker import Worker
from nova_lite.objects.operation import Operation
from nova_lite.objects.server import Server
from nova_lite.virt import base as virt


class ComputeService:
    """The RPC surface of one host."""

    def __init__(self, conf: cfg.ConfigOpts, host: str, driver: virt.Driver, conductor: Conductor) -> None:
        self._driver = driver
        self.worker = Worker(conf, host, driver, conductor)

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
        return ''.join(line + '\n' for line in lines[len(lines) - min(tail_length, len(lines)):])
