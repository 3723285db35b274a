# SPDX-License-Identifier: Apache-2.0
"""Quotas, limits and what else the Block Storage API tells about itself: services, zones, extensions."""

from collections.abc import Mapping
from typing import Any

import webob

from nova_lite import errors
from nova_lite.embedded import http
from nova_lite.embedded.volume_api import asking, views
from nova_lite.embedded.volume_api.asking import ADMIN, READ, Ask, Row
from nova_lite.embedded.volume_service import VolumeService
from nova_lite.embedded.volume_store import ZONE
from nova_lite.model import times
from nova_lite.model.volumes import RESOURCES

#: What has a limit elsewhere and is not there at all here.
_NOTHING = {'backups': 0, 'backup_gigabytes': 0, 'groups': 0}
_OTHERS = {**_NOTHING, 'per_volume_gigabytes': -1}
_ABSOLUTE = {'volumes': ('maxTotalVolumes', 'totalVolumesUsed'), 'snapshots': ('maxTotalSnapshots',
             'totalSnapshotsUsed'), 'gigabytes': ('maxTotalVolumeGigabytes', 'totalGigabytesUsed')}


class QuotaRows:
    """The handlers of quotas and of what the service is."""

    def __init__(self, service: VolumeService) -> None:
        self._quotas = service.quotas

    def rows(self) -> tuple[Row, ...]:
        """The operations."""
        one, kind = '/os-quota-sets/{id}', '/os-quota-class-sets/{id}'
        return (
            Row('GET', one, READ, self.show), Row('PUT', one, ADMIN, self.update),
            Row('DELETE', one, ADMIN, self.delete), Row('GET', one + '/defaults', READ, self.defaults),
            Row('GET', kind, READ, self.show_class), Row('PUT', kind, ADMIN, self.update_class),
            Row('GET', '/limits', READ, self.limits), Row('GET', '/os-services', ADMIN, self.services),
            Row('GET', '/os-availability-zone', READ, self.zones), Row('GET', '/extensions', READ, self.extensions))

    def show(self, ask: Ask) -> webob.Response:
        """The limits of a project, and what it uses if that is asked for."""
        project = ask.args['id']
        if project != ask.context.project_id and not ask.context.is_admin:
            raise errors.Forbidden('Only an administrator sees the quota of another project.')
        limits: dict[str, Any] = {**self._quotas.limits(project), **_OTHERS}
        if ask.flag('usage'):
            used = self._quotas.usage(project)
            limits = {name: {'limit': limit, 'in_use': used.get(name, 0), 'reserved': 0}
                      for name, limit in limits.items()}
        return http.answer({'quota_set': {'id': project, **limits}})

    def defaults(self, ask: Ask) -> webob.Response:
        """The limits of who has none of his own."""
        return http.answer({'quota_set': {'id': ask.args['id'], **self._quotas.limits(), **_OTHERS}})

    def update(self, ask: Ask) -> webob.Response:
        """Set limits of a project."""
        self._quotas.set(ask.args['id'], _values(ask.body('quota_set')))
        return http.answer({'quota_set': {**self._quotas.limits(ask.args['id']), **_OTHERS}})

    def delete(self, ask: Ask) -> webob.Response:
        """Let the limits of everybody count again."""
        self._quotas.forget(ask.args['id'])
        return http.empty(200)

    def show_class(self, ask: Ask) -> webob.Response:
        """The limits of everybody, which is the one class that counts."""
        return http.answer({'quota_class_set': {'id': ask.args['id'], **self._quotas.limits(), **_OTHERS}})

    def update_class(self, ask: Ask) -> webob.Response:
        """Set the limits of everybody."""
        if ask.args['id'] != 'default':
            raise errors.Invalid(reason=f'The one class is default, not {ask.args["id"][:64]!r}.')
        self._quotas.set(None, _values(ask.body('quota_class_set')))
        return http.answer({'quota_class_set': {**self._quotas.limits(), **_OTHERS}})

    def limits(self, ask: Ask) -> webob.Response:
        """Limits and use of the caller's project, or from 3.39 on of another one."""
        project = ask.query.get('project_id') if ask.minor >= 39 and ask.context.is_admin else None
        project = project or ask.context.project_id
        limits, used = self._quotas.limits(project), self._quotas.usage(project)
        absolute = {'maxTotalBackups': 0, 'maxTotalBackupGigabytes': 0, 'totalBackupsUsed': 0,
                    'totalBackupGigabytesUsed': 0}
        for name, (most, now) in _ABSOLUTE.items():
            absolute[most], absolute[now] = limits[name], used[name]
        return http.answer({'limits': {'rate': [], 'absolute': absolute}})

    def services(self, ask: Ask) -> webob.Response:
        """The one service that there is."""
        service = {'binary': 'cinder-volume', 'host': views.HOST, 'zone': ZONE, 'status': 'enabled', 'state': 'up',
                   'updated_at': views.time(times.utcnow()), 'disabled_reason': None}
        wanted = {name: ask.query[name] for name in ('binary', 'host') if name in ask.query}
        shown = [service] if all(service[name] == value for name, value in wanted.items()) else []
        return http.answer({'services': shown})

    def zones(self, ask: Ask) -> webob.Response:
        """The one zone that there is."""
        return http.answer({'availabilityZoneInfo': [{'zoneName': ZONE, 'zoneState': {'available': True}}]})

    def extensions(self, ask: Ask) -> webob.Response:
        """There are none to speak of."""
        return http.answer({'extensions': []})


def _values(body: Mapping[str, Any]) -> dict[str, int]:
    values = {name: asking.number(name, body[name], -1) for name in RESOURCES if name in body}
    unknown = set(body) - set(RESOURCES) - set(_OTHERS) - {'id', 'tenant_id', 'force'}
    if unknown:
        raise errors.Invalid(reason=f'There is no quota of {", ".join(sorted(unknown))[:100]}.')
    return values
