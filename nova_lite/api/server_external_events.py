# SPDX-License-Identifier: Apache-2.0
"""External events: what the network, volume, bare metal and accelerator services tell about servers.

Source: compute API reference, "Create external events"; microversions 2.51 (volume-extended), 2.76 (power-update),
2.82 (accelerator-request-bound), 2.93 (volume-reimaged).
"""

from typing import Any

from nova_lite.auth import policy
from nova_lite.ops import external_events as ops
from nova_lite.wsgi import kinds
from nova_lite.wsgi.body import Array, Body, Object, Prop
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import POST, Answer, Raw
from nova_lite.wsgi.formats import UUID
from nova_lite.wsgi.window import only, since, until

CREATE_RULE = 'os_compute_api:os-server-external-events:create'
_PATH = '/os-server-external-events'

RULES = (
    policy.rule(CREATE_RULE, policy.SERVICE_OR_ADMIN, 'Tell about events of servers.', ('POST', _PATH)),
)

_NETWORK = ('network-changed', 'network-vif-plugged', 'network-vif-unplugged', 'network-vif-deleted')
_TO_75 = (*_NETWORK, 'volume-extended')
_TO_81 = (*_TO_75, 'power-update')
_TO_92 = (*_TO_81, 'accelerator-request-bound')
_ALL = (*_TO_92, 'volume-reimaged')


def _name(known: tuple[str, ...], when: Any) -> Prop:
    return Prop('name', {'type': 'string', 'enum': list(known)}, when, required=True)


CREATE = Body(Object(Prop('events', Array(Object(
    Prop('server_uuid', UUID, required=True),
    _name(_NETWORK, until(50)), _name(_TO_75, only(51, 75)), _name(_TO_81, only(76, 81)), _name(_TO_92, only(82, 92)),
    _name(_ALL, since(93)),
    Prop('status', {'type': 'string', 'enum': ['failed', 'completed', 'in-progress']}),
    Prop('tag', {'type': 'string', 'maxLength': 255}),
), minItems=1), required=True)))

PARTLY = 207
_TOLD = kinds.under('events', kinds.listed(kinds.record(
    {'server_uuid': kinds.TEXT, 'name': kinds.TEXT, 'status': kinds.word('failed', 'completed'), 'code': kinds.INTEGER},
    {'tag': kinds.TEXT})))


def create(call: Call) -> Raw:
    """Tell about events; the code of each says what became of it."""
    told = call.body['events']
    codes = ops.accept(call.services, call.context, [ops.ExternalEvent(**event) for event in told])
    shown = [{**event, 'status': 'completed' if code == ops.ACCEPTED else 'failed', 'code': code}
             for event, code in zip(told, codes, strict=True)]
    return Raw({'events': shown}, status=PARTLY if set(codes) - {ops.ACCEPTED} else None)


ENDPOINTS = (
    POST(_PATH, create, rule=CREATE_RULE, body=CREATE, reply=_TOLD, answers=(Answer(200), Answer(PARTLY))),
)
