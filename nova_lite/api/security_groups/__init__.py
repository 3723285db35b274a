# SPDX-License-Identifier: Apache-2.0
"""Security groups: those of a server at every version, and the proxies of all of them until 2.35."""

from nova_lite.api.security_groups import proxy, servers

RULES = (*proxy.RULES, *servers.RULES)

ENDPOINTS = proxy.ENDPOINTS + servers.ENDPOINTS
