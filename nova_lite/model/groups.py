# SPDX-License-Identifier: Apache-2.0
"""Policies of server groups: who wants to be with whom on one host."""

AFFINITY, ANTI_AFFINITY = 'affinity', 'anti-affinity'
SOFT_AFFINITY, SOFT_ANTI_AFFINITY = 'soft-affinity', 'soft-anti-affinity'

HARD = (AFFINITY, ANTI_AFFINITY)
POLICIES = (*HARD, SOFT_AFFINITY, SOFT_ANTI_AFFINITY)

#: The one rule there is: members of an anti-affinity group that one host may have, 1 if not said.
MAX_PER_HOST = 'max_server_per_host'
