# SPDX-License-Identifier: Apache-2.0
"""Plays one declarative test: sends its requests and holds the answers against what it expects."""

import re
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import requests

from tests.wire import checks, people
from tests.wire.contract import Contract

METHODS = ('GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS')
STEP_KEYS = {*METHODS, *checks.CHECKS, 'as', 'who', 'body', 'raw', 'headers', 'version', 'status', 'save', 'until',
             'root'}
TEST_KEYS = {'name', 'versions', 'as', 'given', 'steps'} | STEP_KEYS
# What a step sends, whatever it expects.
_SENT = {*METHODS, 'body', 'raw', 'headers', 'version'}
PATIENCE = 30.0
# The oldest version at which a create can say that it wants no network.
_MADE_AT = '2.37'


class Unexpected(AssertionError):
    """An answer that is not what the test says."""


@dataclass
class World:
    """The service, a token for each identity, and what tests may know of it.

    Every answer is held against what the service says of itself.
    """

    url: str
    tokens: dict[str, str]
    facts: dict[str, str] = field(default_factory=dict)
    lasting: str | None = None
    contract: Contract = field(init=False)

    def __post_init__(self) -> None:
        self.contract = Contract(self.url, self._document)

    @classmethod
    def of(cls, service: Any, passwords: Mapping[str, str]) -> 'World':
        """Log everybody in."""
        projects = {'admin': 'admin', 'demo': 'demo', **{name: project for name, project, _ in people.USERS}}
        tokens = {user: service.token(user, project, passwords[user]) for user, project in projects.items()}
        made = cls(service.url, {**tokens, 'member': tokens['demo']})
        images = made.send('GET', f'{service.url}/image/v2/images', 'admin').json()['images']
        made.facts = {'image': images[0]['id'], 'image_name': images[0]['name'], 'flavor': '42'}
        for name in ('admin', 'member', 'other'):
            token = made.send('GET', f'{service.url}/identity/v3/auth/tokens', name,
                              headers={'X-Subject-Token': made.tokens[name]}).json()['token']
            made.facts[f'{name}_project'] = token['project']['id']
            made.facts[f'{name}_user'] = token['user']['id']
        return made

    def send(self, method: str, url: str, who: str, **more: Any) -> requests.Response:
        """One request on a connection of its own; ``nobody`` sends no token."""
        headers = {'Accept': 'application/json', **more.pop('headers', {})}
        if who != 'nobody':
            headers.setdefault('X-Auth-Token', self.tokens[who])
        with requests.Session() as session:
            session.trust_env = False
            answer = session.request(method, url, headers=headers, timeout=60, allow_redirects=False, **more)
        self.contract.check(method, more.get('json'), answer)
        return answer

    def _document(self, base: str, version: str | None) -> Any:
        headers = _at(version) if version else {}
        return self.send('GET', f'{self.url}{base}/openapi.json', 'admin', headers=headers).json()

    def create_server(self, who: str, name: str) -> str:
        """The id of a new ACTIVE server."""
        answer = self.send('POST', f'{self.url}/v2.1/servers', who, headers=_at(_MADE_AT), json={'server': {
            'name': name, 'imageRef': self.facts['image'], 'flavorRef': self.facts['flavor'], 'networks': 'none'}})
        if answer.status_code != 202:
            raise Unexpected(f'no server: {answer.status_code} {answer.text}')
        server = str(answer.json()['server']['id'])
        end = time.monotonic() + PATIENCE
        while True:
            status = checks.look(self.send('GET', f'{self.url}/v2.1/servers/{server}', 'admin').json(), 'server.status')
            if status == 'ACTIVE':
                return server
            if time.monotonic() > end:
                raise Unexpected(f'server {server} stays {status!r}')
            time.sleep(0.02)


def _at(version: str) -> dict[str, str]:
    return {'OpenStack-API-Version': f'compute {version}'}


def check_test(test: dict[str, Any], where: str) -> None:
    """A misspelt key must not make a test that cannot fail."""
    unknown = set(test) - TEST_KEYS
    assert not unknown, f'{where}: {test.get("name")}: unknown keys {unknown}'
    for step in steps_of(test):
        assert sum(method in step for method in METHODS) == 1, f'{where}: {test["name"]}: one method for each step'
        unknown = set(step) - STEP_KEYS
        assert not unknown, f'{where}: {test["name"]}: unknown keys {unknown}'
        assert step.get('who', 'anybody') in people.PROFILES, f'{where}: {test["name"]}: nobody is {step["who"]!r}'


def steps_of(test: dict[str, Any]) -> list[dict[str, Any]]:
    """The steps of a test, or the test itself as its only step."""
    if 'steps' in test:
        return list(test['steps'])
    return [{key: value for key, value in test.items() if key in STEP_KEYS and key != 'as'}]


class Play:
    """One test at one version."""

    def __init__(self, world: World, test: dict[str, Any], version: str) -> None:
        self._world = world
        self._test = test
        self._version = version
        self._who = test.get('as', 'admin')
        unique = uuid.uuid4()
        self._name = f'wire-{unique.hex[:12]}'
        self._values: dict[str, Any] = {**world.facts, 'big': 'x' * 200_000, 'uuid': str(unique), 'name': self._name}
        self._undo: list[str] = []
        self._made_servers = False

    def run(self) -> None:
        """Send everything, then take away what was made."""
        try:
            for thing in self._test.get('given', ()):
                getattr(self, f'_given_{thing}')()
            for step in steps_of(self._test):
                self._step(step)
        finally:
            for path in reversed([*self._undo, *self._leftovers()]):
                self._admin('DELETE', path)

    def _admin(self, method: str, path: str, **more: Any) -> requests.Response:
        return self._world.send(method, f'{self._world.url}/v2.1{path}', 'admin', **more)

    def _leftovers(self) -> Iterator[str]:
        """Servers that the test made and named after itself: a create can make many and tell one."""
        if self._made_servers:
            for server in self._admin('GET', f'/servers?all_tenants=1&name={self._name}').json()['servers']:
                yield f'/servers/{server["id"]}'

    # ---------------------------------------------------------------- given

    def _given_server(self) -> None:
        """An ACTIVE server of the test's identity: $server."""
        self._create(self._who if self._who in ('admin', 'member', 'other', 'manager') else 'member')

    def _given_server_of_member(self) -> None:
        """An ACTIVE server of the member's project: $server."""
        self._create('member')

    def _create(self, who: str) -> None:
        self._values['server'] = self._world.create_server(who, self._name)
        self._undo.append(f'/servers/{self._values["server"]}')

    def _given_lasting_server(self) -> None:
        """An ACTIVE server of the member that all tests share and none may change: $server."""
        if self._world.lasting is None:
            self._world.lasting = self._world.create_server('member', 'lasting')
        self._values['server'] = self._world.lasting

    def _given_flavor(self) -> None:
        """A public flavor: $made_flavor."""
        self._values['made_flavor'] = self._name
        answer = self._admin('POST', '/flavors', json={'flavor': {
            'name': self._name, 'id': self._name, 'ram': 64, 'vcpus': 1, 'disk': 1}})
        if answer.status_code != 200:
            raise Unexpected(f'no flavor: {answer.status_code} {answer.text}')
        self._undo.append(f'/flavors/{self._name}')

    # ----------------------------------------------------------------- steps

    def _step(self, step: dict[str, Any]) -> None:
        if 'who' in step:
            for who in people.EVERYBODY:
                self._play(who, _of_profile(step, who))
        else:
            self._play(step.get('as', self._who), step)

    def _play(self, who: str, step: dict[str, Any]) -> None:
        method = next(name for name in METHODS if name in step)
        end = time.monotonic() + PATIENCE
        while True:
            seen = checks.Seen.of(self._send(method, who, step), self._fill)
            wrong = checks.compare(seen, step)
            missing = [] if wrong else checks.still_waiting(seen, step)
            if not missing and not wrong:
                break
            if wrong or time.monotonic() > end:
                raise Unexpected(_report(method, who, seen.answer, [*wrong, *missing]))
            time.sleep(0.02)
        self._keep(step, seen)
        self._made_servers |= method == 'POST' and seen.answer.status_code == 202

    def _send(self, method: str, who: str, step: dict[str, Any]) -> requests.Response:
        version = str(self._fill(step.get('version', self._version)))
        headers = {str(name): str(self._fill(value)) for name, value in step.get('headers', {}).items()}
        base = self._world.url
        if not step.get('root'):
            base += '/v2' if version == 'v2' else '/v2.1'
        if version not in ('v2', 'none'):
            headers = {**_at(version), **headers}
        more: dict[str, Any] = {}
        if 'body' in step:
            more['json'] = self._fill(step['body'])
        if 'raw' in step:
            more['data'] = step['raw'].encode()
            headers.setdefault('Content-Type', 'application/json')
        return self._world.send(method, base + self._fill(step[method]), who, headers=headers, **more)

    def _keep(self, step: dict[str, Any], seen: checks.Seen) -> None:
        for name, path in step.get('save', {}).items():
            if path.startswith('header '):
                self._values[name] = seen.answer.headers[path[7:]]
                continue
            self._values[name] = seen.at(path)
            if self._values[name] is checks.MISSING:
                raise Unexpected(f'nothing to save at {path}: {seen.answer.text[:500]}')

    def _fill(self, value: Any) -> Any:
        """Put saved values in; ``$name`` alone keeps its type."""
        if isinstance(value, str):
            if value.startswith('$') and value[1:] in self._values:
                return self._values[value[1:]]
            return re.sub(r'\$(\w+)|\$\{(\w+)\}', self._replace, value)
        if isinstance(value, list):
            return [self._fill(item) for item in value]
        if isinstance(value, dict):
            return {self._fill(key): self._fill(item) for key, item in value.items()}
        return value

    def _replace(self, found: 're.Match[str]') -> str:
        name = found[1] or found[2]
        return str(self._values[name]) if name in self._values else found[0]


def _of_profile(step: dict[str, Any], who: str) -> dict[str, Any]:
    """The step as it is for one identity: whom the profile refuses gets that refusal and nothing else."""
    code = people.PROFILES[step['who']].get(who)
    if code is None:
        return step
    refused = {key: value for key, value in step.items() if key in _SENT}
    refused['status'] = code
    if people.fault(code):
        refused['fault'] = people.fault(code)
    return refused


def _report(method: str, who: str, answer: requests.Response, wrong: Sequence[str]) -> str:
    lines = '\n'.join(f'  - {text}' for text in wrong)
    return f'{method} {answer.url} by {who} answered {answer.status_code} {answer.text[:1500]}\n{lines}'
