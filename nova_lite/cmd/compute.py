# SPDX-License-Identifier: Apache-2.0
"""The nova-compute daemon: drives one hypervisor, and knows neither database nor its password."""

from nova_lite import cmd

PROG = 'nova-compute'
cmd.choose_backend(PROG)

import sys  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from typing import Any  # noqa: E402

from nova_lite.cmd import daemon, launch, wiring  # noqa: E402


def parts(conf: Any) -> Sequence[launch.Part]:
    """The services of this daemon."""
    return wiring.compute_parts(wiring.Program(conf))


def main() -> int:
    """Entry point."""
    return daemon.main(PROG, parts)


if __name__ == '__main__':
    sys.exit(main())
