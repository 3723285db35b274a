# SPDX-License-Identifier: Apache-2.0
"""How Compute shows security groups and their rules: the older shape, without rules of egress."""

from typing import Any

from nova_lite.model.security_groups import EVERYWHERE, INGRESS, Group, StoredRule
from nova_lite.wsgi import kinds
from nova_lite.wsgi.view import Field, Rendering, View, column

_ANY_PORT = {'TCP': (1, 65535), 'UDP': (1, 65535)}

RULE_KIND = kinds.record({
    'id': kinds.UUID, 'parent_group_id': kinds.UUID, 'ip_protocol': kinds.maybe(kinds.TEXT),
    'from_port': kinds.maybe(kinds.INTEGER), 'to_port': kinds.maybe(kinds.INTEGER),
    'group': kinds.record({}, {'name': kinds.TEXT, 'tenant_id': kinds.TEXT}),
    'ip_range': kinds.record({}, {'cidr': kinds.TEXT})})


def rule(stored: StoredRule, remote_project_id: str) -> dict[str, Any]:
    """One rule; who is let through is a group or a range of addresses."""
    what = stored.rule
    low, high = what.port_range_min, what.port_range_max
    if what.protocol is not None and low is None and high is None:
        low, high = _ANY_PORT.get(what.protocol.upper(), (-1, -1))
    shown: dict[str, Any] = {
        'id': stored.id, 'parent_group_id': stored.group_id, 'ip_protocol': what.protocol, 'from_port': low,
        'to_port': high, 'group': {}, 'ip_range': {}}
    if what.remote_group_id is not None:
        shown['group'] = {'name': stored.remote_group_name or what.remote_group_id, 'tenant_id': remote_project_id}
    else:
        shown['ip_range'] = {'cidr': what.remote_ip_prefix or EVERYWHERE[what.ethertype]}
    return shown


def _rules(group: Group, rendering: Rendering) -> list[dict[str, Any]]:
    return [rule(one, group.project_id) for one in group.rules if one.rule.direction == INGRESS]


GROUP = View(
    column('id', kind=kinds.UUID), column('name', kind=kinds.TEXT), column('description', kind=kinds.TEXT),
    column('tenant_id', 'project_id', kind=kinds.TEXT),
    Field('rules', _rules, kind=kinds.listed(RULE_KIND)))
