# SPDX-License-Identifier: Apache-2.0
"""Every operation is there from its first version to its last one, and nowhere else.

``surface.csv`` has the whole surface of the compute API, one row for each operation: its first and last
version (none: to this day) and, for what was removed for good, the answer that it always gives.  A row is
asked once the operation is served; what is served and has no row is an error.
"""

import csv
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from nova_lite import api
from nova_lite.api import history
from nova_lite.wsgi.endpoint import Endpoint
from tests.wire.conftest import world

TABLE = Path(__file__).with_name('surface.csv')
NOBODY = '00000000-0000-4000-8000-000000000000'
# What is ours alone.
OWN = {('GET', '/openapi.json', '')}


@dataclass(frozen=True)
class Row:
    """One operation of the table; versions are the x of 2.x."""

    method: str
    path: str
    action: str
    first: int
    last: int
    answer: int | None

    @property
    def key(self) -> tuple[str, str, str]:
        """What it is recognized by, whatever the parts of its path are called."""
        return self.method, re.sub(r'{\w+}', '{}', self.path), self.action

    def versions(self) -> dict[str, bool]:
        """The versions at the edges, and whether the operation is there."""
        edges = {self.first: True, self.last: True, self.first - 1: False, self.last + 1: False}
        return {f'2.{minor}': there for minor, there in edges.items() if 1 <= minor <= history.MAXIMUM} | {
            'v2': self.first == 1}


def table() -> list[Row]:
    """All rows."""
    with TABLE.open(newline='') as file:
        return [Row(line['method'], line['path'], line['action'], _minor(line['first']),
                    _minor(line['last']) if line['last'] else history.MAXIMUM,
                    int(line['answer']) if line['answer'] else None) for line in csv.DictReader(file)]


def _minor(version: str) -> int:
    return int(version.removeprefix('2.'))


SERVED = {(row.method, re.sub(r'{\w+}', '{}', row.path), row.action) for row in api.endpoints()}
ROWS = [row for row in table() if row.key in SERVED]


def test_what_is_served_is_in_the_table() -> None:
    assert SERVED - {row.key for row in table()} == OWN


@pytest.mark.parametrize('row', ROWS, ids=lambda row: ' '.join(filter(None, row.key)))
def test_an_operation_begins_and_ends(row: Row, request: pytest.FixtureRequest) -> None:
    there = world(request.config)
    path = re.sub(r'{\w+}', NOBODY, row.path)
    wrong = []
    for version, inside in row.versions().items():
        base, headers = ('/v2', {}) if version == 'v2' else (
            '/v2.1', {'OpenStack-API-Version': f'compute {version}'})
        body = {'json': {row.action: None} if row.action else {}} if row.method in ('POST', 'PUT') else {}
        answer = there.send(row.method, f'{there.url}{base}{path}', 'admin', headers=headers, **body)
        text = answer.text
        missing = answer.status_code == 404 and 'microversion' in text
        if inside:
            good = not missing and answer.status_code != 405 and 'no such action' not in text and (
                row.answer in (None, answer.status_code))
        else:
            good = missing
        if not good:
            wrong.append(f'{version}, where it {"is" if inside else "is not"} there: {answer.status_code} {text[:300]}')
    assert not wrong, '\n'.join(wrong)


CODES = Path(__file__).with_name('codes.csv')
# A create that is only tried, an extension.
OWN_CODES = {('POST', '', 'nova_lite.api.servers.create'): {200}}
# Our own: no such function here, an away database or image service; and the loaded object that some look at.
MORE_ERRORS = {400, 401, 403, 404, 406, 409, 413, 414, 415, 501, 503}


def _codes_at(text: str, minor: int) -> set[int]:
    """The codes of a version in ``200@2.1-2.100 202@2.101-``."""
    found = set()
    for part in text.split():
        code, _, span = part.partition('@')
        first, _, last = span.partition('-')
        if not span or _minor(first) <= minor <= (_minor(last) if last else history.MAXIMUM):
            found.add(int(code))
    return found


def test_success_and_error_codes_are_those_of_the_table() -> None:
    rows: dict[tuple[str, str, str], list[Endpoint]] = {}
    for row in api.endpoints():
        rows.setdefault((row.method, re.sub(r'{\w+}', '{}', row.path), row.action), []).append(row)
    wrong = []
    with CODES.open(newline='') as file:
        for line in csv.DictReader(file):
            for row in rows.get((line['method'], re.sub(r'{\w+}', '{}', line['path']), line['action']), ()):
                wanted = {minor: _codes_at(line['success'], minor) for minor in range(1, history.MAXIMUM + 1)
                          if minor in row.when}
                ours = OWN_CODES.get((row.method, row.action, row.handler.__module__), set())
                given = {minor: {answer.status for answer in row.answers if minor in answer.when} - ours
                         for minor in wanted}
                wrong += [f'{row.name} at 2.{minor}: {given[minor]}, Nova answers {wanted[minor]}'
                          for minor in wanted if given[minor] != wanted[minor]][:1]
                odd = set(row.errors) - {int(code) for code in line['errors'].split()} - MORE_ERRORS
                if odd:
                    wrong.append(f'{row.name}: errors {odd}')
    assert not wrong, '\n'.join(wrong)
