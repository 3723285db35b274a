# SPDX-License-Identifier: Apache-2.0
"""Where limits come from: our own tables, Keystone, or nowhere.

A command asks ``of`` before its transaction, since that may ask another service, and reads from what it gets
in the transaction that needs the limits, where those of our own tables are as they are then.
"""

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from oslo_config import cfg

from nova_lite import errors
from nova_lite.clients.unified_limits import UnifiedLimits
from nova_lite.db.queries import quota_limits
from nova_lite.model import quotas as model


class Known(Protocol):
    """The limits of one project, or of nobody's."""

    def effective(self, conn: Any, user_id: str | None = None) -> model.Limits:
        """What counts for the project and one of its users."""

    def limit(self, conn: Any, resource: str, user_id: str | None = None) -> int:
        """What counts for the user in the project, of one resource."""

    def of_class(self, conn: Any, name: str = model.DEFAULT_CLASS) -> dict[str, int]:
        """The limits of a class, whatever the project."""


class Limits(Protocol):
    """A quota driver."""

    @property
    def is_ours(self) -> bool:
        """Whether limits are set here, of projects, users and classes; elsewhere setting them sets nothing."""

    def of(self, project_id: str | None) -> Known:
        """What can be known of a project's limits before a transaction; ``Unavailable`` if nothing can."""


# ----------------------------------------------------------- our own tables

@dataclass(frozen=True)
class _Stored:
    group: Any
    project_id: str | None

    def effective(self, conn: Any, user_id: str | None = None) -> model.Limits:
        return quota_limits.effective(conn, self.group, self.project_id, user_id)

    def limit(self, conn: Any, resource: str, user_id: str | None = None) -> int:
        return quota_limits.limit(conn, self.group, resource, self.project_id, user_id)

    def of_class(self, conn: Any, name: str = model.DEFAULT_CLASS) -> dict[str, int]:
        return quota_limits.of_class(conn, self.group, name)


class DatabaseLimits:
    """The tables, over the options of group ``[quota]``."""

    is_ours = True

    def __init__(self, group: Any) -> None:
        self._group = group

    def of(self, project_id: str | None) -> Known:
        return _Stored(self._group, project_id)


# ---------------------------------------------------------------- elsewhere

@dataclass(frozen=True)
class _Fixed:
    """Limits that no transaction changes; users have none of their own, and all classes are the same."""

    counts: model.Limits
    defaults: Mapping[str, int]

    def effective(self, conn: Any, user_id: str | None = None) -> model.Limits:
        return self.counts

    def limit(self, conn: Any, resource: str, user_id: str | None = None) -> int:
        return self.counts.project[resource]

    def of_class(self, conn: Any, name: str = model.DEFAULT_CLASS) -> dict[str, int]:
        return dict(self.defaults)


class NoLimits:
    """Everybody may have everything."""

    is_ours = False
    _all = dict.fromkeys(model.LIMITED, model.UNLIMITED)

    def of(self, project_id: str | None) -> Known:
        return _Fixed(model.Limits(self._all), self._all)


class KeystoneLimits:
    """Limits that Keystone keeps.

    Of what servers use a project may have limits of its own; of all else the registered ones count for everybody.
    """

    is_ours = False

    def __init__(self, group: Any, keystone: UnifiedLimits) -> None:
        self._group = group
        self._keystone = keystone

    def of(self, project_id: str | None) -> Known:
        registered = self._keystone.registered()
        own = self._keystone.of_project(project_id) if project_id else {}
        defaults = {resource: self._registered(registered, name) for resource, name in model.UNIFIED.items()}
        counts = {resource: own.get(name, defaults[resource]) if resource in model.OF_SERVERS else defaults[resource]
                  for resource, name in model.UNIFIED.items()}
        disk = counts.pop(model.DISK)
        del defaults[model.DISK]
        return _Fixed(model.Limits(counts, disk=disk), defaults)

    def _registered(self, registered: Mapping[str, int], name: str) -> int:
        if name in registered:
            return registered[name]
        required = self._group.unified_limits_resource_strategy == 'require'
        return model.Unregistered(name) if (name in self._group.unified_limits_resource_list) is required \
            else model.UNLIMITED


# ------------------------------------------------------------------ drivers

def _unified(conf: cfg.ConfigOpts) -> Limits:
    if importlib.util.find_spec('oslo_limit') is None:
        raise errors.StartError(reason='[quota] driver = unified needs oslo.limit: pip install "nova-lite[limits]".')
    return KeystoneLimits(conf.quota, UnifiedLimits(conf))


_DRIVERS: dict[str, Callable[[cfg.ConfigOpts], Limits]] = {
    'database': lambda conf: DatabaseLimits(conf.quota), 'noop': lambda conf: NoLimits(), 'unified': _unified,
    # As Nova's configuration has them.
    'nova.quota.DbQuotaDriver': lambda conf: DatabaseLimits(conf.quota),
    'nova.quota.NoopQuotaDriver': lambda conf: NoLimits(), 'nova.quota.UnifiedLimitsDriver': _unified,
}


def limits(conf: cfg.ConfigOpts) -> Limits:
    """The driver that ``[quota] driver`` names."""
    try:
        return _DRIVERS[conf.quota.driver](conf)
    except KeyError:
        raise errors.StartError(reason=f'[quota] driver is {conf.quota.driver!r}, which is none of '
                                       f'{", ".join(_DRIVERS)}.') from None
