# SPDX-License-Identifier: Apache-2.0
"""How to reach Glance, where the images are not kept by ourselves."""

from nova_lite.conf import endpoints

GROUP = 'glance'

OPTS = [*endpoints.options('image', 'Glance'), endpoints.retries('num_retries', 'Glance')]
