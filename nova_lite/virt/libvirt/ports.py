# SPDX-License-Identifier: Apache-2.0
"""Ports for serial consoles: each of a guest's own, for as long as it is defined."""

import contextlib
import socket
from collections.abc import Iterator

from oslo_config import cfg

from nova_lite import errors
from nova_lite.objects.server import Server
from nova_lite.virt.libvirt import xml
from nova_lite.virt.libvirt.domains import Domains


def listeners(conf: cfg.ConfigOpts, domains: Domains, server: Server) -> list[tuple[str, int]]:
    """Where the serial port of a guest listens: where it did, or on the first port that is free."""
    host = conf.serial_console.proxyclient_address
    taken = _taken(domains)
    own = [port for port, uuid in taken.items() if uuid == server.uuid]
    return [(host, own[0] if own else next(_free(conf.serial_console.port_range, host, taken)))]


def renew(conf: cfg.ConfigOpts, domains: Domains, domain: xml.Element) -> bool:
    """Give a domain other ports than it has; whether it has any that are its own choice."""
    found = list(domain.iterfind("devices/serial[@type='tcp']/source"))
    taken = _taken(domains)
    for source in found:
        port = next(_free(conf.serial_console.port_range, source.get('host', ''), taken))
        taken[port] = ''
        source.set('service', str(port))
    return bool(found)


def _taken(domains: Domains) -> dict[int, str]:
    """Ports of all domains, and whose they are."""
    return {int(port): domain.findtext('uuid', '') for domain in domains.in_use()
            for source in domain.iterfind('devices/serial/source') if (port := source.get('service') or '').isdigit()}


def _free(span: str, host: str, taken: dict[int, str]) -> Iterator[int]:
    first, last = map(int, span.split(':'))
    for port in range(first, last + 1):
        if port in taken:
            continue
        with contextlib.closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
        yield port
    raise errors.HypervisorError(reason=f'No port of [serial_console] port_range {span} is free.')
