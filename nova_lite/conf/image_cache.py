# SPDX-License-Identifier: Apache-2.0
"""How long a compute host keeps the images that its guests were made from."""

from oslo_config import cfg

GROUP = 'image_cache'

OPTS = [
    cfg.IntOpt('manager_interval', default=2400, min=-1, help="""
Seconds between two looks for images on a compute host that no guest needs any more. 0 is the default of 2400, -1 is
never.
"""),
    cfg.StrOpt('subdirectory_name', default='_base', help="""
Folder beside the guests' own in which a compute host keeps the images that their disks lean on.
"""),
    cfg.BoolOpt('remove_unused_base_images', default=True, help="""
Whether images that no guest of the host needs are removed. `size_limit_gb` holds all the same.
"""),
    cfg.IntOpt('remove_unused_original_minimum_age_seconds', default=86400, min=0, help="""
Seconds since an image was last used to make a guest before it is removed.
"""),
    cfg.IntOpt('size_limit_gb', default=100, min=0, help="""
GiB that images may take on a compute host. When there are more, those that no guest needs are removed, the ones that
were not used for the longest time first, however young they are. 0 is without limit.
"""),
]
