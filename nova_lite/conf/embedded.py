# SPDX-License-Identifier: Apache-2.0
"""Options of the embedded APIs: identity, images, networks, volumes."""

from oslo_config import cfg

GROUP = 'embedded'

OPTS = [
    cfg.BoolOpt(
        'identity', default=False,
        help='Serve a small Identity v3 API under /identity of the compute API. It knows the users, '
             'projects and roles of identity.json in the state directory only. "nova-lite up" switches it '
             'on; leave it off where Keystone runs.'),
    cfg.BoolOpt(
        'image', default=False,
        help='Keep images in the state directory and serve a small Image v2 API under /image of the compute '
             'API. "nova-lite up" switches it on; leave it off where Glance runs.'),
    cfg.BoolOpt(
        'volume', default=False,
        help='Keep volumes in the state directory and the database, and serve a small Block Storage v3 API under '
             '/volume of the compute API. "nova-lite up" switches it on; leave it off where Cinder runs.'),
    cfg.BoolOpt(
        'network', default=False,
        help='Keep networks, subnets and ports in the database and serve a small Networking v2.0 API under '
             '/network of the compute API. "nova-lite up" switches it on; leave it off where Neutron runs.'),
    cfg.StrOpt(
        'network_cidr', default='10.20.0.0/16',
        help='Addresses of the network "private", which is made for all projects where there is no network yet.'),
    cfg.ListOpt(
        'network_dns', default=[],
        help='Addresses of the name servers that servers on the network "private" are told of.'),
    cfg.StrOpt(
        'floating_cidr', default='172.24.4.0/24',
        help='Addresses of the network "public", which is made together with "private": floating addresses come '
             'from it. Nothing here routes to them; the default is that of DevStack.'),
    cfg.IntOpt(
        'network_mtu', default=1500, min=68, max=65535,
        help='MTU of networks whose request does not name one.'),
    cfg.URIOpt(
        'endpoint', schemes=('http', 'https'),
        help='Base URL of the public endpoints in the service catalogue, for instance '
             'https://cloud.example.org. Without it they are built from the URL of each request.'),
    cfg.StrOpt(
        'region', default='RegionOne',
        help='Region of the endpoints in the service catalogue.'),
    cfg.IntOpt(
        'token_expiration', default=3600, min=60, max=31 * 86400,
        help='Seconds that a token is valid. The default is that of Keystone, so that a client that is '
             'tried out here meets the same expiry as in production.'),
    cfg.StrOpt(
        'revocations', default='$state_path/revoked',
        help='Directory with an empty file for each revoked token of the embedded identity. Its time of change '
             'tells every API process to forget the tokens that it has confirmed.'),
    cfg.IntOpt(
        'allow_expired_window', default=48 * 3600, min=0,
        help='Seconds after its expiry that a token is still confirmed to a service that asks for it with '
             'a service token, so that long work can finish.'),
    cfg.IntOpt(
        'volumes_per_project', default=10, min=-1,
        help='Volumes of a project, unless an administrator sets another limit; -1 is without limit.'),
    cfg.IntOpt(
        'snapshots_per_project', default=10, min=-1,
        help='Snapshots of volumes of a project, unless an administrator sets another limit; -1 is without limit.'),
    cfg.IntOpt(
        'gigabytes_per_project', default=1000, min=-1,
        help='Gigabytes of all volumes and snapshots of a project, unless an administrator sets another limit; -1 is '
             'without limit.'),
    cfg.IntOpt(
        'image_size_cap', default=1 << 40, min=1,
        help='Most bytes of one uploaded image.'),
]
