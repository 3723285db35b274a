# SPDX-License-Identifier: Apache-2.0
"""One piece of accepted work on its way to a worker, and the worker's report of it."""

from oslo_versionedobjects import fields

from nova_lite.objects import base


@base.Registry.register
class Operation(base.NovaLiteObject):
    """What a worker is asked to do. ``attempt`` tells a late report from the present one."""

    VERSION = '1.0'
    fields = {
        'id': fields.UUIDField(),
        'kind': fields.StringField(),
        'server_uuid': fields.UUIDField(),
        'request_id': fields.StringField(),
        'attempt': fields.IntegerField(),
        'step': fields.StringField(),
        'params': base.Json(),
    }


@base.Registry.register
class OperationReport(base.NovaLiteObject):
    """How an attempt ended on a host.

    ``outcome`` is ``succeeded`` or ``failed``; ``changes`` holds new server values (power_state);
    ``error`` holds code, message and details of a failure; ``events`` is a list of
    {event, start, finish, result, traceback}, times as ISO 8601 in UTC.
    """

    VERSION = '1.0'
    fields = {
        'operation_id': fields.UUIDField(),
        'server_uuid': fields.UUIDField(),
        'attempt': fields.IntegerField(),
        'host': fields.StringField(),
        'outcome': fields.EnumField(valid_values=('succeeded', 'failed')),
        'changes': base.Json(),
        'error': base.Json(nullable=True),
        'events': base.Json(),
    }
