# SPDX-License-Identifier: Apache-2.0
"""Writes the pages of the API and of the states of servers, or checks that they are fresh.

The page of the API is made of nothing but the OpenAPI documents of all versions, as a client could
make it; the page of the states of the table that decides about them.
"""

import argparse
import re
import sys
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
API_PAGE = ROOT / 'docs' / 'user' / 'api.rst'
STATES_PAGE = ROOT / 'docs' / 'user' / 'states.rst'
MADE = '.. Made by `make genconfig`; change the tables of the API, not this page.\n'
WIDTH = 100
JSON = 'application/json'

# ---------------------------------------------------------------- notation


def notation(schema: Mapping[str, Any]) -> str:
    """A schema in short: ``{"name": string, "size"?: integer|null}``."""
    for several in ('anyOf', 'oneOf'):
        if several in schema and 'type' not in schema:
            return ' | '.join(dict.fromkeys(notation(one) for one in schema[several]))
    if '$ref' in schema:
        return str(schema['$ref']).rsplit('/', 1)[-1]
    if 'enum' in schema:
        return _words(schema)
    kinds = schema.get('type')
    if kinds is None:
        return 'any'
    return '|'.join(_of_kind(kind, schema) for kind in ([kinds] if isinstance(kinds, str) else kinds))


def _words(schema: Mapping[str, Any]) -> str:
    words = schema['enum']
    if True in words and 'true' in words:
        return 'boolean'
    return '|'.join(f'"{word}"' if isinstance(word, str) else str(word) for word in words)


def _of_kind(kind: str, schema: Mapping[str, Any]) -> str:
    if kind == 'array':
        return f'[{notation(schema.get("items", {}))}]'
    if kind == 'object':
        return _object(schema)
    if kind == 'string' and schema.get('format') in ('uuid', 'date-time', 'base64', 'ipv4', 'ipv6'):
        return str(schema['format'])
    return kind


def _object(schema: Mapping[str, Any]) -> str:
    if {'rel', 'href'} <= schema.get('properties', {}).keys():
        return 'link'
    required = set(schema.get('required', ()))
    parts = [f'"{name}"{"" if name in required else "?"}: {notation(inner)}'
             for name, inner in schema.get('properties', {}).items()]
    rest = schema.get('additionalProperties')
    parts += [f'*: {notation(inner)}' for inner in schema.get('patternProperties', {}).values()]
    if isinstance(rest, Mapping):
        parts.append(f'*: {notation(rest)}')
    return '{' + ', '.join(parts) + '}'


# --------------------------------------------------------------------- API


@dataclass
class Operation:
    """One operation, as its newest document has it."""

    method: str
    path: str
    action: str
    content: Mapping[str, Any]
    minors: list[int] = field(default_factory=list)

    @property
    def title(self) -> str:
        """What it is called."""
        return ' '.join(filter(None, (self.method, self.path, self.action)))


def operations() -> list[Operation]:
    """Every operation of every version."""
    from nova_lite import api
    from nova_lite.api import history, openapi
    rows = api.endpoints()
    found: dict[str, Operation] = {}
    for minor in range(history.MAXIMUM, 0, -1):
        for path, methods in openapi.document(rows, minor)['paths'].items():
            for method, content in methods.items():
                for action, one in (content.get('x-actions') or {'': content}).items():
                    operation = Operation(method.upper(), path, action, one)
                    found.setdefault(operation.title, operation).minors.append(minor)
    return sorted(found.values(), key=lambda one: (one.path, one.method, one.action))


def _versions(minors: Iterable[int], maximum: int) -> str:
    first, last = min(minors), max(minors)
    if last == maximum:
        return f'2.{first} or later'
    return f'2.{first}' if first == last else f'2.{first} to 2.{last}'


def _literal(label: str, text: str) -> list[str]:
    return [f'{label}::', '', *(f'    {line}' for line in textwrap.wrap(
        text, WIDTH - 4, break_long_words=False, break_on_hyphens=False)), '']


def _removed(operation: Operation) -> bool:
    return '410' in operation.content['responses']


def _described(operation: Operation, maximum: int) -> list[str]:
    content = operation.content
    answers = content['responses']
    good = [code for code in answers if int(code) < 400]
    bad = sorted(code for code in answers if int(code) >= 400)
    lines = [content['summary'], '', f':Versions: {_versions(operation.minors, maximum)}',
             f':Rule: ``{content["x-policy-rule"]}``' if content['x-policy-rule'] else ':Rule: none',
             f':Answers: {", ".join(good)}; errors {", ".join(bad)}']
    query = [one['name'] for one in content['parameters'] if one['in'] == 'query']
    if query:
        words = textwrap.fill(', '.join(f'``{name}``' for name in query), WIDTH, subsequent_indent='    ',
                              initial_indent=':Query: ', break_on_hyphens=False)
        lines += words.splitlines()
    lines.append('')
    body = content.get('requestBody', {}).get('content', {}).get(JSON, {}).get('schema')
    if body is not None:
        lines += _literal('Body', notation(body))
    for code in good:
        shape = answers[code].get('content', {}).get(JSON, {}).get('schema')
        if shape is not None:
            lines += _literal('Answer' if len(good) == 1 else f'Answer with {code}', notation(shape))
    return lines


def api_page() -> str:
    """The page of the API."""
    from nova_lite.api import history
    maximum = history.MAXIMUM
    every = operations()
    live = [one for one in every if not _removed(one)]
    lines = [MADE, 'The API', '=======', '',
             *textwrap.wrap(f'Every operation of the Compute API, each as its newest microversion has it, up to '
                            f'2.{maximum}. The service itself describes any version: ``GET /v2.1/openapi.json``, where '
                            'the header ``OpenStack-API-Version`` decides. A ``?`` marks what need not be there; ``*`` '
                            'stands for any key, ``link`` for an object with ``rel`` and ``href``.', WIDTH), '']
    room = ''
    for one in live:
        first = '/' + one.path.split('/')[1]
        if first != room:
            room = first
            lines += [first, '-' * len(first), '']
        lines += [one.title, '~' * len(one.title), '', *_described(one, maximum)]
    lines += ['Removed', '-------', '', 'These answer 410 and say why.', '']
    lines += [f'* ``{one.title}`` ({_versions(one.minors, maximum)}): '
              f'{one.content["summary"].removeprefix("Removed: ")}' for one in every if _removed(one)]
    return '\n'.join(lines) + '\n'


# ------------------------------------------------------------------ states


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = ['.. list-table::', '   :header-rows: 1', '']
    for row in (heads, *rows):
        for number, cell in enumerate(row):
            lines.append(f'   {"*" if number == 0 else " "} - {cell}'.rstrip())
    return [*lines, '']


def _states(words: Iterable[str | None] | None, none: str = 'none') -> str:
    if words is None:
        return 'any'
    return ', '.join(sorted(f'``{word}``' if word else none for word in words))


def states_page() -> str:
    """The page of the states."""
    from nova_lite.model import states
    lines = [MADE, 'The states of a server', '======================', '',
             *textwrap.wrap(
                 'A server has a ``vm_state`` (what it is), a ``task_state`` (what is being done to it) and a '
                 '``power_state`` (what its guest does). ``status`` follows from the first two. An operation that is '
                 'asked for in another state gets 409, with the state that it needs and the one that is found.',
                 WIDTH), '', 'Operations', '----------', '',
             *textwrap.wrap('Where each may begin, what shows while it runs, and where it ends. A dash leaves the '
                            'state as it is. A locked server refuses what is marked so to everybody but '
                            'administrators.', WIDTH), '']
    lines += _table(
        ('Operation', 'vm_state', 'task_state', 'meanwhile', 'afterwards', 'power_state', 'lock forbids', 'has run'),
        ((f'``{name}``', _states(row.vm_states), _states(row.task_states), f'``{row.task}``' if row.task else '–',
          f'``{row.vm_state}``' if row.vm_state else '–', row.power.name if row.power is not None else '–',
          'yes' if row.lockable else 'no', 'yes' if row.launched else 'no')
         for name, row in states.TRANSITIONS.items()))
    lines += ['Status', '------', '',
              'The word that the API shows, by what the server is and what is being done to it.', '']
    by_word: dict[tuple[str, str], list[str]] = {}
    for vm_state, words in states.STATUSES.items():
        for task, word in words.items():
            by_word.setdefault((word, vm_state), []).append(task)
    lines += _table(('status', 'vm_state', 'task_state'),
                    ((f'``{word}``', f'``{vm_state}``',
                      'any other' if tasks == ['default'] else _states(tasks))
                     for (word, vm_state), tasks in sorted(by_word.items())))
    return '\n'.join(lines).rstrip() + '\n'


# ----------------------------------------------------------------- command

PAGES = ((API_PAGE, api_page), (STATES_PAGE, states_page))


def stale() -> list[str]:
    """The pages that are not what the tables say."""
    return [str(path.relative_to(ROOT)) for path, make in PAGES
            if not path.exists() or _plain(path.read_text()) != _plain(make())]


def _plain(text: str) -> str:
    return re.sub(r'\s+\n', '\n', text)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--check', action='store_true', help='write nothing; fail if a page is stale')
    if parser.parse_args().check:
        found = stale()
        print(f'Stale: {", ".join(found)}. Run `make genconfig`.' if found else 'The pages are fresh.')
        return 1 if found else 0
    for path, make in PAGES:
        path.write_text(make())
        print(f'==> Wrote {path.relative_to(ROOT)}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
