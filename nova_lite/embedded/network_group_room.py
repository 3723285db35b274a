# SPDX-License-Identifier: Apache-2.0
"""Security groups and their rules in the embedded Networking API."""

from collections.abc import Sequence
from typing import Any

import webob

from nova_lite.embedded import http
from nova_lite.embedded import network_wire as wire
from nova_lite.embedded.network_store import seen_by
from nova_lite.embedded.security_group_store import Found, GroupStore
from nova_lite.model import security_groups as model

GROUP = wire.Body('security_group', {
    'name': wire.text, 'description': wire.text, 'stateful': wire.flag, 'project_id': wire.text,
    'tenant_id': wire.text}, {})
_CHANGES = ('name', 'description', 'stateful')
# What contradicts what is seen where all of a rule is looked at together.
RULE = wire.Body('security_group_rule', {
    'security_group_id': wire.identity, 'direction': wire.text, 'ethertype': wire.or_none(wire.text),
    'protocol': wire.anything, 'port_range_min': wire.anything, 'port_range_max': wire.anything,
    'remote_ip_prefix': wire.or_none(wire.text), 'remote_group_id': wire.or_none(wire.identity),
    'description': wire.text, 'project_id': wire.text, 'tenant_id': wire.text}, {})
_RULE_COLUMNS = ('direction', 'ethertype', 'protocol', 'port_range_min', 'port_range_max', 'remote_ip_prefix',
                 'remote_group_id', 'description')


class SecurityGroups:
    """/v2.0/security-groups."""

    def __init__(self, services: Any) -> None:
        self._store = GroupStore(services.db)

    def rows(self) -> Sequence[tuple[str, str, http.Handler]]:
        """The routes."""
        path = '/v2.0/security-groups/{group_id}'
        return (('GET', '/v2.0/security-groups', self.list), ('POST', '/v2.0/security-groups', self.create),
                ('GET', path, self.show), ('PUT', path, self.update), ('DELETE', path, self.delete))

    def list(self, request: webob.Request) -> webob.Response:
        context = wire.caller(request)
        if context.project_id:
            # An administrator sees his own one, too.
            self._store.default(context.project_id)
        wanted = wire.filters(request, ('id', 'name', 'project_id', 'description'))
        return wire.page('security_groups', [_view(found) for found in self._store.groups(seen_by(context), wanted)],
                         request)

    def show(self, request: webob.Request, group_id: str) -> webob.Response:
        return wire.one('security_group', _view(self._store.get(seen_by(wire.caller(request)), group_id)), request)

    def create(self, request: webob.Request) -> webob.Response:
        context = wire.writer(request)

        def make(wishes: Sequence[wire.Entry]) -> Sequence[wire.Entry]:
            return [_view(self._store.create(
                wire.project_of(context, values), values.get('name', ''), values.get('description', ''),
                values.get('stateful', True))) for values in wishes]

        return GROUP.create(request, context, make)

    def update(self, request: webob.Request, group_id: str) -> webob.Response:
        context = wire.writer(request)
        values = GROUP.read(request, context, _CHANGES)
        return wire.one('security_group', _view(self._store.update(seen_by(context), group_id, values)), request)

    def delete(self, request: webob.Request, group_id: str) -> webob.Response:
        self._store.delete(seen_by(wire.writer(request)), group_id)
        return http.empty()


class SecurityGroupRules:
    """/v2.0/security-group-rules."""

    def __init__(self, services: Any) -> None:
        self._store = GroupStore(services.db)

    def rows(self) -> Sequence[tuple[str, str, http.Handler]]:
        """The routes."""
        path = '/v2.0/security-group-rules/{rule_id}'
        return (('GET', '/v2.0/security-group-rules', self.list), ('POST', '/v2.0/security-group-rules', self.create),
                ('GET', path, self.show), ('PUT', path, self.update), ('DELETE', path, self.delete))

    def list(self, request: webob.Request) -> webob.Response:
        context = wire.caller(request)
        wanted = wire.filters(request, ('id', 'project_id', 'direction', 'ethertype', 'protocol', 'remote_group_id'))
        groups = http.query(request).getall('security_group_id')
        if groups:
            wanted['group_id'] = groups
        return wire.page('security_group_rules', [
            _rule_view(rule) for rule in self._store.rules(seen_by(context), wanted)], request)

    def show(self, request: webob.Request, rule_id: str) -> webob.Response:
        found = self._store.rule(seen_by(wire.caller(request)), rule_id)
        return wire.one('security_group_rule', _rule_view(found), request)

    def create(self, request: webob.Request) -> webob.Response:
        context = wire.writer(request)

        def make(wishes: Sequence[wire.Entry]) -> Sequence[wire.Entry]:
            rules = [(wire.needed('security_group_id', values), model.checked(values)) for values in wishes]
            return [_rule_view(self._store.add_rule(seen_by(context), group_id, rule)) for group_id, rule in rules]

        return RULE.create(request, context, make)

    def update(self, request: webob.Request, rule_id: str) -> webob.Response:
        context = wire.writer(request)
        values = RULE.read(request, context, ('description',))
        found = self._store.describe_rule(seen_by(context), rule_id, values.get('description', ''))
        return wire.one('security_group_rule', _rule_view(found), request)

    def delete(self, request: webob.Request, rule_id: str) -> webob.Response:
        self._store.delete_rule(seen_by(wire.writer(request)), rule_id)
        return http.empty()


def _view(found: Found) -> wire.Entry:
    group = found.group
    return {
        'id': group.id, 'name': group.name, 'description': group.description, 'stateful': group.stateful,
        'tenant_id': group.project_id, 'project_id': group.project_id, 'shared': False, 'tags': [],
        'security_group_rules': [_rule_view(rule) for rule in found.rules],
        'created_at': wire.shown_time(group.created_at), 'updated_at': wire.shown_time(group.updated_at),
        'revision_number': 1}


def _rule_view(rule: Any) -> wire.Entry:
    return {
        'id': rule.id, 'security_group_id': rule.group_id, 'tenant_id': rule.project_id,
        'project_id': rule.project_id, **{name: getattr(rule, name) for name in _RULE_COLUMNS},
        'normalized_cidr': model.network_of(rule.remote_ip_prefix), 'remote_address_group_id': None, 'tags': [],
        'created_at': wire.shown_time(rule.created_at), 'updated_at': wire.shown_time(rule.updated_at),
        'revision_number': 1}
