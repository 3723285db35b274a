# SPDX-License-Identifier: Apache-2.0
"""The nova-api daemon: serves the APIs of ``enabled_apis``."""

from nova_lite import concurrency

concurrency.start('eventlet')  # before anything takes what it patches; other WSGI servers take wsgi.application

import sys  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from typing import Any  # noqa: E402

from nova_lite.cmd import daemon, launch, wiring  # noqa: E402


def parts(conf: Any) -> Sequence[launch.Part]:
    """The services of this daemon."""
    sockets = wiring.open_sockets(conf)
    program = wiring.Program(conf)
    program.prepare_database()
    return wiring.api_parts(program, sockets)


def main() -> int:
    """Entry point."""
    return daemon.main('nova-api', parts)


if __name__ == '__main__':
    sys.exit(main())
