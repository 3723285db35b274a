# SPDX-License-Identifier: Apache-2.0
"""A compute host's heartbeat: what it has and what runs on it."""

from oslo_versionedobjects import fields

from nova_lite.objects import base


@base.Registry.register
class HostReport(base.NovaLiteObject):
    """Inventory of one host and the power states of its guests, keyed by server uuid.

    Memory is in MiB, disk in GiB. ``cpu_info`` is a JSON object; ``version`` is the service
    version of the worker, from which RPC pins are derived. ``operations`` lists the ids of those that the
    worker is at, whose leases it thereby renews. False in its place says that the worker has just started, so that
    nothing goes on of what it was given before; an earlier release takes that for an empty list.
    ``capabilities`` are the optional ports of its driver.
    """

    VERSION = '1.0'
    fields = {
        'host': fields.StringField(),
        'hypervisor_hostname': fields.StringField(),
        'hypervisor_type': fields.StringField(),
        'hypervisor_version': fields.IntegerField(),
        'host_ip': fields.StringField(),
        'cpu_info': base.Json(),
        'vcpus': fields.IntegerField(),
        'memory_mb': fields.IntegerField(),
        'local_gb': fields.IntegerField(),
        'disk_available_least': fields.IntegerField(nullable=True),
        'reserved': base.Json(),
        'ratios': base.Json(),
        'uptime': fields.StringField(nullable=True),
        'traits': base.Json(),
        'guests': base.Json(),
        'operations': base.Json(),
        'capabilities': base.Json(),
        'version': fields.IntegerField(),
    }
