# SPDX-License-Identifier: Apache-2.0
"""What the metadata API tells a server about itself."""

from oslo_config import cfg

# Nova has them here.
GROUP = 'api'

OPTS = [
    cfg.IntOpt('metadata_cache_expiration', default=15, min=0, help="""
Seconds that the metadata API remembers the facts of a server, and which one has an address. A starting guest asks
dozens of times. It should be shorter than the time in which the address of a deleted server is given to another.
"""),
    cfg.StrOpt('dhcp_domain', default='novalocal', help="""
Domain that is added to the host name of a server in its metadata, unless the name has one.
"""),
    cfg.StrOpt('vendordata_jsonfile_path', help="""
File with a JSON object that every server finds as `vendor_data.json`, and under the key `static` of
`vendor_data2.json`.
"""),
]
