# SPDX-License-Identifier: Apache-2.0
"""Options of the embedded identity and image APIs."""

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
        'image_size_cap', default=1 << 40, min=1,
        help='Most bytes of one uploaded image.'),
]
