# SPDX-License-Identifier: Apache-2.0
"""Who may do what by default: every operation asked by everybody.

``policy.csv`` has the rules of Nova with their defaults, written down from its public reference, and the
operations that each guards.  What is registered here must be the same; and a request for each operation is
sent by each identity, those first whom the rule refuses, so that nothing is changed under their feet.
"""

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nova_lite import api
from nova_lite.api import history
from nova_lite.wsgi.endpoint import Endpoint
from tests.wire import least, people
from tests.wire.conftest import world
from tests.wire.player import World

TABLE = Path(__file__).with_name('policy.csv')

# default: the check that stands for it, and who passes it on what belongs to the member and his project.
DEFAULTS = {
    'anybody': ('@', {'servicer', 'other', 'reader', 'manager', 'member', 'admin'}),
    'reader': ('rule:project_reader_api', {'reader', 'manager', 'member'}),
    'member': ('rule:project_member_api', {'manager', 'member'}),
    'reader_or_admin': ('rule:project_reader_or_admin', {'reader', 'manager', 'member', 'admin'}),
    'member_or_admin': ('rule:project_member_or_admin', {'manager', 'member', 'admin'}),
    'manager_or_admin': ('rule:project_manager_or_admin', {'manager', 'admin'}),
    'own_or_admin': ('(rule:context_is_admin) or user_id:%(user_id)s', {'member', 'admin'}),
    'service_or_admin': ('rule:service_or_admin', {'servicer', 'admin'}),
    'admin': ('rule:context_is_admin', {'admin'}),
}
# The same check in other words.
SPELLINGS = {'rule:service_api or rule:context_is_admin': 'rule:service_or_admin'}
# Whatever these are asked for, it is the caller's own, so that the rule holds for the other project, too.
OWN = {('GET', path) for path in (
    '/servers', '/servers/detail', '/os-server-groups', '/os-floating-ips', '/os-networks', '/os-tenant-networks',
    '/os-security-groups', '/os-volumes', '/os-volumes/detail', '/os-snapshots', '/os-snapshots/detail',
    '/flavors/{}/os-extra_specs', '/flavors/{}/os-extra_specs/{}', '/os-networks/{}', '/os-tenant-networks/{}',
    '/os-floating-ips/{}', '/os-security-groups/{}', '/os-volumes/{}', '/os-snapshots/{}')} | {
    ('POST', path) for path in ('/servers', '/os-server-groups', '/os-floating-ips', '/os-security-groups',
                                '/os-security-group-rules', '/os-volumes', '/os-snapshots', '/os-volumes_boot')} | {
    ('DELETE', path) for path in ('/os-floating-ips/{}', '/os-security-groups/{}', '/os-security-group-rules/{}',
                                  '/os-volumes/{}', '/os-snapshots/{}')} | {
    ('PUT', '/os-security-groups/{}'), ('GET', '/os-volumes_boot'), ('GET', '/os-volumes_boot/detail')}
QUERIES = {'/os-keypairs': '?user_id={member_user}', '/os-keypairs/{}': '?user_id={member_user}',
           '/os-migrations': '?project_id={member_project}',
           '/os-assisted-volume-snapshots/{}': '?delete_info=%7B%22volume_id%22%3A%221%22%7D'}
KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJlKQusyOaDyvpA0kKvc54iG56Yk723+l80DCjtQ7x23'
# For these nobody needs a token, or they are ours alone.
OPEN = ('/', '/openapi.json')


@dataclass(frozen=True)
class Guard:
    """One rule of the table."""

    rule: str
    default: str
    operations: tuple[str, ...]


def table() -> list[Guard]:
    """All rules."""
    with TABLE.open(newline='') as file:
        return [Guard(line['rule'], line['default'], tuple(filter(None, line['operations'].split('; '))))
                for line in csv.DictReader(file)]


def key(method: str, path: str, action: str = '') -> tuple[str, str, str]:
    """An operation, whatever the parts of its path are called."""
    return method, re.sub(r'{\w+}', '{}', path).replace('/os-volumes_boot', '/servers'), action


GUARDS = {guard.rule: guard for guard in table()}
GUARDED = {key(*operation.split(' ')): guard for guard in table() for operation in guard.operations}
ROWS = [row for row in api.endpoints() if row.answers[0].status != 410 and row.path not in OPEN]


def test_every_rule_has_its_default() -> None:
    wrong = []
    for rule in api.list_rules():
        guard = GUARDS.get(rule.name)
        wanted = DEFAULTS[guard.default][0] if guard else 'no such rule'
        if SPELLINGS.get(rule.check_str, rule.check_str) != wanted:
            wrong.append(f'{rule.name}: {rule.check_str}, Nova has {wanted}')
    assert not wrong, '\n'.join(wrong)


def test_every_operation_has_its_rule() -> None:
    wrong = []
    for row in ROWS:
        guard = GUARDED.get(key(row.method, row.path, row.action))
        if row.rule != (guard.rule if guard else ''):
            wrong.append(f'{row.name}: {row.rule or "no rule"}, Nova has {guard.rule if guard else "none"}')
    assert not wrong, '\n'.join(wrong)


class Scene:
    """What the requests are about: all of it the member's, or the cloud's."""

    def __init__(self, there: World) -> None:
        self._there = there
        self.facts = {'host': 'nova-lite-1', **there.facts, 'tag': 'blue', 'key': 'a', 'name': 'scene'}
        self.server = ''
        self._make('POST', '/flavors', {'flavor': {
            'name': 'scene', 'id': 'scene', 'ram': 64, 'vcpus': 1, 'disk': 1, 'os-flavor-access:is_public': True}})
        self._make('POST', '/flavors/scene/os-extra_specs', {'extra_specs': {'a': 'b'}})
        self._make('POST', '/os-keypairs', {'keypair': {
            'name': 'scene', 'user_id': there.facts['member_user']}}, version='2.10')
        self.aggregate = self._make('POST', '/os-aggregates', {'aggregate': {'name': 'scene'}})['aggregate']['id']
        self.group = self._make('POST', '/os-server-groups', {'server_group': {
            'name': 'scene', 'policies': ['affinity']}}, 'member')['server_group']['id']
        self.hypervisor = self._make('GET', '/os-hypervisors', None, version='2.53')['hypervisors'][0]

    def _make(self, method: str, path: str, body: Any, who: str = 'admin', version: str = '2.1') -> Any:
        more = {} if body is None else {'json': body}
        answer = self._there.send(method, f'{self._there.url}/v2.1{path}', who,
                                  headers={'OpenStack-API-Version': f'compute {version}'}, **more)
        return answer.json() if answer.content else None

    def renew(self) -> None:
        """A server that nothing happens to and nobody has locked."""
        shown = self._make('GET', f'/servers/{self.server or least.NOBODY}', None).get('server', {})
        if shown.get('OS-EXT-STS:vm_state', 'error') == 'error' or shown['OS-EXT-STS:task_state']:
            self.server = self._there.create_server('member', 'scene')
        self._make('POST', f'/servers/{self.server}/action', {'unlock': None})

    def path(self, row: Endpoint, minor: int) -> str:
        """The path of a request, with the query that the rule needs."""
        named = re.sub(r'{(\w+)}', lambda part: self._part(row, part[1], minor), row.path)
        return named + QUERIES.get(re.sub(r'{\w+}', '{}', row.path), '').format(**self.facts)

    def _part(self, row: Endpoint, name: str, minor: int) -> str:
        first = row.path.split('/')[1]
        if first in ('servers', 'os-volumes_boot') and row.path.startswith(f'/{first}/{{{name}}}'):
            return self.server
        if first == 'os-services':
            return 'enable' if minor < 53 else least.NOBODY
        whole = {
            'flavors': 'scene' if row.path.startswith(f'/flavors/{{{name}}}') else 'a', 'os-keypairs': 'scene',
            'os-aggregates': str(self.aggregate), 'os-server-groups': self.group, 'os-hosts': self.facts['host'],
            'os-hypervisors': 'nova' if row.path.endswith(('search', 'servers')) else self.hypervisor['id'],
            'os-quota-sets': self.facts['member_project'], 'os-simple-tenant-usage': self.facts['member_project'],
            'os-quota-class-sets': 'default', 'extensions': 'os-keypairs', 'versions': 'v2.1',
            # Who may change an image is the image service's business.
            'images': self.facts['image'] if row.method == 'GET' else '',
            'os-instance_usage_audit_log': '2026-01-01 00:00:00'}
        return whole.get(first) or self.facts.get(name, least.NOBODY)


@pytest.fixture(scope='module')
def scene(request: pytest.FixtureRequest) -> Scene:
    return Scene(world(request.config, 'policy'))


def latest(row: Endpoint) -> int:
    """The highest version that has the row."""
    return max(minor for minor in range(1, history.MAXIMUM + 1) if minor in row.when)


@pytest.mark.parametrize('row', ROWS, ids=lambda row: f'{row.name} until 2.{latest(row)}')
def test_everybody_asks(row: Endpoint, scene: Scene, request: pytest.FixtureRequest) -> None:
    wrong = wrong_answers(row, scene, world(request.config, 'policy'))
    assert not wrong, '\n'.join(wrong)


def wrong_answers(row: Endpoint, scene: Scene, there: World) -> list[str]:
    """Have everybody ask for one operation; what was asked and what came, if somebody got what is not his due."""
    scene.renew()
    guard = GUARDED.get(key(row.method, row.path, row.action))
    may = set(DEFAULTS[guard.default if guard else 'anybody'][1])
    own = (row.method, re.sub(r'{\w+}', '{}', row.path)) in OWN
    if own and 'member' in may:
        may.add('other')
    minor = latest(row)
    more: dict[str, Any] = {'headers': {'OpenStack-API-Version': f'compute 2.{minor}'}}
    if row.method in ('POST', 'PUT'):
        more['json'] = _body(scene, row, minor)
    wrong = []
    for who in sorted(people.EVERYBODY, key=lambda name: (name in may, name == 'admin')):
        answer = there.send(row.method, f'{there.url}/v2.1{scene.path(row, minor)}', who, **more)
        if not _fits(who, may, answer.status_code):
            wrong.append(f'{who}: {answer.status_code} {answer.text[:200]}')
    return wrong and [scene.path(row, minor), str(more.get('json')), *wrong]


def _body(scene: Scene, row: Endpoint, minor: int) -> Any:
    if row.body is None:
        return {}
    # To name a host for a server takes another rule.
    host = None if row.path.startswith('/servers') else scene.facts['host']
    made = least.body(row.body.schema(minor), {'host': host, 'public_key': KEY})
    if row.path == '/os-keypairs':
        made['keypair']['user_id'] = scene.facts['member_user']
    return made


def _fits(who: str, may: set[str], status: int) -> bool:
    if who == 'nobody':
        return status == 401
    if who in may:
        return status not in (401, 403)
    # What belongs to another project is not there.
    return status == 403 or status == 404 and who in ('servicer', 'other')
