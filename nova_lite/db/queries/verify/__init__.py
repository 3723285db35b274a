# SPDX-License-Identifier: Apache-2.0
"""Recomputes from first principles what the code keeps right by its transactions, and finds where it is not.

A module for each area; what it checks is its ``CHECKS``, and a new area is a new module in the list below.
"""

from nova_lite.db.queries.verify import allocations, groups, quota, supplies, work
from nova_lite.db.queries.verify.base import Check

CHECKS: tuple[Check, ...] = (
    *work.CHECKS,
    *allocations.CHECKS,
    *quota.CHECKS,
    *groups.CHECKS,
    *supplies.CHECKS,
)
