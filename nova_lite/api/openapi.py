# SPDX-License-Identifier: Apache-2.0
"""The API described by itself: OpenAPI 3.1 for any microversion, made from the tables that serve it.

What is in the document is what is checked: bodies and queries are the compiled schemas, answers the
compiled views, and the wire tests hold every answer against it.  OpenAPI knows one operation for a path
and method; where an action in the body decides, ``x-actions`` has the operation of each.
An extension of nova-lite: ``GET /openapi.json`` under either endpoint.
"""

import functools
import re
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any

from nova_lite.wsgi import faults, kinds, repeat
from nova_lite.wsgi.body import Body
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import GET, Endpoint, Raw, Show

RULES = ()

_JSON = 'application/json'
_FAULT = {'$ref': '#/components/schemas/Fault'}
# Every operation can answer these beside what its row names: a malformed request, no token, an unknown
# version, too long a URL, a database that is away; and those with a body, that it is too long or no JSON.
_COMMON_ERRORS = frozenset((400, 401, 406, 414, 503))
_BODY_ERRORS = frozenset((413, 415))
_WITH_BODY = frozenset(('POST', 'PUT'))
# Made by keystonemiddleware, in the form of Identity.
_NO_TOKEN = {'$ref': '#/components/schemas/Unauthorized'}


def document(rows: Sequence[Endpoint], minor: int) -> dict[str, Any]:
    """The OpenAPI document of one version; 0 is the old ``/v2``."""
    paths: dict[str, dict[str, Any]] = {}
    for row in rows:
        if minor not in row.when:
            continue
        method = paths.setdefault(row.path, {})
        operation = method.get(row.method.lower())
        if operation is None:
            operation = method[row.method.lower()] = _operation(row, minor, f'{row.method} {row.path}')
        else:
            _add_action(operation, row, minor)
        if row.action:
            operation.setdefault('x-actions', {})[row.action] = _operation(row, minor)
    return {
        'openapi': '3.1.0',
        'info': {'title': 'OpenStack Compute API', 'version': f'2.{minor}' if minor else '2.0'},
        'servers': [{'url': '/v2.1' if minor else '/v2'}],
        'security': [{'token': []}],
        'paths': paths,
        'components': {
            'securitySchemes': {'token': {'type': 'apiKey', 'in': 'header', 'name': 'X-Auth-Token'}},
            'schemas': {'Fault': _fault_schema(), 'Unauthorized': _UNAUTHORIZED}},
    }


def _operation(row: Endpoint, minor: int, name: str = '') -> dict[str, Any]:
    operation: dict[str, Any] = {
        'operationId': re.sub(r'\W+', '_', name or row.name).strip('_'), 'summary': row.summary,
        'x-policy-rule': row.rule,
        'parameters': [*_path_parameters(row.path), *_query_parameters(row, minor), *_header_parameters(row)],
        'responses': _responses(row, minor)}
    if row.body is not None:
        operation['requestBody'] = {'required': True, 'content': {_JSON: {'schema': _body(row, row.body, minor)}}}
    return operation


def _body(row: Endpoint, body: Body, minor: int) -> dict[str, Any]:
    """The body's schema; one of an action names the action, or it would not be this one."""
    schema = body.schema(minor)
    if not row.action or row.action in schema.get('required', ()):
        return schema
    return {**schema, 'properties': {row.action: {}, **schema.get('properties', {})},
            'required': [*schema.get('required', ()), row.action]}


def _add_action(operation: dict[str, Any], row: Endpoint, minor: int) -> None:
    """Another action of the same path: one more shape of the body, maybe more answers."""
    if row.body is not None:
        content = operation.setdefault('requestBody', {'required': True, 'content': {_JSON: {'schema': {'oneOf': []}}}})
        holder = content['content'][_JSON]
        if 'oneOf' not in holder['schema']:
            holder['schema'] = {'oneOf': [holder['schema']]}
        holder['schema']['oneOf'].append(_body(row, row.body, minor))
    for code, answer in _responses(row, minor).items():
        present = operation['responses'].setdefault(code, answer)
        if 'content' in answer and present is not answer:
            schema = present.setdefault('content', answer['content'])[_JSON]
            shapes = schema['schema'].get('anyOf', [schema['schema']])
            if answer['content'][_JSON]['schema'] not in shapes:
                schema['schema'] = {'anyOf': [*shapes, answer['content'][_JSON]['schema']]}


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [{'name': name, 'in': 'path', 'required': True, 'schema': {'type': 'string'}}
            for name in re.findall(r'{(\w+)}', path)]


def _query_parameters(row: Endpoint, minor: int) -> list[dict[str, Any]]:
    return [{'name': param.name, 'in': 'query', 'schema': dict(param.schema)}
            for param in row.query.params if minor in param.when and not param.prefix]


def _header_parameters(row: Endpoint) -> list[dict[str, Any]]:
    if row.method != 'POST':
        return []
    return [{'name': repeat.HEADER, 'in': 'header', 'schema': {
        'type': 'string', 'minLength': 1, 'maxLength': repeat.LONGEST, 'pattern': '^[ -~]*$'}}]


def _responses(row: Endpoint, minor: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    shape = _shape(row, minor)
    for answer in row.answers:
        if minor in answer.when:
            described: dict[str, Any] = {'description': HTTPStatus(answer.status).phrase}
            if answer.status >= 400:
                described['content'] = {_JSON: {'schema': _FAULT}}
            elif shape is not None and answer.status != HTTPStatus.NO_CONTENT:
                described['content'] = {_JSON: {'schema': shape}}
            found[str(answer.status)] = described
    for code in sorted(_errors(row)):
        found.setdefault(str(code), _error(code))
    return found


def _error(code: int) -> dict[str, Any]:
    described: dict[str, Any] = {'description': HTTPStatus(code).phrase}
    # The HTTP server says this one by itself, and no more than that.
    if code != HTTPStatus.REQUEST_URI_TOO_LONG:
        schema = _NO_TOKEN if code == HTTPStatus.UNAUTHORIZED else _FAULT
        described['content'] = {_JSON: {'schema': schema}}
    return described


def _errors(row: Endpoint) -> set[int]:
    found = {*_COMMON_ERRORS, *row.errors}
    if row.method in _WITH_BODY:
        found |= _BODY_ERRORS
    if row.rule:
        found.add(403)
    if '{' in row.path:
        found.add(404)
    if row.method == 'POST':
        # The key of the request was used for another one.
        found.add(409)
    return found


def _shape(row: Endpoint, minor: int) -> dict[str, Any] | None:
    """The body of an answer, if there is one."""
    show = row.shown(minor)
    return row.replied(minor) if show is None else _shown(show, minor)


def _shown(show: Show, minor: int) -> dict[str, Any]:
    every = show.view.plan(minor, show.op, frozenset(show.view.rules(minor, show.op)))
    least = show.view.plan(minor, show.op, frozenset())
    entry: dict[str, Any] = {
        'type': 'object', 'properties': dict(sorted({**show.view.described(minor, show.op), **show.more}.items())),
        'additionalProperties': False, 'required': sorted(least.certain & every.certain)}
    if not show.many:
        return _wrapped(show.key, entry, {}) if show.key else entry
    links = {show.links: kinds.LINKS} if show.links else {}
    return _wrapped(show.key, {'type': 'array', 'items': entry}, links)


def _wrapped(key: str, schema: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    return {'type': 'object', 'properties': {key: schema, **more}, 'required': [key], 'additionalProperties': False}


def _fault_schema() -> dict[str, Any]:
    inner = {'type': 'object', 'required': ['code', 'message'],
             'properties': {'code': {'type': 'integer'}, 'message': {'type': 'string'}}}
    names = sorted({*faults.NAMES.values(), faults.OTHER})
    return {'type': 'object', 'properties': {name: inner for name in names}, 'minProperties': 1, 'maxProperties': 1,
            'additionalProperties': False}


_UNAUTHORIZED = kinds.under('error', kinds.record({'code': kinds.INTEGER, 'title': kinds.TEXT, 'message': kinds.TEXT}))


#: All rows of the API. Set by the list of rooms, which holds this room and so cannot be imported here.
rows_of: Callable[[], Sequence[Endpoint]] = tuple


@functools.lru_cache(16)
def _cached(minor: int) -> dict[str, Any]:
    return document(rows_of(), minor)


def show(call: Call) -> Raw:
    """Describe the API at the version of the request."""
    return Raw(_cached(call.minor))


ENDPOINTS = (
    GET('/openapi.json', show, reply=kinds.mapped(kinds.ANY)),
)
