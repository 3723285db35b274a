# SPDX-License-Identifier: Apache-2.0
"""Devices plugged into a guest and pulled out of it, in its lasting form and, while it runs, at once.

Pulling needs the guest: it is asked, and may not listen.  So it is asked again, and what is still there after the last
time is an error.
"""

import logging
import time
from collections.abc import Callable
from typing import Any

from oslo_config import cfg

from nova_lite import concurrency, errors
from nova_lite.virt.libvirt import xml
from nova_lite.virt.libvirt.connection import Connection
from nova_lite.virt.libvirt.domains import POLL, Domains

LOG = logging.getLogger(__name__)

#: Finds a device in a domain.
Finder = Callable[[xml.Element], xml.Element | None]


def attach(connection: Connection, domains: Domains, server_uuid: str, device: xml.Element, find: Finder) -> None:
    """The guest has the device, now if it runs and at its next start."""
    lib, text = connection.lib, xml.render(device)

    def work(domain: Any) -> None:
        # The next start first: what is there at once and gone then would be worse.
        if find(xml.parse(domain.XMLDesc(lib.VIR_DOMAIN_XML_INACTIVE))) is None:
            domain.attachDeviceFlags(text, lib.VIR_DOMAIN_AFFECT_CONFIG)
        if domain.isActive() and find(xml.parse(domain.XMLDesc(0))) is None:
            lasting = find(xml.parse(domain.XMLDesc(lib.VIR_DOMAIN_XML_INACTIVE)))
            domain.attachDeviceFlags(text if lasting is None else xml.render(lasting), lib.VIR_DOMAIN_AFFECT_LIVE)

    domains.run(server_uuid, work)


def detach(conf: cfg.ConfigOpts, connection: Connection, domains: Domains, server_uuid: str, find: Finder) -> None:
    """The guest has no such device."""
    lib = connection.lib

    def forget(domain: Any) -> None:
        device = find(xml.parse(domain.XMLDesc(lib.VIR_DOMAIN_XML_INACTIVE)))
        if device is not None:
            domain.detachDeviceFlags(xml.render(device), lib.VIR_DOMAIN_AFFECT_CONFIG)

    domains.run(server_uuid, forget)
    for attempt in range(conf.libvirt.device_detach_attempts):
        if _is_out(lib, domains, server_uuid, find):
            return
        _pull(lib, domains, server_uuid, find, attempt)
        end = time.monotonic() + conf.libvirt.device_detach_timeout
        while time.monotonic() < end:
            if _is_out(lib, domains, server_uuid, find):
                return
            concurrency.sleep(POLL)
    raise errors.HypervisorError(reason=f'The guest of server {server_uuid} did not let go of the device.')


def _is_out(lib: Any, domains: Domains, server_uuid: str, find: Finder) -> bool:
    def work(domain: Any) -> bool:
        return not domain.isActive() or find(xml.parse(domain.XMLDesc(0))) is None

    return bool(domains.run(server_uuid, work))


def _pull(lib: Any, domains: Domains, server_uuid: str, find: Finder, attempt: int) -> None:
    def work(domain: Any) -> None:
        device = find(xml.parse(domain.XMLDesc(0)))
        if device is not None:
            domain.detachDeviceFlags(xml.render(device), lib.VIR_DOMAIN_AFFECT_LIVE)

    try:
        domains.run(server_uuid, work)
    except errors.GuestNotFound:
        raise
    except errors.HypervisorError as error:
        # Such as that the guest was asked already; whether the device goes is what counts.
        LOG.info('Asking the guest of server %s for a device, time %d: %s', server_uuid, attempt + 1, error)
