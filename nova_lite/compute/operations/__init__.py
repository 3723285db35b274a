# SPDX-License-Identifier: Apache-2.0
"""What a host can be asked to do: one module per kind of operation, each a list of steps."""

from nova_lite.compute.operations import build, delete, reboot, start, stop
from nova_lite.compute.procedure import Procedure

PROCEDURES: dict[str, Procedure] = {
    'build': build.PROCEDURE,
    'delete': delete.PROCEDURE,
    'reboot': reboot.PROCEDURE,
    'start': start.PROCEDURE,
    'stop': stop.PROCEDURE,
}
