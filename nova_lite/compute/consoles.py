# SPDX-License-Identifier: Apache-2.0
"""Which kinds of consoles the servers of a host have, and where they and their proxies are."""

from typing import Any

from oslo_config import cfg

from nova_lite import errors
from nova_lite.virt import base as virt

#: kind: (option group, name of the option with the proxy's URL)
KINDS = {
    'novnc': ('vnc', 'novncproxy_base_url'),
    'serial': ('serial_console', 'base_url'),
    'spice-direct': ('spice', 'spice_direct_proxy_base_url'),
    'spice-html5': ('spice', 'html5proxy_base_url'),
    'webmks': ('mks', 'mksproxy_base_url'),
}


def address(conf: cfg.ConfigOpts, driver: virt.Driver, server_uuid: str, kind: str) -> dict[str, Any]:
    """host, port, tls_port, internal_access_path and base_url of a server's console.

    ``errors.Invalid`` if consoles of that kind are switched off here, ``errors.Unsupported`` if the hypervisor
    has none at all.
    """
    if not isinstance(driver, virt.ConsolePort) or 'console' not in driver.capabilities:
        raise errors.Unsupported(reason='The hypervisor of this host has no consoles.')
    if kind not in KINDS:
        raise errors.Invalid(reason=f'There are no consoles of type {kind}.')
    group, option = KINDS[kind]
    if not conf[group].enabled:
        raise errors.Invalid(reason=f'Consoles of type {kind} are switched off on this host ([{group}] enabled).')
    found = driver.console(server_uuid, kind)
    return {'host': found.host, 'port': found.port, 'tls_port': found.tls_port,
            'internal_access_path': found.internal_access_path, 'base_url': conf[group][option]}
