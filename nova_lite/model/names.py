# SPDX-License-Identifier: Apache-2.0
"""What servers and their guests are called."""

import re

_SPACE = re.compile(r'[_\s.]')
_FOREIGN = re.compile(r'[^a-z0-9-]+')
#: Longest label of a host name (RFC 1123).
HOSTNAME_LENGTH = 63
#: Longest name of a server.
NAME_LENGTH = 255


def hostname(name: str, fallback: str) -> str:
    """The host name that follows from a server's name; ``fallback`` if nothing of it can be used."""
    words = _SPACE.sub('-', name.strip().lower())
    return _FOREIGN.sub('', words).strip('-')[:HOSTNAME_LENGTH].rstrip('-') or fallback


def numbered(name: str, count: int) -> list[str]:
    """The names of ``count`` servers of one request."""
    if count == 1:
        return [name]
    room = NAME_LENGTH - len(f'-{count}')
    return [f'{name[:room]}-{number}' for number in range(1, count + 1)]
