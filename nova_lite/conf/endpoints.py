# SPDX-License-Identifier: Apache-2.0
"""The options that every group of another OpenStack service has.

Their names are those of keystoneauth.  Its own option lists would cost every
process the import of keystoneauth's plugins; the options of a plugin, which only
it can name, are registered when a client of that service is first used.
"""

from oslo_config import cfg


def options(service_type: str, name: str) -> list[cfg.Opt]:
    return [
        cfg.StrOpt('service_type', default=service_type,
                   help=f'Type under which the service catalogue lists {name}.'),
        cfg.ListOpt('valid_interfaces', default=['internal', 'public'],
                    help=f'Interfaces of {name} in the service catalogue, the preferred one first.'),
        cfg.StrOpt('region_name', help=f'Region of {name} in the service catalogue.'),
        cfg.URIOpt('endpoint_override', schemes=('http', 'https'),
                   help=f'URL of {name}, instead of the one that the service catalogue has.'),
        *session_options(),
    ]


def retries(option: str, name: str) -> cfg.Opt:
    return cfg.IntOpt(option, default=3, min=0, help=f"""
How often {name} is asked again if it does not answer, each time after a longer pause. Requests whose repetition could
do something twice are not repeated.
""")


def session_options() -> list[cfg.Opt]:
    return [
        cfg.StrOpt('cafile', help='File of the certificate authorities to trust over HTTPS.'),
        cfg.StrOpt('certfile', help='File of our own certificate for HTTPS.'),
        cfg.StrOpt('keyfile', help='File of the key of that certificate.'),
        cfg.BoolOpt('insecure', default=False,
                    help='Do not check the certificate of the service. Only for trials.'),
        cfg.IntOpt('timeout', default=60, min=1, help='Seconds to wait for an answer.'),
        cfg.StrOpt('auth_type',
                   help='Authentication plugin of keystoneauth, for instance password, for requests that no '
                        'user waits for. The options of the plugin go into the same section. Without it, those '
                        'of [service_user] or of [keystone_authtoken] are used.'),
        cfg.StrOpt('auth_section',
                   help='Section to read the plugin and its options from, instead of this one.'),
    ]
