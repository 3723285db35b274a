# SPDX-License-Identifier: Apache-2.0
"""What a step can expect of an answer: one small check for each key of the language."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import requests


class _Missing:
    def __repr__(self) -> str:
        return 'nothing'


MISSING = _Missing()


@dataclass(frozen=True)
class Seen:
    """An answer, and how saved values get into what is expected of it."""

    answer: requests.Response
    body: Any
    fill: Callable[[Any], Any]

    @classmethod
    def of(cls, answer: requests.Response, fill: Callable[[Any], Any]) -> 'Seen':
        """Read an answer once for all checks."""
        return cls(answer, json_of(answer), fill)

    def at(self, path: str) -> Any:
        """The value at a path of the body."""
        return look(self.body, self.fill(path))


def json_of(answer: requests.Response) -> Any:
    """The JSON of an answer, None if it is none."""
    try:
        return answer.json()
    except json.JSONDecodeError:
        return None


def look(body: Any, path: str) -> Any:
    """The value at a path such as ``servers.0.id``; a key that holds dots is quoted by ``'…'``.

    ``*`` stands for every entry of a list, and makes the value a list of theirs.
    """
    return _look(body, [quoted or plain for quoted, plain in re.findall(r"'([^']*)'|([^.']+)", path)]
                 if path != '$' else [])


def _look(found: Any, parts: list[str]) -> Any:
    for number, part in enumerate(parts):
        if isinstance(found, list) and part == '*':
            return [_look(entry, parts[number + 1:]) for entry in found]
        if isinstance(found, list) and re.fullmatch(r'-?\d+', part):
            index = int(part)
            found = found[index] if -len(found) <= index < len(found) else MISSING
        elif isinstance(found, dict):
            found = found.get(part, MISSING)
        else:
            return MISSING
    return found


# ------------------------------------------------------------------- checks


def _fault(seen: Seen, wanted: str) -> Iterator[str]:
    found = list(seen.body or {})
    if found != [wanted]:
        yield f'fault {found}, expected {wanted}'
    elif seen.body[wanted].get('code') != seen.answer.status_code or not seen.body[wanted].get('message'):
        yield f'the fault needs code {seen.answer.status_code} and a message'


def _json(seen: Seen, wanted: dict[str, Any]) -> Iterator[str]:
    for path, value in wanted.items():
        value = seen.fill(value)
        found = seen.at(path)
        if found != value or isinstance(found, bool) != isinstance(value, bool):
            yield f'{path} is {found!r}, expected {value!r}'


def _absent(seen: Seen, wanted: list[str]) -> Iterator[str]:
    for path in wanted:
        if seen.at(path) is not MISSING:
            yield f'{path} is there: {seen.at(path)!r}'


def _present(seen: Seen, wanted: list[str]) -> Iterator[str]:
    for path in wanted:
        if seen.at(path) is MISSING:
            yield f'{path} is not there'


def _keys(seen: Seen, wanted: dict[str, list[str]]) -> Iterator[str]:
    for path, names in wanted.items():
        found = seen.at(path)
        names = seen.fill(names)
        if not isinstance(found, dict) or set(found) != set(names):
            yield (f'keys of {path}: {sorted(found) if isinstance(found, dict) else found!r}, '
                   f'expected {sorted(names)}')


def _length(seen: Seen, wanted: dict[str, int]) -> Iterator[str]:
    for path, length in wanted.items():
        found = seen.at(path)
        if not isinstance(found, list | dict) or len(found) != length:
            yield f'{path} has not {length} entries: {found!r}'


def _match(seen: Seen, wanted: dict[str, str]) -> Iterator[str]:
    for path, pattern in wanted.items():
        if not re.search(str(seen.fill(pattern)), str(seen.at(path))):
            yield f'{path} is {seen.at(path)!r}, which does not match {seen.fill(pattern)}'


def _says(seen: Seen, wanted: list[str]) -> Iterator[str]:
    for text in wanted:
        if str(seen.fill(text)) not in seen.answer.text:
            yield f'the answer does not say {seen.fill(text)!r}'


def _header(seen: Seen, wanted: dict[str, str | None]) -> Iterator[str]:
    for name, pattern in wanted.items():
        found = seen.answer.headers.get(name)
        if pattern is None:
            good = found is None
        else:
            good = found is not None and bool(re.search(str(seen.fill(pattern)), found))
        if not good:
            yield f'header {name} is {found!r}, expected {pattern!r}'


CHECKS: dict[str, Callable[[Seen, Any], Iterator[str]]] = {
    'fault': _fault, 'json': _json, 'absent': _absent, 'present': _present, 'keys': _keys, 'length': _length,
    'match': _match, 'says': _says, 'header': _header}


def status(seen: Seen, wanted: int | list[int]) -> list[str]:
    """What is wrong with the status."""
    if seen.answer.status_code in (wanted if isinstance(wanted, list) else [wanted]):
        return []
    return [f'status {seen.answer.status_code}, expected {wanted}']


def compare(seen: Seen, step: dict[str, Any]) -> list[str]:
    """What is wrong with an answer; with a wrong status nothing else is looked at."""
    return status(seen, step.get('status', 200)) or [
        text for key, check in CHECKS.items() if key in step for text in check(seen, step[key])]


def still_waiting(seen: Seen, step: dict[str, Any]) -> list[str]:
    """What a step waits for and does not see yet."""
    return [f'{path} stays {seen.at(path)!r}, expected {value!r}'
            for path, value in step.get('until', {}).items() if seen.at(path) != seen.fill(value)]
