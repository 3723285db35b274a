# SPDX-License-Identifier: Apache-2.0
"""All options, one module per group, under the names that operators know from nova.conf.

Configuration is a parameter: whoever needs it gets the ``ConfigOpts`` that ``new()`` made.
``current()`` is for the few callers whose signature belongs to somebody else, such as the
factories that a paste file names.
"""

import copy
from collections.abc import Iterator
from types import ModuleType

from oslo_config import cfg

from nova_lite.conf import (
    api,
    base,
    block_devices,
    cinder,
    compute,
    conductor,
    console,
    consoles,
    daemons,
    disk_devices,
    embedded,
    fake,
    filter_scheduler,
    glance,
    image_cache,
    keystone,
    libvirt,
    metadata,
    mks,
    moves,
    neutron,
    notifications,
    opentelemetry,
    placement,
    profiler,
    profiler_otlp,
    proxies,
    quota,
    retention,
    rpc,
    scheduler,
    serial_console,
    service_user,
    spice,
    upgrade_levels,
    usage,
    vnc,
    workarounds,
    wsgi,
)

PROJECT = 'nova'

# Alphabetical, but for what a reader of the sample looks for first.
MODULES: tuple[ModuleType, ...] = (
    base, daemons, block_devices, compute, moves, proxies, rpc, usage,
    api, cinder, disk_devices, metadata, conductor, console, consoles, embedded, fake, filter_scheduler, glance,
    image_cache, keystone, libvirt, mks, neutron, notifications, opentelemetry, placement, profiler, profiler_otlp,
    quota, retention, scheduler, serial_console, service_user, spice, upgrade_levels, vnc,
    workarounds, wsgi,
)

_current: list[cfg.ConfigOpts] = []


def register_all(conf: cfg.ConfigOpts) -> cfg.ConfigOpts:
    """Make all our options known to ``conf``; doing it twice does no harm."""
    for module in MODULES:
        conf.register_opts(module.OPTS, group=None if module.GROUP == 'DEFAULT' else module.GROUP)
    return conf


def new() -> cfg.ConfigOpts:
    """A configuration of its own, not yet read from any file."""
    return register_all(cfg.ConfigOpts())


def use(conf: cfg.ConfigOpts) -> cfg.ConfigOpts:
    """Make ``conf`` what ``current()`` returns from now on."""
    _current[:] = [conf]
    return conf


def current() -> cfg.ConfigOpts:
    """The configuration that this process was started with."""
    if not _current:
        raise RuntimeError('no configuration was set with nova_lite.conf.use() in this process')
    return _current[0]


def list_opts() -> Iterator[tuple[str, list[cfg.Opt]]]:
    """All options by group, for oslo-config-generator."""
    groups: dict[str, list[cfg.Opt]] = {}
    for module in MODULES:
        groups.setdefault(module.GROUP, []).extend(map(_described, module.OPTS))
    yield from groups.items()


def _described(option: cfg.Opt) -> cfg.Opt:
    """A copy whose help has one line for each paragraph; the generator keeps the others as they are."""
    described = copy.copy(option)
    described.help = '\n\n'.join(' '.join(part.split()) for part in (option.help or '').split('\n\n'))
    return described
