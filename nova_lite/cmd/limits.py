# SPDX-License-Identifier: Apache-2.0
"""``nova-manage limits``: copy the limits of our own tables to Keystone, before Keystone is the one that keeps them."""

import argparse
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from nova_lite import errors
from nova_lite.auth.context import service_context
from nova_lite.db.engine import Database
from nova_lite.db.queries import quota_limits
from nova_lite.model import quotas as model

_SERVICE_TYPE = 'compute'


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``migrate_to_unified_limits``."""
    parser.add_argument('--project-id', metavar='ID', help='of all projects only this one')
    parser.add_argument('--region-id', metavar='ID', help='make them for this region; for all of them if not given')
    parser.add_argument('--dry-run', action='store_true', help='only say what would be made')
    parser.add_argument('--verbose', action='store_true', help='name what is there already, too')


@dataclass(frozen=True)
class _Wanted:
    """A limit that Keystone should have: a registered one, or that of a project."""

    resource: str
    value: int
    project: str | None = None

    def __str__(self) -> str:
        whose = f'of project {self.project}' if self.project else 'of everybody'
        return f'{self.resource} {whose}: {self.value}'


def migrate(db: Database, conf: Any, options: argparse.Namespace) -> int:
    """Copy the limits that are set here to Keystone; what Keystone has already stays as it is."""
    with db.read() as conn:
        defaults = quota_limits.of_class(conn, conf.quota, model.DEFAULT_CLASS)
        rows = quota_limits.of_projects(conn, options.project_id)
    keystone = _Keystone(conf, options.region_id)
    registered = [_Wanted(model.UNIFIED[name], defaults[name]) for name in model.LIMITED]
    known = keystone.registered()
    _make(keystone, registered, known, options)
    for project in sorted({row.subject for row in rows}):
        own = [_Wanted(model.UNIFIED[row.resource], row.hard_limit, project) for row in rows
               if row.subject == project and row.user_id == quota_limits.NOBODY and row.resource in model.RESOURCES]
        _make(keystone, own, keystone.of_project(project), options)
    for line in _left_out(rows):
        print(line)
    disk = model.UNIFIED[model.DISK]
    if disk not in known:
        print(f'{disk} has no limit here and none in Keystone: register one if projects are to have disks on hosts.')
    return 0


def _make(keystone: '_Keystone', wanted: Iterable[_Wanted], known: Mapping[str, int],
          options: argparse.Namespace) -> None:
    for one in wanted:
        if one.resource not in known:
            if not options.dry_run:
                keystone.make(one)
            print(f'{one} ({"not made: dry run" if options.dry_run else "made"})')
        elif known[one.resource] != one.value:
            print(f'{one} (left: Keystone has {known[one.resource]})')
        elif options.verbose:
            print(f'{one} (is there)')


def _left_out(rows: Iterable[Any]) -> Iterable[str]:
    """What unified limits cannot say."""
    for row in rows:
        if row.user_id != quota_limits.NOBODY:
            yield (f'{row.resource} of user {row.user_id} in project {row.subject}: {row.hard_limit} (left out: '
                   'Keystone has no limits of users)')
        elif row.resource not in model.RESOURCES:
            yield (f'{row.resource} of project {row.subject}: {row.hard_limit} (left out: one number counts for all '
                   'projects)')


class _Keystone:
    """The unified limits of the compute service in one region."""

    def __init__(self, conf: Any, region: str | None) -> None:
        from nova_lite.clients.session import Service
        self._service = Service(conf, 'keystone', 'Keystone')
        found = self._get('services', type=_SERVICE_TYPE)
        if len(found) != 1:
            raise errors.Invalid(reason=f'Keystone has {len(found)} services of type {_SERVICE_TYPE}; limits are those '
                                        'of one.')
        self._where = {'service_id': found[0]['id'], **({'region_id': region} if region else {})}

    def registered(self) -> dict[str, int]:
        """Resource → what counts for every project."""
        return {row['resource_name']: row['default_limit'] for row in self._here('registered_limits')}

    def of_project(self, project_id: str) -> dict[str, int]:
        """Resource → what the project has of its own."""
        return {row['resource_name']: row['resource_limit'] for row in self._here('limits', project_id=project_id)}

    def make(self, one: _Wanted) -> None:
        """Make a limit."""
        kind, values = ('limits', {'project_id': one.project, 'resource_limit': one.value}) if one.project else (
            'registered_limits', {'default_limit': one.value})
        self._ask('POST', kind, json={kind: [{**self._where, 'resource_name': one.resource, **values}]})

    def _here(self, kind: str, **query: str) -> list[dict[str, Any]]:
        region = self._where.get('region_id')
        return [row for row in self._get(kind, **self._where, **query) if row['region_id'] == region]

    def _get(self, kind: str, **query: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._ask('GET', kind, params=query)[kind]
        return found

    def _ask(self, method: str, kind: str, **more: Any) -> Any:
        response = self._service.request(service_context(), f'/v3/{kind}', method, own=True, **more)
        if response.status_code >= 400:
            raise errors.Unavailable(reason=f'Keystone answered {response.status_code} to {method} /v3/{kind}: '
                                            f'{response.text[:200]}')
        return response.json()
