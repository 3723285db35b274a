# SPDX-License-Identifier: Apache-2.0
"""What every daemon needs to know of itself and of the others: names, places, heartbeats."""

import socket

from oslo_config import cfg

GROUP = 'DEFAULT'


def _own_address() -> str:
    """The address that this machine uses towards others; connecting a UDP socket sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(('192.0.2.1', 9))
        except OSError:
            return '127.0.0.1'
        return str(probe.getsockname()[0])


OPTS = [
    cfg.HostnameOpt('host', default=socket.gethostname(), sample_default='<name of this machine>', help="""
Name under which this host's services are known. It has to be unique, and has to stay the same for as long as
servers live here: their rows name it.
"""),
    cfg.HostAddressOpt('my_ip', default=_own_address(), sample_default='<address of this machine>', help="""
Address of this host that other hosts reach. A compute host shows it as its `host_ip`.
"""),
    cfg.StrOpt('state_path', default='/var/lib/nova', help="""
Directory for what a service keeps between two starts. `nova-lite up` uses its `--state-dir` instead.
"""),
    cfg.IntOpt('report_interval', default=10, min=1, help="""
Seconds between two heartbeats of a service.
"""),
    cfg.IntOpt('service_down_time', default=60, min=1, help="""
Seconds without a heartbeat after which a service counts as down: it gets no work and is shown so. Several
times `report_interval`, or a single late heartbeat takes a host out.
"""),
    cfg.StrOpt('default_availability_zone', default='nova', help="""
Availability zone of every compute host that no host aggregate puts into another.
"""),
    cfg.StrOpt('internal_service_availability_zone', default='internal', help="""
Availability zone in which services other than nova-compute are shown.
"""),
    cfg.StrOpt('default_schedule_zone', help="""
Availability zone of a server whose request names none. If this is not set, every zone will do.
"""),
    cfg.StrOpt('instance_name_template', default='instance-%08x', help="""
How a server is called on its hypervisor, and in `OS-EXT-SRV-ATTR:instance_name`. The number is the server's
row number.
"""),
    cfg.IntOpt('password_length', default=12, min=0, help="""
Length of the administrator's password that is made for a server whose request brings none.
"""),
]
