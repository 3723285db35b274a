# SPDX-License-Identifier: Apache-2.0
"""Plays one declarative test: sends its requests and holds the answers against what it expects."""

import json
import re
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import requests

METHODS = ('GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS')
STEP_KEYS = {*METHODS, 'as', 'body', 'raw', 'headers', 'version', 'status', 'fault', 'json', 'absent', 'keys',
             'match', 'header', 'save', 'until', 'says', 'length', 'root'}
TEST_KEYS = {'name', 'versions', 'as', 'given', 'steps'} | STEP_KEYS
PATIENCE = 30.0


class Unexpected(AssertionError):
    """An answer that is not what the test says."""


@dataclass
class World:
    """The service and a token for each identity."""

    url: str
    tokens: dict[str, str]
    facts: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, service: Any, passwords: Mapping[str, str], users: Sequence[Any]) -> 'World':
        """Log everybody in."""
        projects = {'admin': 'admin', 'demo': 'demo', **{name: project for name, project, _ in users}}
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
            return session.request(method, url, headers=headers, timeout=60, allow_redirects=False, **more)


def check_test(test: dict[str, Any], where: str) -> None:
    """A misspelt key must not make a test that cannot fail."""
    unknown = set(test) - TEST_KEYS
    assert not unknown, f'{where}: {test.get("name")}: unknown keys {unknown}'
    for step in steps_of(test):
        assert sum(method in step for method in METHODS) == 1, f'{where}: {test["name"]}: one method for each step'
        unknown = set(step) - STEP_KEYS
        assert not unknown, f'{where}: {test["name"]}: unknown keys {unknown}'


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
        self._values: dict[str, Any] = {**world.facts, 'big': 'x' * 200_000, 'uuid': str(unique), 'name': f'wire-{unique.hex[:12]}'}
        self._undo: list[str] = []

    def run(self) -> None:
        """Send everything, then take away what was made."""
        try:
            for thing in self._test.get('given', ()):
                getattr(self, f'_given_{thing}')()
            for step in steps_of(self._test):
                self._step(step)
        finally:
            for path in reversed(self._undo):
                self._world.send('DELETE', f'{self._world.url}/v2.1{path}', 'admin')

    # ---------------------------------------------------------------- given

    def _given_server(self) -> None:
        """An ACTIVE server of the test's identity: $server."""
        body = {'server': {'name': self._values['name'], 'imageRef': self._values['image'], 'networks': 'none',
                           'flavorRef': f'{self._world.url}/v2.1/flavors/42'}}
        body['server']['flavorRef'] = '42'
        who = self._who if self._who in ('admin', 'member', 'other', 'manager') else 'member'
        self._create(who, body)

    def _given_server_of_member(self) -> None:
        """An ACTIVE server of the member's project: $server."""
        self._create('member', {'server': {'name': self._values['name'], 'imageRef': self._values['image'],
                                           'networks': 'none', 'flavorRef': '42'}})

    def _create(self, who: str, body: dict[str, Any]) -> None:
        answer = self._world.send('POST', f'{self._world.url}/v2.1/servers', who, json=body,
                                  headers={'OpenStack-API-Version': 'compute 2.37'})
        if answer.status_code != 202:
            raise Unexpected(f'no server: {answer.status_code} {answer.text}')
        server = answer.json()['server']['id']
        self._values['server'] = server
        self._undo.append(f'/servers/{server}')
        self._await(f'{self._world.url}/v2.1/servers/{server}', 'server.status', 'ACTIVE')

    def _await(self, url: str, path: str, wanted: Any) -> None:
        end = time.monotonic() + PATIENCE
        while True:
            body = self._world.send('GET', url, 'admin').json()
            if look(body, path) == wanted:
                return
            if time.monotonic() > end:
                raise Unexpected(f'{url}: {path} stays {look(body, path)!r}, not {wanted!r}')
            time.sleep(0.02)

    def _given_flavor(self) -> None:
        """A public flavor: $made_flavor."""
        self._values['made_flavor'] = self._values['name']
        answer = self._world.send('POST', f'{self._world.url}/v2.1/flavors', 'admin', json={'flavor': {
            'name': self._values['name'], 'id': self._values['name'], 'ram': 64, 'vcpus': 1, 'disk': 1}})
        if answer.status_code != 200:
            raise Unexpected(f'no flavor: {answer.status_code} {answer.text}')
        self._undo.append(f'/flavors/{self._values["made_flavor"]}')

    # ----------------------------------------------------------------- steps

    def _step(self, step: dict[str, Any]) -> None:
        method = next(name for name in METHODS if name in step)
        end = time.monotonic() + PATIENCE
        while True:
            answer = self._send(method, step)
            wrong = self._compare(step, answer)
            missing = [] if wrong else self._until(step, answer)
            if not missing and not wrong:
                break
            if wrong or time.monotonic() > end:
                raise Unexpected(_report(method, answer, [*wrong, *missing]))
            time.sleep(0.02)
        self._keep(step, answer)
        if method == 'POST' and answer.status_code == 202 and answer.request.path_url.endswith('/servers'):
            made = answer.json().get('server', {}).get('id')
            if made:
                self._undo.append(f'/servers/{made}')

    def _send(self, method: str, step: dict[str, Any]) -> requests.Response:
        version = str(self._fill(step.get('version', self._version)))
        headers = {str(name): str(self._fill(value)) for name, value in step.get('headers', {}).items()}
        base = self._world.url
        if not step.get('root'):
            base += '/v2' if version == 'v2' else '/v2.1'
        if version not in ('v2', 'none'):
            headers.setdefault('OpenStack-API-Version', f'compute {version}')
        more: dict[str, Any] = {}
        if 'body' in step:
            more['json'] = self._fill(step['body'])
        if 'raw' in step:
            more['data'] = step['raw'].encode()
            headers.setdefault('Content-Type', 'application/json')
        return self._world.send(method, base + self._fill(step[method]), step.get('as', self._who),
                                headers=headers, **more)

    def _compare(self, step: dict[str, Any], answer: requests.Response) -> list[str]:
        wrong = []
        wanted = step.get('status', 200)
        if answer.status_code not in (wanted if isinstance(wanted, list) else [wanted]):
            return [f'status {answer.status_code}, expected {wanted}']
        body = _json(answer)
        if 'fault' in step and list(body or {}) != [step['fault']]:
            wrong.append(f'fault {list(body or {})}, expected {step["fault"]}')
        for path, value in step.get('json', {}).items():
            value = self._fill(value)
            if look(body, path) != value:
                wrong.append(f'{path} is {look(body, path)!r}, expected {value!r}')
        for path in step.get('absent', ()):
            if look(body, path) is not MISSING:
                wrong.append(f'{path} is there: {look(body, path)!r}')
        for path, names in step.get('keys', {}).items():
            found = look(body, path)
            if not isinstance(found, dict) or set(found) != set(names):
                wrong.append(f'keys of {path}: {sorted(found) if isinstance(found, dict) else found!r}, '
                             f'expected {sorted(names)}')
        for path, length in step.get('length', {}).items():
            found = look(body, path)
            if not isinstance(found, (list, dict)) or len(found) != length:
                wrong.append(f'{path} has not {length} entries: {found!r}')
        for path, pattern in step.get('match', {}).items():
            if not re.search(str(self._fill(pattern)), str(look(body, path))):
                wrong.append(f'{path} is {look(body, path)!r}, which does not match {pattern}')
        for text in step.get('says', ()):
            if str(self._fill(text)) not in answer.text:
                wrong.append(f'the answer does not say {text!r}')
        for name, pattern in step.get('header', {}).items():
            found = answer.headers.get(name)
            if pattern is None and found is not None or pattern is not None and (
                    found is None or not re.search(str(self._fill(pattern)), found)):
                wrong.append(f'header {name} is {found!r}, expected {pattern!r}')
        return wrong

    def _until(self, step: dict[str, Any], answer: requests.Response) -> list[str]:
        body = _json(answer)
        return [f'{path} stays {look(body, path)!r}, expected {value!r}'
                for path, value in step.get('until', {}).items() if look(body, path) != self._fill(value)]

    def _keep(self, step: dict[str, Any], answer: requests.Response) -> None:
        for name, path in step.get('save', {}).items():
            if path.startswith('header '):
                self._values[name] = answer.headers[path[7:]]
                continue
            self._values[name] = look(_json(answer), path)
            if self._values[name] is MISSING:
                raise Unexpected(f'nothing to save at {path}: {answer.text[:500]}')

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


class _Missing:
    def __repr__(self) -> str:
        return 'nothing'


MISSING = _Missing()


def look(body: Any, path: str) -> Any:
    """The value at a path such as ``servers.0.id``; a key that holds dots is quoted by ``'…'``."""
    found = body
    for quoted, plain in re.findall(r"'([^']*)'|([^.']+)", path if path != '$' else ''):
        part = quoted or plain
        if isinstance(found, list) and re.fullmatch(r'-?\d+', part):
            index = int(part)
            found = found[index] if -len(found) <= index < len(found) else MISSING
        elif isinstance(found, dict):
            found = found.get(part, MISSING)
        else:
            return MISSING
    return found


def _json(answer: requests.Response) -> Any:
    try:
        return answer.json()
    except json.JSONDecodeError:
        return None


def _report(method: str, answer: requests.Response, wrong: Sequence[str]) -> str:
    lines = '\n'.join(f'  - {text}' for text in wrong)
    return f'{method} {answer.url} answered {answer.status_code} {answer.text[:1000]}\n{lines}'
