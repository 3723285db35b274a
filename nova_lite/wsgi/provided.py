# SPDX-License-Identifier: Apache-2.0
"""What a program plugs into the applications that a paste file names.

A paste file can carry strings only; configuration, database and clients reach the factories it
names through this holder, filled once per process by ``cmd`` before the file is loaded.
"""

from typing import Any

from nova_lite import errors

_things: dict[str, Any] = {}


def provide(**things: Any) -> None:
    """Make things known by name; a later call replaces an earlier one."""
    _things.update(things)


def get(name: str) -> Any:
    """The thing of that name; errors.StartError when the program has not provided it."""
    try:
        return _things[name]
    except KeyError:
        raise errors.StartError(reason=f'The paste file uses an application that needs {name!r}, '
                                       'which this program does not provide.') from None
