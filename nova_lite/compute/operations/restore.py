# SPDX-License-Identifier: Apache-2.0
"""Restore: a server that was put aside runs again."""

from nova_lite.compute.operations import start, stop
from nova_lite.compute.procedure import Procedure, Step

PROCEDURE = Procedure('compute_restore_instance', (Step(start.power_on, undo=stop.power_off),))
