# SPDX-License-Identifier: Apache-2.0
"""How to ask Keystone about projects, where the identity is not the embedded one."""

from nova_lite.conf import endpoints

GROUP = 'keystone'

OPTS = endpoints.options('identity', 'Keystone')
