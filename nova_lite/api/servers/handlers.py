# SPDX-License-Identifier: Apache-2.0
"""Finding, showing, changing and deleting one server."""

from typing import Any

from nova_lite.api import shared
from nova_lite.api.servers import bodies, view
from nova_lite.ops import change
from nova_lite.ops import delete as removal
from nova_lite.ops.base import NEEDED
from nova_lite.wsgi.call import Call

TARGET = NEEDED | {'user_id'}

# Words of the body, and the columns that they change.
_COLUMNS = {'name': 'name', 'OS-DCF:diskConfig': 'disk_config', 'accessIPv4': 'access_ip_v4',
            'accessIPv6': 'access_ip_v6', 'description': 'description', 'hostname': 'hostname',
            'pinned_availability_zone': 'pinned_availability_zone'}


def find(call: Call) -> Any:
    """The server of the path, as much of it as policy and operations need."""
    return shared.find_server(call, call.params['id'], TARGET)


def find_to_show(call: Call) -> Any:
    """The server of the path, with everything that an answer may show."""
    return shared.find_server(call, call.params['id'], view.COLUMNS)


def show(call: Call) -> Any:
    """Show one server."""
    return call.target


def update(call: Call) -> Any:
    """Change the name and other properties of a server."""
    body = call.body['server']
    values = {column: body[word] for word, column in _COLUMNS.items() if word in body}
    if 'name' in values:
        values['name'] = values['name'].strip()
    if 'access_ip_v6' in values:
        values['access_ip_v6'] = bodies.shortest(values['access_ip_v6'])
    return change.update(call.services, call.context, change.UpdateServer(call.target, values))


def delete(call: Call) -> None:
    """Delete a server."""
    removal.delete(call.services, call.context, removal.DeleteServer(
        call.target, override_lock=call.context.is_admin))
