# SPDX-License-Identifier: Apache-2.0
"""The API described by itself: OpenAPI 3.1 for any microversion, made from the tables that serve it.

What is in the document is what is checked: bodies and queries are the compiled schemas, answers the
compiled views.  An extension of nova-lite: ``GET /openapi.json`` under either endpoint.
"""

import functools
import re
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any

from nova_lite.wsgi import faults
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import GET, Endpoint, Raw, Show

RULES = ()

_JSON = 'application/json'
_FAULT = {'$ref': '#/components/schemas/Fault'}
# Every operation can answer these beside what its row names.
_COMMON_ERRORS = (401, 403, 404)


def document(rows: Sequence[Endpoint], minor: int) -> dict[str, Any]:
    """The OpenAPI document of one version; 0 is the old ``/v2``."""
    paths: dict[str, dict[str, Any]] = {}
    for row in rows:
        if minor not in row.when:
            continue
        method = paths.setdefault(row.path, {})
        operation = method.get(row.method.lower())
        if operation is None:
            method[row.method.lower()] = _operation(row, minor)
        else:
            _add_action(operation, row, minor)
    return {
        'openapi': '3.1.0',
        'info': {'title': 'OpenStack Compute API', 'version': f'2.{minor}' if minor else '2.0'},
        'servers': [{'url': '/v2.1' if minor else '/v2'}],
        'security': [{'token': []}],
        'paths': paths,
        'components': {
            'securitySchemes': {'token': {'type': 'apiKey', 'in': 'header', 'name': 'X-Auth-Token'}},
            'schemas': {'Fault': _fault_schema()}},
    }


def _operation(row: Endpoint, minor: int) -> dict[str, Any]:
    operation: dict[str, Any] = {
        'operationId': re.sub(r'\W+', '_', row.name).strip('_'), 'summary': row.summary,
        'parameters': [*_path_parameters(row.path), *_query_parameters(row, minor)],
        'responses': _responses(row, minor)}
    if row.body is not None:
        operation['requestBody'] = {'required': True, 'content': {_JSON: {'schema': row.body.schema(minor)}}}
    return operation


def _add_action(operation: dict[str, Any], row: Endpoint, minor: int) -> None:
    """Another action of the same path: one more shape of the body, maybe more answers."""
    if row.body is not None:
        content = operation.setdefault('requestBody', {'required': True, 'content': {_JSON: {'schema': {'oneOf': []}}}})
        holder = content['content'][_JSON]
        if 'oneOf' not in holder['schema']:
            holder['schema'] = {'oneOf': [holder['schema']]}
        holder['schema']['oneOf'].append(row.body.schema(minor))
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


def _responses(row: Endpoint, minor: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for answer in row.answers:
        if minor in answer.when:
            found[str(answer.status)] = {'description': HTTPStatus(answer.status).phrase}
    show = row.shown(minor)
    if show is not None:
        found[str(row.status(minor))]['content'] = {_JSON: {'schema': _shown(show, minor)}}
    for code in sorted({*_COMMON_ERRORS, *row.errors}):
        found.setdefault(str(code), {'description': HTTPStatus(code).phrase, 'content': {_JSON: {'schema': _FAULT}}})
    return found


def _shown(show: Show, minor: int) -> dict[str, Any]:
    every = show.view.plan(minor, show.op, frozenset(show.view.rules(minor, show.op)))
    least = show.view.plan(minor, show.op, frozenset())
    entry: dict[str, Any] = {
        'type': 'object', 'properties': {name: {} for name in sorted(every.names)}, 'additionalProperties': False,
        'required': sorted(least.certain & every.certain)}
    if not show.many:
        return _wrapped(show.key, entry, {}) if show.key else entry
    links = {show.links: {'type': 'array'}} if show.links else {}
    return _wrapped(show.key, {'type': 'array', 'items': entry}, links)


def _wrapped(key: str, schema: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    return {'type': 'object', 'properties': {key: schema, **more}, 'required': [key], 'additionalProperties': False}


def _fault_schema() -> dict[str, Any]:
    inner = {'type': 'object', 'required': ['code', 'message'],
             'properties': {'code': {'type': 'integer'}, 'message': {'type': 'string'}}}
    names = sorted({*faults.NAMES.values(), faults.OTHER})
    return {'type': 'object', 'properties': {name: inner for name in names}, 'minProperties': 1, 'maxProperties': 1}


#: All rows of the API. Set by the list of rooms, which holds this room and so cannot be imported here.
rows_of: Callable[[], Sequence[Endpoint]] = tuple


@functools.lru_cache(16)
def _cached(minor: int) -> dict[str, Any]:
    return document(rows_of(), minor)


def show(call: Call) -> Raw:
    """Describe the API at the version of the request."""
    return Raw(_cached(call.minor))


ENDPOINTS = (
    GET('/openapi.json', show),
)
