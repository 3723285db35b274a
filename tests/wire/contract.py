# SPDX-License-Identifier: Apache-2.0
"""Holds answers against the OpenAPI document that the service gives of itself at the version of the answer.

Whatever a wire test asks, the answer must have a status that the document names for the operation, and a
body of the form that it gives for this status.
"""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import requests

JSON = 'application/json'
METHODS = frozenset(('GET', 'POST', 'PUT', 'DELETE'))
_UNKNOWN_PATH = (400, 401, 404, 405, 406, 413, 414)
_PROJECT = re.compile('/[0-9a-f]{32}(?=/|$)')


class Undocumented(AssertionError):
    """An answer that the document does not tell of."""


class Contract:
    """The documents of all versions, each fetched once by ``fetch(base, version)``."""

    def __init__(self, url: str, fetch: Callable[[str, str | None], Any]) -> None:
        self._url = url
        self._fetch = fetch
        self._documents: dict[tuple[str, str | None], Document] = {}

    def check(self, method: str, sent: Any, answer: requests.Response) -> None:
        """Undocumented unless the document tells of this answer."""
        path = urlsplit(answer.url).path.removeprefix(urlsplit(self._url).path)
        base = next((one for one in ('/v2.1', '/v2') if path.startswith(one + '/')), None)
        if base is None or method not in METHODS or path.endswith('/openapi.json'):
            return
        wrong = self.document(base, _version(answer)).check(method, path.removeprefix(base), sent, answer)
        if wrong:
            raise Undocumented(f'{method} {answer.url[:300]} at {_version(answer)}: {wrong}\n{answer.text[:1500]}')

    def document(self, base: str, version: str | None) -> 'Document':
        """What one endpoint says of itself at a version."""
        key = (base, version if base == '/v2.1' else None)
        if key not in self._documents:
            self._documents[key] = Document(self._fetch(*key))
        return self._documents[key]


def _version(answer: requests.Response) -> str:
    """The version that the answer names; one that ends before it has a version counts as the lowest."""
    words = answer.headers.get('OpenStack-API-Version', '').split()
    return words[1] if len(words) == 2 else '2.1'


class Document:
    """One OpenAPI document, with the validators made of it."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.content = content
        self._components = {'components': content['components']}
        # Fewer variable parts first: no template may take what is somebody's own path.
        self._templates = [(re.compile(re.sub(r'{\w+}', '[^/]*', path)), path) for path in sorted(
            content['paths'], key=lambda path: (path.count('{'), path))]
        self._validators: dict[tuple[str, str, str, str], Any] = {}

    def template(self, path: str) -> str | None:
        """The path as the document has it, or none."""
        for text in (path, _PROJECT.sub('', path, count=1) or '/'):
            for pattern, template in self._templates:
                if pattern.fullmatch(text) or pattern.fullmatch(text.rstrip('/')):
                    return template
        return None

    def check(self, method: str, path: str, sent: Any, answer: requests.Response) -> str | None:
        """What is wrong with an answer, if something is."""
        template = self.template(path)
        operations = self.content['paths'].get(template, {})
        operation = operations.get(method.lower())
        if operation is None:
            # The version does not have it, or a filter was quicker than the router.
            return None if answer.status_code in _UNKNOWN_PATH else 'no such operation is documented'
        action = next(iter(sent), '') if isinstance(sent, dict) else ''
        operation = operation.get('x-actions', {}).get(action, operation)
        code = str(answer.status_code)
        described = operation['responses'].get(code)
        if described is None:
            return f'status {code} is not documented, only {", ".join(operation["responses"])}'
        schema = described.get('content', {}).get(JSON, {}).get('schema')
        if schema is None:
            return 'no body is documented' if answer.content else None
        key = (template or '', method, action, code)
        if key not in self._validators:
            self._validators[key] = jsonschema.Draft202012Validator({**schema, **self._components})
        return self._compare(self._validators[key], answer)

    @staticmethod
    def _compare(validator: Any, answer: requests.Response) -> str | None:
        if not answer.content:
            return None if validator.schema.get('x-optional') else 'there is no body, and one is documented'
        error = jsonschema.exceptions.best_match(validator.iter_errors(answer.json()))
        if error is None:
            return None
        return f'at {"/".join(map(str, error.absolute_path)) or "the top"}: {error.message[:500]}'
