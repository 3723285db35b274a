# SPDX-License-Identifier: Apache-2.0
"""The service catalogue of the embedded identity: the APIs of this port and where they are.

The public endpoint is what ``[embedded] endpoint`` says.  The internal and admin
ones follow the URL of the request, because our own processes log in over the
loopback address and may be unable to reach the public one.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import webob
from oslo_config import cfg

IDENTITY_MOUNT = '/identity'
INTERFACES = ('public', 'internal', 'admin')


@dataclass(frozen=True)
class Service:
    type: str
    name: str
    url: str       # a path below the base, or a whole URL

    @property
    def id(self) -> str:
        return _stable_id(self.type)


class Catalog:
    """Services in the order in which clients see them."""

    def __init__(self, conf: cfg.ConfigOpts):
        self._public = (conf.embedded.endpoint or '').rstrip('/')
        self.region = conf.embedded.region
        self.services = [
            Service('compute', 'nova', '/v2.1'),
            Service('identity', 'keystone', IDENTITY_MOUNT),
        ]
        if conf.embedded.image:
            self.services.append(Service('image', 'glance', '/image'))
        elif conf.glance.endpoint_override:
            self.services.append(Service('image', 'glance', conf.glance.endpoint_override))
        if conf.embedded.network:
            self.services.append(Service('network', 'neutron', '/network'))
        if conf.embedded.volume:
            # The one is the service's type, the other what clients have asked for since version 3 began.
            self.services += [Service('block-storage', 'cinder', '/volume/v3'),
                              Service('volumev3', 'cinderv3', '/volume/v3')]

    def endpoints(self, request: webob.Request) -> list[tuple[Service, dict[str, Any]]]:
        """Each service three times, with its endpoint as Identity v3 shows it inside a catalogue."""
        here = base_url(request)
        found = []
        for service in self.services:
            for interface in INTERFACES:
                base = self._public if self._public and interface == 'public' else here
                url = service.url if '://' in service.url else base + service.url
                found.append((service, {
                    'id': _stable_id(service.type + interface), 'interface': interface, 'url': url,
                    'region': self.region, 'region_id': self.region}))
        return found

    def document(self, request: webob.Request) -> list[dict[str, Any]]:
        """The catalogue as a token carries it."""
        entries: dict[str, dict[str, Any]] = {
            one.id: {'id': one.id, 'type': one.type, 'name': one.name, 'endpoints': []}
            for one in self.services}
        for service, endpoint in self.endpoints(request):
            entries[service.id]['endpoints'].append(endpoint)
        return list(entries.values())

    def identity_url(self, request: webob.Request) -> str:
        """Where the identity API is for whoever sent the request."""
        return (self._public or base_url(request)) + IDENTITY_MOUNT


def base_url(request: webob.Request) -> str:
    """The URL of the port, with whatever prefix a proxy put before our mount point."""
    return request.host_url + request.script_name.removesuffix(IDENTITY_MOUNT).rstrip('/')


def _stable_id(name: str) -> str:
    return hashlib.sha256(f'nova-lite {name}'.encode()).hexdigest()[:32]
