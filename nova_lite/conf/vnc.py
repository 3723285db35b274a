# SPDX-License-Identifier: Apache-2.0
"""VNC consoles: the servers' on a compute host, and their proxy."""

from oslo_config import cfg

GROUP = 'vnc'

OPTS = [
    cfg.BoolOpt('enabled', default=True, help="""
Whether servers have VNC consoles.
"""),
    cfg.URIOpt('novncproxy_base_url', default='http://127.0.0.1:6080/vnc_auto.html', help="""
Public URL of the noVNC proxy, as the clients of this host's servers reach it.
"""),
    cfg.StrOpt('server_listen', default='127.0.0.1', help="""
Address at which the VNC consoles of this compute host listen. Whoever reaches it sees the screens of all its
servers, so it should be one that only the proxies reach.
"""),
    cfg.StrOpt('server_proxyclient_address', default='127.0.0.1', help="""
Address of this compute host as the proxies reach it.
"""),
    cfg.StrOpt('novncproxy_host', default='0.0.0.0', help="""
Address at which nova-novncproxy listens.
"""),
    cfg.PortOpt('novncproxy_port', default=6080, help="""
Port of nova-novncproxy.
"""),
    cfg.ListOpt('auth_schemes', default=['none'],
                item_type=cfg.types.String(choices=['none', 'vencrypt']), help="""
How nova-novncproxy may secure its connections to VNC consoles, the best first: `vencrypt` is TLS with certificates,
`none` is nothing. A console that offers none of these is not opened.
"""),
    cfg.StrOpt('vencrypt_ca_certs', default='/etc/pki/nova-novncproxy/ca-cert.pem', help="""
Authorities of the certificates that VNC consoles show with `vencrypt`.
"""),
    cfg.StrOpt('vencrypt_client_cert', help="""
Certificate that nova-novncproxy shows to VNC consoles with `vencrypt`.
"""),
    cfg.StrOpt('vencrypt_client_key', help="""
Private key of `vencrypt_client_cert`.
"""),
]
