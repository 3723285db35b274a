# SPDX-License-Identifier: Apache-2.0
"""What is said to a compute host, by its name."""

from nova_lite.auth.context import RequestContext
from nova_lite.objects.operation import Operation
from nova_lite.objects.server import Server
from nova_lite.rpc.client import Client


class ComputeClient(Client):
    """Messages of ``nova_lite.compute.service``.

    ==== ==========================================================
    1.0  run_operation, get_console_output
    ==== ==========================================================
    """

    TOPIC = 'compute'

    def run_operation(self, context: RequestContext, host: str, operation: Operation, server: Server) -> None:
        """Let a host do its part of an operation; it reports to a conductor."""
        self.cast(context, '1.0', 'run_operation', to=host, operation=operation, server=server)

    def get_console_output(self, context: RequestContext, host: str, server: Server,
                           tail_length: int | None) -> str:
        """The last lines of a server's console; all of them for None."""
        return str(self.call_long(context, '1.0', 'get_console_output', to=host, server=server,
                                  tail_length=tail_length))
