# SPDX-License-Identifier: Apache-2.0
"""The console proxies as web servers."""

from oslo_config import cfg

GROUP = 'DEFAULT'

OPTS = [
    cfg.StrOpt('web', default='/usr/share/novnc', help="""
Directory with noVNC, which nova-novncproxy serves to browsers. Debian's package novnc puts it into the default
place; the npm package @novnc/novnc will do as well.
"""),
    cfg.StrOpt('cert', help="""
File with the certificate of the console proxies, with its chain. If set, they speak TLS to those who begin with it.
"""),
    cfg.StrOpt('key', help="""
File with the private key of `cert`, unless that file holds it too.
"""),
    cfg.BoolOpt('ssl_only', default=False, help="""
Whether the console proxies refuse connections without TLS.
"""),
]
