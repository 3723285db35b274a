# SPDX-License-Identifier: Apache-2.0
"""What a client may write into an image: the body of a creation and the JSON patch of a change."""

import re
from collections.abc import Callable
from typing import Any

from nova_lite import errors
from nova_lite.embedded.imagestore import Record

VISIBILITIES = ('public', 'private', 'shared', 'community')
CONTAINER_FORMATS = ('ami', 'ari', 'aki', 'bare', 'ovf', 'ova', 'docker', 'compressed')
DISK_FORMATS = ('ami', 'ari', 'aki', 'vhd', 'vhdx', 'vmdk', 'raw', 'qcow2', 'vdi', 'iso', 'ploop')
KINDS = ('add', 'replace', 'remove')
MOST_PROPERTIES = 128
MOST_TAGS = 128
LONGEST_NAME = 255
LONGEST_VALUE = 65535
MOST_NUMBER = 2 ** 31 - 1

READ_ONLY = frozenset((
    'id', 'status', 'size', 'virtual_size', 'checksum', 'os_hash_algo', 'os_hash_value', 'created_at',
    'updated_at', 'self', 'file', 'schema', 'direct_url', 'locations', 'stores', 'members', 'properties'))
# fixed once there is data, because the data would no longer be what the record says
WHILE_QUEUED = frozenset(('disk_format', 'container_format'))


def _boolean(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _wrong(name, value, 'true or false')
    return value


def _number(name: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MOST_NUMBER:
        raise _wrong(name, value, f'a number from 0 to {MOST_NUMBER}')
    return value


def _name(name: str, value: Any) -> str | None:
    if value is not None and (not isinstance(value, str) or len(value) > LONGEST_NAME):
        raise _wrong(name, value, f'null or a string of at most {LONGEST_NAME} characters')
    return value


def _one_of(choices: tuple[str, ...], none: bool = False) -> Callable[[str, Any], str | None]:
    def check(name: str, value: Any) -> str | None:
        if not (value is None and none) and value not in choices:
            raise _wrong(name, value, 'one of ' + ', '.join(choices))
        return value
    return check


def _tags(name: str, value: Any) -> list[str]:
    if not isinstance(value, list) or len(value) > MOST_TAGS:
        raise _wrong(name, value, f'a list of at most {MOST_TAGS} strings')
    return list(dict.fromkeys(tag(one) for one in value))


def tag(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_NAME:
        raise _wrong('tag', value, f'a string of 1 to {LONGEST_NAME} characters')
    return value


FIELDS: dict[str, Callable[[str, Any], Any]] = {
    'name': _name, 'visibility': _one_of(VISIBILITIES), 'protected': _boolean, 'os_hidden': _boolean,
    'min_disk': _number, 'min_ram': _number, 'tags': _tags, 'owner': _name,
    'disk_format': _one_of(DISK_FORMATS, none=True),
    'container_format': _one_of(CONTAINER_FORMATS, none=True),
}


def creation(body: Any) -> Record:
    """The record that the body of ``POST /v2/images`` describes."""
    if not isinstance(body, dict):
        raise errors.Invalid(reason='The body must be an object.')
    values: Record = {'properties': {}}
    for key, value in body.items():
        if key == 'id':
            values['id'] = value if isinstance(value, str) else _refuse_id(value)
        else:
            _set(values, key, value)
    return values


def patch(record: Record, operations: Any) -> Record:
    """``record`` with a list of JSON-patch operations (add, replace, remove) done to it."""
    if not isinstance(operations, list) or not all(isinstance(one, dict) for one in operations):
        raise errors.Invalid(reason='The body must be a list of JSON-patch operations.')
    for operation in operations:
        kind, path = _instruction(operation)
        if kind not in KINDS:
            raise errors.Invalid(reason=f'Operation {kind!r} is not one of add, replace, remove.')
        if kind != 'remove' and 'value' not in operation:
            raise errors.Invalid(reason=f'Operation {kind} needs a value.')
        key, *deeper = _pointer(path)
        if deeper:
            _patch_tags(record, kind, key, deeper, operation.get('value'))
        elif kind == 'remove':
            _remove(record, key)
        else:
            known = key in FIELDS or key in READ_ONLY or key in record['properties']
            if kind == 'replace' and not known:
                raise errors.Conflict(reason=f'Image {record["id"]} has no property {key!r} to replace.')
            _set(record, key, operation['value'])
    return record


def _instruction(operation: dict[str, Any]) -> tuple[Any, Any]:
    """What to do and where; the first version of the format has the path under the name of what is to be done."""
    named = [kind for kind in KINDS if kind in operation]
    if 'op' not in operation and len(named) == 1:
        return named[0], operation[named[0]]
    return operation.get('op'), operation.get('path')


def _set(record: Record, key: str, value: Any) -> None:
    if key in READ_ONLY:
        raise errors.Forbidden(f'Attribute {key!r} is read-only.')
    if key in WHILE_QUEUED and record.get('status', 'queued') != 'queued' and record[key] != value:
        raise errors.Forbidden(f'Attribute {key!r} can be changed only while the image is queued.')
    if key in FIELDS:
        record[key] = FIELDS[key](key, value)
        return
    if not 0 < len(key) <= LONGEST_NAME:
        raise errors.Invalid(
            reason=f'The name of a property has 1 to {LONGEST_NAME} characters, not {len(key)}.')
    if not isinstance(value, str) or len(value) > LONGEST_VALUE:
        raise _wrong(key, value, f'a string of at most {LONGEST_VALUE} characters')
    record['properties'][key] = value
    if len(record['properties']) > MOST_PROPERTIES:
        raise errors.TooLarge(f'An image has at most {MOST_PROPERTIES} properties.')


def _remove(record: Record, key: str) -> None:
    if key in FIELDS or key in READ_ONLY:
        raise errors.Forbidden(f'Attribute {key!r} may not be removed.')
    if record['properties'].pop(key, None) is None:
        raise errors.Conflict(reason=f'Image {record["id"]} has no property {key!r} to remove.')


def _patch_tags(record: Record, kind: str, key: str, deeper: list[str], value: Any) -> None:
    """Clients that compare old and new send single elements of the list of tags."""
    tags = list(record['tags'])
    if key != 'tags' or len(deeper) != 1 or not re.fullmatch(r'-|\d{1,4}', deeper[0]):
        raise errors.Invalid(reason=f'Path /{key}/{"/".join(deeper)} leads into something that has no parts.')
    place = len(tags) if deeper[0] == '-' else int(deeper[0])
    if place > len(tags) or (kind != 'add' and place == len(tags)):
        raise errors.Conflict(reason=f'Image {record["id"]} has no tag number {deeper[0]}.')
    tags[place:place + (kind != 'add')] = [] if kind == 'remove' else [value]
    record['tags'] = _tags('tags', tags)


def _pointer(path: Any) -> list[str]:
    if not isinstance(path, str) or not path.startswith('/') or path == '/':
        raise errors.Invalid(reason=f'Path {path!r} is not a JSON pointer.')
    return [part.replace('~1', '/').replace('~0', '~') for part in path[1:].split('/')]


def _refuse_id(value: Any) -> str:
    raise _wrong('id', value, 'a UUID')


def _wrong(name: str, value: Any, rule: str) -> errors.Invalid:
    shown = repr(value)
    if len(shown) > 100:
        shown = shown[:100] + '…'
    return errors.Invalid(reason=f'{name}: {shown} is not {rule}.')
