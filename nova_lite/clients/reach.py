# SPDX-License-Identifier: Apache-2.0
"""Whether the services that a configuration names can be used, and which line to look at if not."""

from collections.abc import Iterator

from oslo_config import cfg

from nova_lite.clients import cinder_wire
from nova_lite.clients.session import Service


def problems(conf: cfg.ConfigOpts) -> list[str]:
    """A sentence for each service that cannot be used; asks all of them, and waits for their answers."""
    found = []
    for name, service in _services(conf):
        wrong = service.diagnose()
        if wrong:
            found.append(f'{name} cannot be used: {wrong}')
    return found


def any_service(conf: cfg.ConfigOpts) -> bool:
    """Whether there is anything to ask."""
    return next(_services(conf), None) is not None


def _services(conf: cfg.ConfigOpts) -> Iterator[tuple[str, Service]]:
    """Those that are not embedded, by their names."""
    if conf.api.auth_strategy != 'keystone' or conf.embedded.identity:
        return
    yield 'Keystone', Service(conf, 'keystone', 'Keystone')
    if not conf.embedded.image:
        yield 'Glance', Service(conf, 'glance', 'Glance')
    if not conf.embedded.network and (conf.neutron.auth_type or conf.neutron.auth_section):
        yield 'Neutron', Service(conf, 'neutron', 'Neutron')
    if not conf.embedded.volume and (conf.cinder.auth_type or conf.cinder.auth_section):
        yield 'Cinder', Service(conf, 'cinder', 'Cinder', cinder_wire.place_of(conf))
    if conf.placement.mirror:
        yield 'Placement', Service(conf, 'placement', 'Placement')
