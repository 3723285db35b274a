# SPDX-License-Identifier: Apache-2.0
"""The HTTP machinery that every resource hangs on, and that knows no resource.

``application`` is the whole compute API as a WSGI callable, made when it is first asked for.
"""

import importlib
from typing import Any


def __getattr__(name: str) -> Any:
    if name != 'application':
        raise AttributeError(f'module {__name__} has no attribute {name!r}')
    # By name, because only cmd wires things together and nothing else may depend on it.
    made = globals()['application'] = importlib.import_module('nova_lite.cmd.wsgi').make()
    return made
