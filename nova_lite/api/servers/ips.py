# SPDX-License-Identifier: Apache-2.0
"""The addresses of a server, by network."""

from typing import Any

from nova_lite import errors
from nova_lite.api import shared
from nova_lite.api.servers import view
from nova_lite.api.servers.handlers import TARGET
from nova_lite.wsgi.call import Call

_COLUMNS = TARGET | {'addresses'}


def find(call: Call) -> Any:
    """The server of the path, with its addresses."""
    return shared.find_server(call, call.params['server_id'], _COLUMNS)


def index(call: Call) -> dict[str, Any]:
    """List the addresses of a server."""
    return {'addresses': view.addresses(call.target)}


def show(call: Call) -> dict[str, Any]:
    """List the addresses of a server on one network."""
    label = call.params['network_label']
    shown = view.addresses(call.target)
    if label not in shown:
        raise errors.NotFound(f'Server {call.target.uuid} has no address on a network {label}.')
    return {label: shown[label]}
