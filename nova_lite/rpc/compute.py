# SPDX-License-Identifier: Apache-2.0
"""What is said to a compute host, by its name."""

from typing import Any

from nova_lite.auth.context import RequestContext
from nova_lite.objects.operation import Operation
from nova_lite.objects.server import Server
from nova_lite.rpc.client import Client


class ComputeClient(Client):
    """Messages of ``nova_lite.compute.service``.

    ==== ==========================================================
    1.0  run_operation, get_console_output, get_console, get_diagnostics
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

    def get_console(self, context: RequestContext, host: str, server: Server, kind: str) -> dict[str, Any]:
        """Where a console of a server is: host, port, tls_port, internal_access_path, and its proxy's base_url."""
        found: dict[str, Any] = self.call(context, '1.0', 'get_console', to=host, server=server, kind=kind)
        return found

    def get_diagnostics(self, context: RequestContext, host: str, server: Server) -> dict[str, Any]:
        """What the hypervisor counts of a server's guest, as the fields of ``virt.base.Diagnostics``."""
        found: dict[str, Any] = self.call(context, '1.0', 'get_diagnostics', to=host, server=server)
        return found
