# SPDX-License-Identifier: Apache-2.0
"""Request bodies and query strings as versioned tables, compiled to JSON Schema.

An ``Object`` lists its properties, each with a window of versions; for one stretch of versions it
becomes a plain JSON Schema (Draft 2020-12).  From 2.1 on unknown properties are refused; under
``/v2`` they are dropped, as that endpoint never checked them.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import jsonschema

from nova_lite import errors
from nova_lite.wsgi import formats, hints, window

Schema = dict[str, Any]


@dataclass(frozen=True)
class Prop:
    """One property: a JSON Schema, or a nested Object, Array or Choice that is versioned itself."""

    name: str
    schema: 'Schema | Node'
    when: window.Window = window.ALWAYS
    required: bool | window.Window = False

    def is_required(self, minor: int) -> bool:
        """Whether it must be there at this version."""
        return minor in self.required if isinstance(self.required, window.Window) else self.required


class Node:
    """Part of a body that differs between versions."""

    def compile(self, minor: int) -> Schema:
        """The plain JSON Schema for one version."""
        raise errors.Error('an abstract node has no schema')

    def windows(self) -> list[window.Window]:
        """All windows inside."""
        return []

    def clean(self, value: Any, minor: int) -> Any:
        """The value without what ``/v2`` ignores."""
        return value

    def below(self, step: str | int) -> 'list[Node]':
        """What is one step further down a path, at any version."""
        return []

    def known(self, name: str) -> list[window.Window]:
        """The windows of a property."""
        return []


class Object(Node):
    """A JSON object with known properties; ``open_`` says where unknown ones are let through."""

    def __init__(self, *props: Prop, open_: window.Window | None = None, pattern: Schema | None = None,
                 extra: Mapping[str, Any] | None = None) -> None:
        self.props = props
        self.open = open_
        self.pattern = pattern or {}
        self.extra = dict(extra or {})

    def compile(self, minor: int) -> Schema:
        present = [p for p in self.props if minor in p.when]
        schema: Schema = {'type': 'object', **self.extra,
                          'properties': {p.name: _compile(p.schema, minor) for p in present},
                          'additionalProperties': self.open is not None and minor in self.open}
        if self.pattern:
            schema['patternProperties'] = self.pattern
        required = [p.name for p in present if p.is_required(minor)]
        if required:
            schema['required'] = required
        return schema

    def windows(self) -> list[window.Window]:
        found = [p.when for p in self.props] + ([self.open] if self.open else [])
        for prop in self.props:
            if isinstance(prop.required, window.Window):
                found.append(prop.required)
            if isinstance(prop.schema, Node):
                found += prop.schema.windows()
        return found

    def clean(self, value: Any, minor: int) -> Any:
        if not isinstance(value, dict) or self.open is not None and minor in self.open:
            return value
        known = {p.name: p.schema for p in self.props if minor in p.when}
        return {key: inner.clean(item, minor) if isinstance(inner := known.get(key), Node) else item
                for key, item in value.items()
                if key in known or any(re.search(pattern, key) for pattern in self.pattern)}

    def below(self, step: str | int) -> list[Node]:
        return [p.schema for p in self.props if p.name == step and isinstance(p.schema, Node)]

    def known(self, name: str) -> list[window.Window]:
        return [p.when for p in self.props if p.name == name]


class Array(Node):
    """A JSON array of versioned items."""

    def __init__(self, items: 'Schema | Node', **limits: Any) -> None:
        self.items = items
        self.limits = limits

    def compile(self, minor: int) -> Schema:
        return {'type': 'array', 'items': _compile(self.items, minor), **self.limits}

    def windows(self) -> list[window.Window]:
        return self.items.windows() if isinstance(self.items, Node) else []

    def clean(self, value: Any, minor: int) -> Any:
        if isinstance(value, list) and isinstance(self.items, Node):
            return [self.items.clean(item, minor) for item in value]
        return value

    def below(self, step: str | int) -> list[Node]:
        return [self.items] if isinstance(self.items, Node) and isinstance(step, int) else []


class Choice(Node):
    """One of several shapes, each with a window of its own."""

    def __init__(self, *options: 'tuple[Schema | Node, window.Window]') -> None:
        self.options = options

    def compile(self, minor: int) -> Schema:
        shapes = [_compile(shape, minor) for shape, when in self.options if minor in when]
        return shapes[0] if len(shapes) == 1 else {'anyOf': shapes}

    def windows(self) -> list[window.Window]:
        found = [when for _, when in self.options]
        for shape, _ in self.options:
            found += shape.windows() if isinstance(shape, Node) else []
        return found

    def clean(self, value: Any, minor: int) -> Any:
        for shape, when in self.options:
            if minor in when and isinstance(shape, Node):
                value = shape.clean(value, minor)
        return value

    def below(self, step: str | int) -> list[Node]:
        return [node for shape, _ in self.options if isinstance(shape, Node) for node in shape.below(step)]

    def known(self, name: str) -> list[window.Window]:
        return [when for shape, _ in self.options if isinstance(shape, Node) for when in shape.known(name)]


def _compile(schema: 'Schema | Node', minor: int) -> Schema:
    return schema.compile(minor) if isinstance(schema, Node) else schema


# ------------------------------------------------------------------- bodies

class Body:
    """The body of an endpoint: a versioned schema, checked once per request."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._cuts = window.Cuts(node.windows())
        self._validators: dict[int, Any] = {}

    def schema(self, minor: int) -> Schema:
        """The JSON Schema at one version, for checks and for OpenAPI."""
        return self.node.compile(self._cuts.bucket(minor))

    def check(self, value: Any, minor: int, when: window.Window = window.ALWAYS) -> Any:
        """The accepted value; errors.Invalid with the field, the value and the rule.

        Where the same is right at another version within ``when``, the error says which.
        """
        bucket = self._cuts.bucket(minor)
        if bucket == window.LEGACY:
            value = self.node.clean(value, bucket)
        for error in self._validator(bucket).iter_errors(value):
            raise errors.Invalid(f'{explain(error).rstrip(".")}.{self._elsewhere(value, error, when)}')
        return value

    def _validator(self, bucket: int) -> Any:
        validator = self._validators.get(bucket)
        if validator is None:
            validator = self._validators[bucket] = _validator(self.node.compile(bucket))
        return validator

    def _elsewhere(self, value: Any, error: jsonschema.ValidationError, when: window.Window) -> str:
        whole = hints.sentence('This body is valid', hints.where(
            self._cuts, lambda start: bool(self._validator(start).is_valid(value)), when))
        return whole or ''.join(self._properties_elsewhere(best_of(error), when))

    def _properties_elsewhere(self, error: jsonschema.ValidationError, when: window.Window) -> Iterable[str]:
        if error.validator != 'additionalProperties' or not isinstance(error.instance, dict):
            return
        nodes = [self.node]
        for step in error.absolute_path:
            nodes = [node for one in nodes for node in one.below(step)]
        for name in error.instance.keys() - error.schema.get('properties', {}).keys():
            known = hints.union(there for node in nodes for there in node.known(name))
            yield hints.sentence(f'{name} is there', known)

    def windows(self) -> list[window.Window]:
        """All windows of the body."""
        return self.node.windows()


def wrapped(key: str, node: 'Node | Schema') -> Body:
    """A body with one key, such as ``{"server": {...}}``."""
    return Body(Object(Prop(key, node, required=True)))


_MAX_SHOWN = 200


def _validator(schema: Schema) -> Any:
    return jsonschema.Draft202012Validator(schema, format_checker=formats.CHECKER)


def best_of(error: jsonschema.ValidationError) -> jsonschema.ValidationError:
    """The part of an error that the sender most likely wants to know."""
    return jsonschema.exceptions.best_match([error]) or error


def explain(error: jsonschema.ValidationError) -> str:
    """One sentence for a failed check: where, what was found, which rule.

    Of several alternatives the one that came nearest speaks, so that the rule named is the one
    that the sender most likely meant to follow.
    """
    best = best_of(error)
    where = '/'.join(str(part) for part in best.absolute_path)
    text = best.message if len(best.message) <= _MAX_SHOWN * 2 else best.message[:_MAX_SHOWN * 2] + '…'
    if best.validator == 'format':
        text = f'{_short(best.instance)} is not {formats.describe(best.validator_value)}'
    if best.validator == 'pattern':
        text = f'{_short(best.instance)} does not match the pattern {best.validator_value}'
    if not where:
        return f'Invalid request body: {text}.'
    return f'Invalid input for {where}: {text}. Value: {_short(best.instance)}'


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + '…'


# ------------------------------------------------------------------ queries

class Query:
    """Query parameters of an endpoint.

    ``open_`` is the window in which unknown parameters are ignored; outside it they are refused.
    """

    def __init__(self, *params: 'Param', open_: window.Window = window.until(101)) -> None:
        self.params = params
        self.open = open_
        self._cuts = window.Cuts([p.when for p in params] + [open_])
        self._compiled: dict[int, dict[str, tuple[Param, Any]]] = {}

    def check(self, query_string: str, minor: int) -> 'Values':
        """The known parameters; errors.Invalid names a bad or, where that is the rule, unknown one."""
        if not query_string:
            return EMPTY
        bucket = self._cuts.bucket(minor)
        known = self._compiled.get(bucket)
        if known is None:
            known = self._compiled[bucket] = {
                p.name: (p, _validator(p.schema)) for p in self.params if bucket in p.when}
        patterns = [pair for pair in known.values() if pair[0].prefix]
        found: dict[str, list[str]] = {}
        for name, text in _pairs(query_string):
            entry = known.get(name) or next((pair for pair in patterns if name.startswith(pair[0].name)), None)
            if entry is None:
                if bucket not in self.open:
                    raise errors.Invalid(f'Invalid query: parameter {_short(name)} is not known here.'
                                         + hints.sentence('It is there', self._windows_of(name)))
                continue
            for error in entry[1].iter_errors(text):
                raise errors.Invalid(f'Invalid input for query parameter {name}: {explain_value(error)}'
                                     + hints.sentence('It is valid', self._windows_of(name, text)))
            found.setdefault(name, []).append(text)
        for name, texts in found.items():
            param = known.get(name, (None,))[0]
            if param is not None and len(texts) > 1 and not param.many:
                raise errors.Invalid(f'Invalid query: parameter {name} is given {len(texts)} times.')
        return Values(found)

    def _windows_of(self, name: str, text: str | None = None) -> window.Window:
        """The versions that know a parameter, or that take a value of it."""
        return hints.union(p.when for p in self.params if (p.name == name or p.prefix and name.startswith(p.name))
                           and (text is None or _validator(p.schema).is_valid(text)))

    def windows(self) -> list[window.Window]:
        """All windows of the table."""
        return [p.when for p in self.params] + [self.open]


def explain_value(error: jsonschema.ValidationError) -> str:
    """Like ``explain``, for a single value."""
    if error.validator == 'format':
        return f'{_short(error.instance)} is not {formats.describe(error.validator_value)}.'
    return error.message[:_MAX_SHOWN * 2] + '.'


def _pairs(query_string: str) -> list[tuple[str, str]]:
    if '%00' in query_string or '\x00' in query_string:
        raise errors.Invalid('Invalid query: the character U+0000 is not allowed.')
    try:
        return parse_qsl(query_string, keep_blank_values=True, max_num_fields=200, errors='strict')
    except UnicodeDecodeError:
        raise errors.Invalid('Invalid query: it is not UTF-8.') from None
    except ValueError:
        raise errors.Invalid('Invalid query: more than 200 parameters.') from None


@dataclass(frozen=True)
class Param:
    """One query parameter; ``many`` lets it be given several times, ``prefix`` means any name that so begins."""

    name: str
    schema: Schema
    when: window.Window = window.ALWAYS
    many: bool = True
    prefix: bool = False


class Values:
    """Checked query parameters; of a parameter given several times the last one counts."""

    def __init__(self, values: Mapping[str, Sequence[str]]) -> None:
        self._values = values

    def get(self, name: str, default: str | None = None) -> str | None:
        """The text of one parameter."""
        texts = self._values.get(name)
        return texts[-1] if texts else default

    def all(self, name: str) -> list[str]:
        """All texts of one parameter."""
        return list(self._values.get(name, ()))

    def integer(self, name: str, default: int | None = None) -> int | None:
        """A parameter whose schema makes it a whole number."""
        text = self.get(name)
        return default if text is None or text == '' else int(text)

    def names(self) -> Iterable[str]:
        """Those given."""
        return self._values.keys()

    def __contains__(self, name: str) -> bool:
        return name in self._values


EMPTY = Values({})
Parse = Callable[[str], Any]
