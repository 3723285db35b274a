# SPDX-License-Identifier: Apache-2.0
"""Offload: the guest of a shelved server, and all that belongs to it, leaves the host."""

from nova_lite.compute.operations import delete
from nova_lite.compute.procedure import Procedure, Step

PROCEDURE = Procedure('compute_shelve_offload_instance', (Step(delete.destroy),))
