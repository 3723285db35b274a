# SPDX-License-Identifier: Apache-2.0
"""Copies of a disk that a guest goes on writing to."""

import logging
import time
from typing import Any

from nova_lite import concurrency, errors
from nova_lite.virt.libvirt import xml
from nova_lite.virt.libvirt.connection import Connection
from nova_lite.virt.libvirt.domains import POLL, Domains

LOG = logging.getLogger(__name__)

COPY_SECONDS = 6 * 3600


def copy(connection: Connection, domains: Domains, server_uuid: str, target: str, disk: xml.Disk, *,
         pivot: bool = False, quiesce: bool = False) -> None:
    """``disk`` holds what the guest's disk ``target`` has at the end, and with ``pivot`` takes its place.

    A disk that takes another's place is there already.  ``quiesce`` has the agent in the guest bring its file systems
    in order for the moment; without an agent the copy is like a disk after a power cut.
    """
    lib = connection.lib
    flags = lib.VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB | (lib.VIR_DOMAIN_BLOCK_COPY_REUSE_EXT if pivot else 0)
    text = xml.render(disk.element())

    def begin(domain: Any) -> None:
        if domain.blockJobInfo(target, 0):
            # Of a process that was killed.
            domain.blockJobAbort(target, 0)
        domain.blockCopy(target, text, {}, flags)

    def end(domain: Any) -> None:
        domain.blockJobAbort(target, lib.VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT if pivot else 0)

    domains.run(server_uuid, begin)
    try:
        _wait(domains, server_uuid, target)
        if quiesce:
            _frozen(domains, server_uuid, end)
        else:
            domains.run(server_uuid, end)
    except BaseException:
        _give_up(domains, server_uuid, target)
        raise


def _wait(domains: Domains, server_uuid: str, target: str) -> None:
    """Until the copy keeps up with the guest."""
    end = time.monotonic() + COPY_SECONDS
    while time.monotonic() < end:
        disk = xml.disks(domains.description(server_uuid)).get(target)
        mirror = disk.find('mirror') if disk is not None else None
        if mirror is None:
            raise errors.HypervisorError(reason=f'The copy of disk {target} ended before it was complete.')
        if mirror.get('ready') == 'yes':
            return
        if mirror.get('ready') == 'abort':
            raise errors.HypervisorError(reason=f'The copy of disk {target} was aborted.')
        concurrency.sleep(POLL)
    raise errors.HypervisorError(reason=f'The copy of disk {target} was not done after {COPY_SECONDS} seconds.')


def _frozen(domains: Domains, server_uuid: str, end: Any) -> None:
    def freeze(domain: Any) -> None:
        domain.fsFreeze()

    def thaw(domain: Any) -> None:
        domain.fsThaw()

    domains.run(server_uuid, freeze)
    try:
        domains.run(server_uuid, end)
    finally:
        domains.run(server_uuid, thaw)


def _give_up(domains: Domains, server_uuid: str, target: str) -> None:
    try:
        domains.run(server_uuid, lambda domain: domain.blockJobInfo(target, 0) and domain.blockJobAbort(target, 0))
    except errors.Error as error:
        LOG.warning('The copy of disk %s of server %s could not be aborted: %s', target, server_uuid, error)
