# SPDX-License-Identifier: Apache-2.0
"""Soft delete: a server is shut down and keeps its disks, for the case that it is restored."""

from nova_lite.compute.operations import stop
from nova_lite.compute.procedure import Procedure, Step

PROCEDURE = Procedure('compute_soft_delete_instance', (Step(stop.power_off),))
