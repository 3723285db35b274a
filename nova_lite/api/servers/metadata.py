# SPDX-License-Identifier: Apache-2.0
"""The metadata of a server: its owner's own keys and values."""

from typing import Any

from nova_lite import errors
from nova_lite.api import shared
from nova_lite.api.servers.handlers import TARGET
from nova_lite.ops import change
from nova_lite.wsgi.call import Call

_COLUMNS = TARGET | {'metadata'}


def find(call: Call) -> Any:
    """The server of the path."""
    return shared.find_server(call, call.params['server_id'], TARGET)


def find_with_metadata(call: Call) -> Any:
    """The server of the path, with its metadata."""
    return shared.find_server(call, call.params['server_id'], _COLUMNS)


def index(call: Call) -> dict[str, Any]:
    """List the metadata of a server."""
    return {'metadata': call.target.metadata}


def show(call: Call) -> dict[str, Any]:
    """Show one entry."""
    key = call.params['key']
    if key not in call.target.metadata:
        raise errors.MetadataItemNotFound(server=call.target.uuid, key=key)
    return {'meta': {key: call.target.metadata[key]}}


def create(call: Call) -> dict[str, Any]:
    """Add entries, or change those that are there."""
    return {'metadata': _set(call, call.body['metadata'], replace=False)}


def update_all(call: Call) -> dict[str, Any]:
    """Replace all entries."""
    return {'metadata': _set(call, call.body['metadata'], replace=True)}


def update(call: Call) -> dict[str, Any]:
    """Set one entry."""
    item = call.body['meta']
    if call.params['key'] not in item:
        raise errors.Invalid(f'The body sets {next(iter(item))!r}, the URL names {call.params["key"][:255]!r}; '
                             'they have to be the same.')
    _set(call, item, replace=False)
    return {'meta': item}


def delete(call: Call) -> None:
    """Delete one entry."""
    change.delete_metadata_item(call.services, call.context, change.DeleteMetadataItem(
        call.target, call.params['key'], call.context.is_admin))


def _set(call: Call, items: dict[str, str], replace: bool) -> dict[str, str]:
    return change.set_metadata(call.services, call.context, change.SetMetadata(
        call.target, items, replace, call.context.is_admin))
