# SPDX-License-Identifier: Apache-2.0
"""The part of the network port that is about security groups, over Neutron."""

from collections.abc import Mapping, Sequence
from typing import Any

from nova_lite import errors
from nova_lite.clients.neutron_wire import Body, Wire
from nova_lite.model.security_groups import Group, Rule, StoredRule

_KIND, _RULES = 'security-groups', 'security-group-rules'
_RULE = tuple(Rule.__dataclass_fields__)


class NeutronSecurityGroups:
    """The groups of Neutron, as the user's token shows them."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def all(self, context: Any, all_projects: bool = False) -> list[Group]:
        everybody = all_projects and context.is_admin
        return self._models(context, self._wire.find(
            context, _KIND, [] if everybody else [('project_id', context.project_id)]))

    def get(self, context: Any, group_id: str) -> Group:
        return self._models(context, [self._body(context, group_id)])[0]

    def named(self, context: Any, name_or_id: str) -> Group:
        found = self._wire.find(context, _KIND, [('id', name_or_id)])
        # An administrator sees those of everybody, and means those of the project that he is in.
        found = found or self._wire.find(context, _KIND, [('name', name_or_id), ('project_id', context.project_id)])
        if not found:
            raise errors.SecurityGroupNotFound(group=name_or_id)
        if len(found) > 1:
            raise errors.SecurityGroupAmbiguous(group=name_or_id)
        return self._models(context, found)[0]

    def create(self, context: Any, name: str, description: str) -> Group:
        body = self._wire.call(context, 'POST', _KIND, {'security_group': {
            'name': name, 'description': description}})
        return self._models(context, [body['security_group']])[0]

    def update(self, context: Any, group_id: str, name: str, description: str) -> Group:
        known = self._body(context, group_id)
        changed = {key: value for key, value in (('name', name), ('description', description)) if known[key] != value}
        if not changed:
            return self._models(context, [known])[0]
        body = self._wire.call(context, 'PUT', f'{_KIND}/{group_id}', {'security_group': changed},
                               missing=errors.SecurityGroupNotFound(group=group_id))
        return self._models(context, [body['security_group']])[0]

    def delete(self, context: Any, group_id: str) -> None:
        self._wire.call(context, 'DELETE', f'{_KIND}/{group_id}', missing=errors.SecurityGroupNotFound(group=group_id))

    def add_rule(self, context: Any, group_id: str, rule: Rule) -> StoredRule:
        said = {name: value for name, value in vars(rule).items() if value is not None}
        body = self._wire.call(context, 'POST', _RULES, {'security_group_rule': {
            **said, 'security_group_id': group_id}}, missing=errors.SecurityGroupNotFound(group=group_id))
        return self._rules(context, [body['security_group_rule']])[0]

    def delete_rule(self, context: Any, rule_id: str) -> None:
        self._wire.call(context, 'DELETE', f'{_RULES}/{rule_id}',
                        missing=errors.SecurityGroupRuleNotFound(rule=rule_id))

    # ----------------------------------------------------------------- servers

    def of_server(self, context: Any, server_uuid: str) -> list[Group]:
        ids = [group for port in self._ports(context, server_uuid) for group in port['security_groups']]
        known = {group.id: group for group in self._models(context, self._wire.by_ids(context, _KIND, ids))}
        return [known[group] for group in ids if group in known]

    def add(self, context: Any, server_uuid: str, group_id: str) -> None:
        ports = self._ports(context, server_uuid)
        if not ports:
            raise errors.NotFound(f'Server {server_uuid} has no port that could be in a security group.')
        for port in ports:
            if group_id not in port['security_groups']:
                self._change(context, port, [*port['security_groups'], group_id])

    def remove(self, context: Any, server_uuid: str, group_id: str) -> None:
        ports = [port for port in self._ports(context, server_uuid) if group_id in port['security_groups']]
        if not ports:
            raise errors.NotFound(f'Server {server_uuid} is not in security group {group_id}.')
        for port in ports:
            self._change(context, port, [group for group in port['security_groups'] if group != group_id])

    def _ports(self, context: Any, server_uuid: str) -> list[dict[str, Any]]:
        return self._wire.find(context, 'ports', [
            ('device_id', server_uuid), ('fields', 'id'), ('fields', 'security_groups')], own=True)

    def _change(self, context: Any, port: Body, groups: Sequence[str]) -> None:
        # With our credentials, as the rest of the port: its owner was asked for by the rule of the request.
        self._wire.call(context, 'PUT', f'ports/{port["id"]}', {'port': {'security_groups': list(groups)}}, own=True,
                        missing=errors.PortNotFound(port=port['id']))

    # ------------------------------------------------------------------ models

    def _body(self, context: Any, group_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self._wire.call(context, 'GET', f'{_KIND}/{group_id}', missing=(
            errors.SecurityGroupNotFound(group=group_id)))['security_group']
        return found

    def _models(self, context: Any, bodies: Sequence[Body]) -> list[Group]:
        rules = self._rules(context, [rule for body in bodies for rule in body.get('security_group_rules') or ()])
        return [Group(body['id'], body['name'], body.get('description') or '', _project(body),
                      tuple(rule for rule in rules if rule.group_id == body['id'])) for body in bodies]

    def _rules(self, context: Any, bodies: Sequence[Body]) -> list[StoredRule]:
        others = [body['remote_group_id'] for body in bodies if body.get('remote_group_id')]
        names = {one['id']: one['name'] for one in self._wire.by_ids(context, _KIND, others, ('id', 'name'))}
        return [StoredRule(body['id'], body['security_group_id'], _project(body), _rule(body),
                           names.get(body.get('remote_group_id'))) for body in bodies]


def _rule(body: Mapping[str, Any]) -> Rule:
    known: dict[str, Any] = {name: body.get(name) for name in _RULE}
    return Rule(**{**known, 'description': body.get('description') or ''})


def _project(body: Body) -> str:
    return body.get('project_id') or body.get('tenant_id') or ''
