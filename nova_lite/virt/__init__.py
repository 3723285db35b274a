# SPDX-License-Identifier: Apache-2.0
"""Hypervisors behind one small port, and the choice among them."""

import importlib
from typing import TYPE_CHECKING

from oslo_config import cfg

from nova_lite import errors

if TYPE_CHECKING:
    from nova_lite.virt import base

#: Name of a driver → its module and class. Imported when chosen: its library may be an extra.
DRIVERS = {
    'fake': ('nova_lite.virt.fake', 'FakeDriver'),
    'libvirt': ('nova_lite.virt.libvirt.driver', 'LibvirtDriver'),
}
#: The names that an operator's nova.conf may hold already.
ALIASES = {'fake.FakeDriver': 'fake', 'libvirt.LibvirtDriver': 'libvirt'}


def load_driver(conf: cfg.ConfigOpts, host: str, images: 'base.ImageSource | None' = None) -> 'base.Driver':
    """The driver that ``[DEFAULT] compute_driver`` names, for ``host``; not started yet."""
    module, class_name = DRIVERS[_driver_name(conf)]
    driver: base.Driver = getattr(importlib.import_module(module), class_name)(conf, host, images)
    return driver


def host_names(conf: cfg.ConfigOpts) -> list[str]:
    """The hosts that one compute process stands for; only the fake driver makes them more than one."""
    if _driver_name(conf) != 'fake' or conf.fake.hosts == 1:
        return [conf.host]
    return [f'{conf.host}-{number}' for number in range(1, conf.fake.hosts + 1)]


def _driver_name(conf: cfg.ConfigOpts) -> str:
    name = ALIASES.get(conf.compute_driver, conf.compute_driver)
    if name not in DRIVERS:
        known = ', '.join(sorted((*DRIVERS, *ALIASES)))
        raise errors.StartError(
            reason=f'[DEFAULT] compute_driver {conf.compute_driver!r} is unknown. Known drivers: {known}.')
    return name
