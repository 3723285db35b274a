# SPDX-License-Identifier: Apache-2.0
"""Nonsense over every operation: whatever is sent, the answer is a clear one, never a 5xx, never a hang.

Requests are made from the tables of the API itself: a path with likely and unlikely parts, a body that
follows the schema of the version and is then damaged here and there, and a query of known and unknown
parameters.  The examples are the same in each run; NOVA_LITE_FUZZ=N looks at N others.
"""

import os
import random
from typing import Any

import pytest

from nova_lite import api
from nova_lite.api import history
from nova_lite.wsgi.endpoint import Endpoint
from tests.wire.conftest import world

ROUNDS = int(os.environ.get('NOVA_LITE_FUZZ', '0')) or 600
SEED = 20260401 if 'NOVA_LITE_FUZZ' not in os.environ else None

# An operation that needs a part this installation does not have says so; that is no accident.
TRUTHFUL = frozenset((501, 503))

STRINGS = ('', ' ', 'x', 'nova-lite', '0', '-1', '1e400', 'None', 'true', '..', '%00', '\u202e', '\ud7ff', '🙂' * 70,
           'a' * 256, 'a' * 70000, "'; --", '{"a": 1}', '00000000-0000-0000-0000-000000000000', '2026-13-45T99:99:99Z',
           '::1', '999.999.999.999', '(?=x)', '((((a+)+)+)+)+$', 'ssh-rsa AAAA', '\n', '%s%n', '2147483648')
NUMBERS = (0, 1, -1, 2 ** 31, 2 ** 63, -2 ** 63, 10 ** 30, 0.5, 1e308, -0.0)
ODD = (*STRINGS, *NUMBERS, None, True, False, [], {}, [[]], {'': ''}, [None], {'a': {'b': [1]}})


class Maker:
    """Makes up requests."""

    def __init__(self, chance: random.Random, known: dict[str, str]) -> None:
        self._chance = chance
        self._known = known

    def request(self, row: Endpoint) -> tuple[str, str, Any, int]:
        """Method, path with query, body, minor version."""
        minor = self._chance.choice([1, history.MAXIMUM, self._chance.randint(1, history.MAXIMUM)])
        body = None
        if row.body is not None:
            body = self._value(row.body.schema(minor), 0)
            if self._chance.random() < 0.6:
                body = self._damage(body)
        return row.method, self._path(row.path) + self._query(row), body, minor

    def _path(self, path: str) -> str:
        parts = []
        for part in path.split('/'):
            if part.startswith('{'):
                part = self._chance.choice([
                    self._known['server'], self._known['flavor'], self._known['uuid'], '77', 'x', '%F0%9F%99%82',
                    'a' * 300, '-1', '%25', '..%2f', "'"])
            parts.append(part)
        return '/'.join(parts)

    def _query(self, row: Endpoint) -> str:
        import urllib.parse
        names = [param.name for param in row.query.params] + ['colour', '', 'limit', 'marker']
        pairs = [(self._chance.choice(names), str(self._chance.choice(STRINGS[:20] + NUMBERS)))
                 for _ in range(self._chance.choice((0, 0, 1, 2, 5)))]
        return '?' + urllib.parse.urlencode(pairs, errors='surrogatepass') if pairs else ''

    def _value(self, schema: dict[str, Any], depth: int) -> Any:
        for several in ('anyOf', 'oneOf'):
            if several in schema:
                return self._value(self._chance.choice(schema[several]), depth)
        if 'enum' in schema:
            return self._chance.choice(schema['enum'])
        kind = schema.get('type', 'string')
        kind = self._chance.choice(kind) if isinstance(kind, list) else kind
        if kind == 'object':
            return self._object(schema, depth)
        if kind == 'array':
            few = range(self._chance.choice((0, 1, 2, schema.get('maxItems', 3) + 1 if depth < 3 else 1)))
            return [self._value(schema.get('items', {}), depth + 1) for _ in few]
        if kind in ('integer', 'number'):
            return self._chance.choice((*NUMBERS, schema.get('maximum', 9), schema.get('minimum', 0)))
        if kind == 'boolean':
            return self._chance.random() < 0.5
        if kind == 'null':
            return None
        if schema.get('format') == 'uuid':
            return self._chance.choice(list(self._known.values()))
        return self._chance.choice((*STRINGS, *self._known.values()))

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        wanted = set(schema.get('required', ()))
        found = {name: self._value(inner, depth + 1) for name, inner in schema.get('properties', {}).items()
                 if name in wanted or self._chance.random() < 0.3}
        for inner in schema.get('patternProperties', {}).values():
            found[self._chance.choice(('key', 'a.b', 'x' * 255, ''))] = self._value(inner, depth + 1)
        return found

    def _damage(self, value: Any) -> Any:
        """The same with one place changed into something odd."""
        if isinstance(value, dict) and value and self._chance.random() < 0.8:
            name = self._chance.choice(list(value))
            return {**value, name: self._damage(value[name])}
        if isinstance(value, list) and value and self._chance.random() < 0.8:
            return [*value[1:], self._damage(value[0])]
        return self._chance.choice(ODD)


def test_nonsense_gets_a_clear_answer(request: pytest.FixtureRequest) -> None:
    there = world(request.config, 'fuzz')
    chance = random.Random(SEED)
    there.send('POST', f'{there.url}/v2.1/flavors', 'admin', json={'flavor': {
        'name': 'fuzz', 'id': 'fuzz', 'ram': 64, 'vcpus': 1, 'disk': 1}})
    server = there.send('POST', f'{there.url}/v2.1/servers', 'other', json={'server': {
        'name': 'fuzz', 'imageRef': there.facts['image'], 'flavorRef': 'fuzz'}}).json()['server']['id']
    maker = Maker(chance, {'server': server, 'flavor': 'fuzz', 'image': there.facts['image'],
                           'uuid': '00000000-0000-4000-8000-000000000000'})
    rows = [row for row in api.endpoints() if row.path not in ('/os-services/{id}',)]
    bad = []
    for number in range(ROUNDS):
        row = rows[number % len(rows)] if number < len(rows) else chance.choice(rows)
        method, path, body, minor = maker.request(row)
        answer = there.send(method, f'{there.url}/v2.1{path}', chance.choice(('other', 'other', 'admin')),
                            json=body if body is None or isinstance(body, dict) else {'x': body},
                            headers={'OpenStack-API-Version': f'compute 2.{minor}'})
        if answer.status_code >= 500 and answer.status_code not in TRUTHFUL or 'Traceback' in answer.text:
            bad.append(f'{method} {path} 2.{minor} {str(body)[:300]}: {answer.status_code} {answer.text[:200]}')
    assert not bad, '\n'.join(bad)
    leftovers = there.send('GET', f'{there.url}/v2.1/servers', 'other').json()['servers']
    for entry in leftovers:
        there.send('DELETE', f'{there.url}/v2.1/servers/{entry["id"]}', 'admin')
