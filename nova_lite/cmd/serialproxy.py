# SPDX-License-Identifier: Apache-2.0
"""The nova-serialproxy daemon: lets clients write to the serial consoles of servers."""

from nova_lite import concurrency

concurrency.start('eventlet')  # before anything takes what it patches

import sys  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from typing import Any  # noqa: E402

from nova_lite.cmd import daemon, launch, wiring  # noqa: E402


def parts(conf: Any) -> Sequence[launch.Part]:
    """The services of this daemon."""
    address = (conf.serial_console.serialproxy_host, conf.serial_console.serialproxy_port)
    return wiring.console_parts(wiring.Program(conf), ['serial'], *address)


def main() -> int:
    """Entry point."""
    return daemon.main('nova-serialproxy', parts)


if __name__ == '__main__':
    sys.exit(main())
