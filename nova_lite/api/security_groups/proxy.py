# SPDX-License-Identifier: Apache-2.0
"""Security groups and their rules in the old shape of Compute, until 2.35.

Source: compute API reference, "Security groups (os-security-groups) (DEPRECATED)" and "Rules for security group
(os-security-group-rules) (DEPRECATED)".  This shape knows ingress rules only, and what contradicts a group that
is there is no conflict but invalid or forbidden.
"""

from collections.abc import Iterable, Mapping
from operator import attrgetter
from typing import Any

from nova_lite import errors
from nova_lite.api import shared
from nova_lite.api.security_groups import view
from nova_lite.auth import policy
from nova_lite.model.security_groups import EVERYWHERE, INGRESS, IPV4, IPV6, Group, Rule, checked
from nova_lite.wsgi import formats, kinds, window
from nova_lite.wsgi.body import Object, Param, Prop, Query, wrapped
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import DELETE, GET, POST, PUT, answer, many, one
from nova_lite.wsgi.window import until

# ------------------------------------------------------------------- policy

_RULE = 'os_compute_api:os-security-groups:'
_ROOT, _ONE = '/os-security-groups', '/os-security-groups/{id}'
_RULES_ROOT, _ONE_RULE = '/os-security-group-rules', '/os-security-group-rules/{id}'

RULES = (
    policy.rule(_RULE + 'get', policy.READER_OR_ADMIN, 'List security groups.', ('GET', _ROOT)),
    policy.rule(_RULE + 'show', policy.READER_OR_ADMIN, 'Show a security group.', ('GET', _ONE)),
    policy.rule(_RULE + 'create', policy.MEMBER_OR_ADMIN, 'Create a security group.', ('POST', _ROOT)),
    policy.rule(_RULE + 'update', policy.MEMBER_OR_ADMIN, 'Change a security group.', ('PUT', _ONE)),
    policy.rule(_RULE + 'delete', policy.MEMBER_OR_ADMIN, 'Delete a security group.', ('DELETE', _ONE)),
    policy.rule(_RULE + 'rule:create', policy.MEMBER_OR_ADMIN, 'Add a rule to a security group.',
                ('POST', _RULES_ROOT)),
    policy.rule(_RULE + 'rule:delete', policy.MEMBER_OR_ADMIN, 'Delete a rule of a security group.',
                ('DELETE', _ONE_RULE)),
)

# ------------------------------------------------------------------- bodies

_TEXT = {'type': 'string', 'maxLength': 255}
_PORT = {'type': ['integer', 'string', 'null'], 'maxLength': 10}
GROUP = wrapped('security_group', Object(
    Prop('name', _TEXT, required=True),
    Prop('description', _TEXT, required=True),
    open_=window.ALWAYS))
RULE = wrapped('security_group_rule', Object(
    Prop('parent_group_id', formats.UUID, required=True),
    Prop('group_id', {'anyOf': [formats.UUID, formats.NULL]}),
    Prop('ip_protocol', {'type': ['string', 'null'], 'maxLength': 40}),
    Prop('from_port', _PORT),
    Prop('to_port', _PORT),
    Prop('cidr', {'type': ['string', 'null'], 'maxLength': 64}),
    open_=window.ALWAYS))
LIST_QUERY = Query(
    Param('limit', formats.NUMBER), Param('offset', formats.NUMBER), Param('all_tenants', formats.TEXT),
    open_=window.ALWAYS)

# ----------------------------------------------------------------- handlers


def index(call: Call) -> list[Group]:
    """List security groups."""
    everybody = call.context.is_admin and shared.parse_bool(call.query.get('all_tenants', '0') or '0', 'all_tenants')
    found = call.services.networks.groups.all(call.context, everybody)
    found.sort(key=attrgetter('project_id', 'name'))
    start = call.query.integer('offset') or 0
    return list(found[start:start + call.limit()])


def show(call: Call) -> Group:
    """Show one security group."""
    return call.services.networks.groups.get(call.context, _id(call))


def _id(call: Call) -> str:
    return shared.uuid_of(call.params['id'], 'security group id')


def create(call: Call) -> Group:
    """Create a security group."""
    body = call.body['security_group']
    try:
        return call.services.networks.groups.create(call.context, body['name'], body['description'])
    except errors.Conflict as error:
        raise errors.Forbidden(str(error)) from None


def update(call: Call) -> Group:
    """Change name and description of a security group."""
    body = call.body['security_group']
    try:
        return call.services.networks.groups.update(call.context, _id(call), body['name'], body['description'])
    except errors.Conflict as error:
        raise errors.Invalid(str(error)) from None


def delete(call: Call) -> None:
    """Delete a security group that no server is in."""
    try:
        call.services.networks.groups.delete(call.context, _id(call))
    except errors.Conflict as error:
        raise errors.Invalid(str(error)) from None


def create_rule(call: Call) -> dict[str, Any]:
    """Add an ingress rule to a security group."""
    body = call.body['security_group_rule']
    groups = call.services.networks.groups
    parent = groups.get(call.context, body['parent_group_id'])
    source = groups.get(call.context, body['group_id']) if body.get('group_id') else None
    rule = ingress(body, source.id if source else None)
    try:
        made = groups.add_rule(call.context, parent.id, rule)
    except errors.SecurityGroupRuleExists as error:
        raise errors.Invalid(str(error)) from None
    except errors.Conflict as error:
        raise errors.Forbidden(str(error)) from None
    return {'security_group_rule': view.rule(made, source.project_id if source else '')}


def delete_rule(call: Call) -> None:
    """Delete a rule of a security group."""
    call.services.networks.groups.delete_rule(call.context, shared.uuid_of(call.params['id'], 'rule id'))


# ----------------------------------------------------- from the old shape

_ICMP = frozenset(('icmp', 'icmpv6', 'ipv6-icmp'))
_PROTOCOLS = frozenset(('tcp', 'udp')) | _ICMP


def ingress(body: Mapping[str, Any], source_id: str | None) -> Rule:
    """The rule that a request means: from addresses it needs a protocol and ports, from a group neither."""
    protocol = (body.get('ip_protocol') or '').lower() or None
    low, high = _port(body, 'from_port'), _port(body, 'to_port')
    if protocol is not None and protocol not in _PROTOCOLS:
        raise errors.Invalid(f'Invalid ip_protocol: {protocol[:40]!r} is not one of {_said(_PROTOCOLS)}.')
    cidr = None if source_id else body.get('cidr') or EVERYWHERE[IPV4]
    if source_id and low is None and high is None and protocol is not None:
        low, high = (-1, -1) if protocol in _ICMP else (1, 65535)
    if protocol is None or low is None or high is None:
        if source_id is None:
            raise errors.Invalid('A rule without group_id needs ip_protocol, from_port and to_port.')
        protocol = low = high = None
    elif protocol not in _ICMP and not 1 <= low <= high:
        raise errors.Invalid(f'Invalid ports: from_port {low} and to_port {high} are not a range between 1 and 65535.')
    return checked({
        'direction': INGRESS, 'ethertype': IPV6 if ':' in (cidr or '') else IPV4, 'protocol': protocol,
        'port_range_min': None if low == -1 else low, 'port_range_max': None if high == -1 else high,
        'remote_ip_prefix': cidr, 'remote_group_id': source_id})


def _port(body: Mapping[str, Any], name: str) -> int | None:
    value = body.get(name)
    if value is None or value == '':
        return None
    try:
        return int(value)
    except ValueError:
        raise errors.Invalid(f'Invalid {name}: {value!r} is not a whole number.') from None


def _said(words: Iterable[str]) -> str:
    return ', '.join(sorted(words))


_PROXY = until(35)
_RULE_REPLY = kinds.under('security_group_rule', view.RULE_KIND)

ENDPOINTS = (
    GET(_ROOT, index, rule=_RULE + 'get', when=_PROXY, query=LIST_QUERY,
        show=many('security_groups', view.GROUP, links=False), errors=(400, 404)),
    POST(_ROOT, create, rule=_RULE + 'create', when=_PROXY, body=GROUP, show=one('security_group', view.GROUP),
         errors=(400, 403)),
    GET(_ONE, show, rule=_RULE + 'show', when=_PROXY, show=one('security_group', view.GROUP), errors=(400, 404)),
    PUT(_ONE, update, rule=_RULE + 'update', when=_PROXY, body=GROUP, show=one('security_group', view.GROUP),
        errors=(400, 404)),
    DELETE(_ONE, delete, rule=_RULE + 'delete', when=_PROXY, answers=answer(202), errors=(400, 404)),
    POST(_RULES_ROOT, create_rule, rule=_RULE + 'rule:create', when=_PROXY, body=RULE, reply=_RULE_REPLY,
         errors=(400, 403, 404)),
    DELETE(_ONE_RULE, delete_rule, rule=_RULE + 'rule:delete', when=_PROXY, answers=answer(202),
           errors=(400, 404, 409)),
)
