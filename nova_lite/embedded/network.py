# SPDX-License-Identifier: Apache-2.0
"""The embedded Networking v2.0 API, for clients; our own processes use its store directly.

It stands behind the same token check as the compute API.  Only the version document is for everybody, so it
is a filter of its own that goes before the token check.  There are no agents and policies here: lists of
those are empty, so that clients that look at them go on.
"""

from collections.abc import Callable, Sequence
from typing import Any

import webob

from nova_lite import conf as nova_conf
from nova_lite import errors
from nova_lite.embedded import (
    floating_ip_store,
    http,
    network_floating_room,
    network_group_room,
    network_networks,
    network_port_room,
    network_router_room,
)
from nova_lite.embedded import network_wire as wire
from nova_lite.model import security_groups
from nova_lite.wsgi import provided

#: Each makes the handlers of one resource: given the program's services, ``rows()`` are its routes.
ROOMS: tuple[Any, ...] = (
    network_networks.Networks, network_networks.Subnets, network_port_room.Ports, network_group_room.SecurityGroups,
    network_group_room.SecurityGroupRules, network_floating_room.FloatingIps, network_router_room.Routers)

_EXTENSIONS = (
    ('binding', 'Port Binding'), ('ext-gw-mode', 'Neutron L3 Configurable external gateway mode'),
    ('external-net', 'Neutron external network'), ('net-mtu', 'Network MTU'),
    ('net-mtu-writable', 'Network MTU (writable)'), ('pagination', 'Pagination support'),
    ('port-security', 'Port Security'), ('project-id', 'project_id field enabled'), ('quotas', 'Quota management'),
    ('router', 'Neutron L3 Router'), ('security-group', 'security-group'), ('sorting', 'Sorting support'),
    ('standard-attr-description', 'standard-attr-description'),
    ('standard-attr-timestamp', 'Resource timestamps'))
# path → key of its list
_EMPTY = {'/v2.0/agents': 'agents', '/v2.0/subnetpools': 'subnetpools',
          '/v2.0/address-scopes': 'address_scopes', '/v2.0/address-groups': 'address_groups',
          '/v2.0/segments': 'segments', '/v2.0/trunks': 'trunks', '/v2.0/rbac-policies': 'rbac_policies',
          '/v2.0/qos/policies': 'policies', '/v2.0/service-providers': 'service_providers'}
_QUOTAS = {**dict.fromkeys(('network', 'subnet', 'port', 'router', 'subnetpool', 'rbac_policy'), wire.UNLIMITED),
           'floatingip': floating_ip_store.MOST, 'security_group': security_groups.MOST_GROUPS,
           'security_group_rule': security_groups.MOST_RULES}


class NetworkApp(http.App):
    """The WSGI callable."""

    def __init__(self, services: Any) -> None:
        self.routes = http.Routes(
            ('GET', '/', versions), ('GET', '/v2.0', self.resources),
            ('GET', '/v2.0/extensions', self.extensions), ('GET', '/v2.0/extensions/{alias}', self.extension),
            ('GET', '/v2.0/availability_zones', self.zones), ('GET', '/v2.0/quotas/{project_id}', self.quotas),
            ('GET', '/v2.0/quotas/{project_id}/default', self.quotas),
            *(('GET', path, _nothing(key)) for path, key in _EMPTY.items()),
            *(row for room in ROOMS for row in room(services).rows()))

    def status_of(self, error: errors.Error) -> int:
        """For Neutron a quota that is used up is a conflict."""
        return 409 if isinstance(error, errors.OverQuota) else super().status_of(error)

    def named_error_body(self, name: str, status: int, title: str, message: str) -> Any:
        """The shape of Neutron's errors."""
        return {'NeutronError': {'type': name, 'message': message, 'detail': ''}}

    def resources(self, request: webob.Request) -> webob.Response:
        """What there is below /v2.0."""
        wire.caller(request)
        collections = {'network': 'networks', 'subnet': 'subnets', 'port': 'ports', 'router': 'routers',
                       'floatingip': 'floatingips',
                       'security_group': 'security-groups', 'security_group_rule': 'security-group-rules'}
        return http.answer({'resources': [
            {'name': name, 'collection': collection,
             'links': [{'rel': 'self', 'href': f'{request.application_url}/v2.0/{collection}'}]}
            for name, collection in collections.items()]})

    def extensions(self, request: webob.Request) -> webob.Response:
        """The parts of Networking that are here."""
        wire.caller(request)
        return http.answer({'extensions': [_extension(alias, name) for alias, name in _EXTENSIONS]})

    def extension(self, request: webob.Request, alias: str) -> webob.Response:
        """One of them."""
        wire.caller(request)
        for known, name in _EXTENSIONS:
            if known == alias:
                return http.answer({'extension': _extension(alias, name)})
        raise http.Refused(404, f'There is no extension {alias}.')

    def zones(self, request: webob.Request) -> webob.Response:
        """The one zone that networks are in."""
        wire.caller(request)
        zone = {'name': 'nova', 'resource': 'network', 'state': 'available'}
        return wire.page('availability_zones', [zone], request)

    def quotas(self, request: webob.Request, project_id: str) -> webob.Response:
        """What a project may have; -1 is without limit."""
        context = wire.caller(request)
        if not context.is_admin and project_id != context.project_id:
            raise http.Refused(403, 'Only an administrator sees the quota of another project.')
        return http.answer({'quota': {**_QUOTAS, 'project_id': project_id, 'tenant_id': project_id}})


def _extension(alias: str, name: str) -> dict[str, Any]:
    return {'alias': alias, 'name': name, 'description': name, 'links': [], 'updated': '2013-01-01T00:00:00-00:00'}


def _nothing(key: str) -> http.Handler:
    def handler(request: webob.Request) -> webob.Response:
        wire.caller(request)
        none: Sequence[wire.Entry] = ()
        return wire.page(key, none, request)

    return handler


def versions(request: webob.Request) -> webob.Response:
    """The version document."""
    href = f'{request.application_url.rstrip("/")}/v2.0/'
    return http.answer({'versions': [
        {'id': 'v2.0', 'status': 'CURRENT', 'links': [{'rel': 'self', 'href': href}]}]})


def network_factory(global_conf: dict[str, str], **local_conf: str) -> http.App:
    """Paste's app factory; with ``[embedded] network`` off, an app that says so."""
    if not nova_conf.current().embedded.network:
        return http.Off('[embedded] network')
    return NetworkApp(provided.get('services'))


def versions_factory(global_conf: dict[str, str], **local_conf: str) -> Callable[[Any], Any]:
    """Paste's filter factory: answers for the version document, hands everything else on."""
    enabled = nova_conf.current().embedded.network

    def wrap(app: Any) -> Any:
        def filtered(environ: dict[str, Any], start_response: Any) -> Any:
            about_versions = environ.get('PATH_INFO', '') in ('', '/')
            if enabled and about_versions and environ['REQUEST_METHOD'] in ('GET', 'HEAD'):
                return versions(webob.Request(environ))(environ, start_response)
            return app(environ, start_response)
        return filtered
    return wrap
