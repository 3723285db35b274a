# SPDX-License-Identifier: Apache-2.0
"""The nova-conductor daemon: does what was accepted, and alone writes to the database beside the API."""

from nova_lite import cmd

PROG = 'nova-conductor'
cmd.choose_backend(PROG)

import sys  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from typing import Any  # noqa: E402

from nova_lite.cmd import daemon, launch, wiring  # noqa: E402


def parts(conf: Any) -> Sequence[launch.Part]:
    """The services of this daemon."""
    program = wiring.Program(conf)
    program.prepare_database()
    return wiring.conductor_parts(program)


def main() -> int:
    """Entry point."""
    return daemon.main(PROG, parts)


if __name__ == '__main__':
    sys.exit(main())
