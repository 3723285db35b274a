# SPDX-License-Identifier: Apache-2.0
"""The least request that a schema lets through, for tests to which only the operation matters."""

from collections.abc import Mapping
from typing import Any

NOBODY = '00000000-0000-4000-8000-000000000000'
# What no schema can tell: values that a handler looks into before the policy is asked.
WORDS = {'image': 'x', 'flavorRef': '42', 'imageRef': NOBODY, 'start': '2026-01-01T00:00:00'}


def body(schema: Mapping[str, Any], known: Mapping[str, Any] | None = None, name: str = '') -> Any:
    """A value with all that is required and nothing else; ``known`` has values of properties by their names."""
    words = {**WORDS, **(known or {})}
    if name in words and schema.get('type') != 'object':
        return words[name]
    for several in ('anyOf', 'oneOf'):
        if several in schema and 'type' not in schema:
            return body(next((one for one in schema[several] if one.get('type') == 'null'), schema[several][-1]),
                        words, name)
    if 'enum' in schema:
        return schema['enum'][0]
    kind = schema.get('type', 'null')
    kind = kind[0] if isinstance(kind, list) else kind
    return _OF_KIND[kind](schema, words)


def _object(schema: Mapping[str, Any], words: Mapping[str, Any]) -> dict[str, Any]:
    required = [*schema.get('required', ()), *(schema.get('anyOf') or [{}])[0].get('required', ())]
    found = {name: body(schema['properties'][name], words, name) for name in required}
    if not found and schema.get('patternProperties'):
        found['a'] = body(next(iter(schema['patternProperties'].values())), words, 'a')
    return found


def _array(schema: Mapping[str, Any], words: Mapping[str, Any]) -> list[Any]:
    return [body(schema.get('items', {}), words) for _ in range(schema.get('minItems', 0))]


def _text(schema: Mapping[str, Any], _: Mapping[str, Any]) -> str:
    return {'uuid': NOBODY, 'ipv4': '192.0.2.1', 'base64': 'YQ==', 'date-time': '2026-01-01T00:00:00'}.get(
        schema.get('format', ''), '1')


_OF_KIND = {
    'object': _object, 'array': _array, 'string': _text, 'integer': lambda schema, _: schema.get('minimum', 1),
    'number': lambda schema, _: schema.get('minimum', 1), 'boolean': lambda schema, _: True,
    'null': lambda schema, _: None}
