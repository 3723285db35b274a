# SPDX-License-Identifier: Apache-2.0
"""Carries one request of a guest to the metadata API, and the answer back.

QEMU's user-mode network starts this program for each connection that a guest makes to 169.254.169.254, with the
connection as its standard input and output.  The only argument names a file that says where the metadata API is and
which headers prove whose guest it is; whatever the guest says of these itself is left out.  Only the standard library
is used, and little of it, because the program is started for every file that a guest asks for.
"""

import json
import os
import socket
import sys

HEAD_LIMIT = 16 * 1024
SECONDS = 30
PIECE = 64 * 1024
METHODS = (b'GET', b'HEAD')
#: What the guest must not say itself, and what belongs to one hop.
OURS = (b'x-instance-id', b'x-tenant-id', b'x-forwarded-for', b'connection', b'keep-alive', b'host', b'content-length',
        b'transfer-encoding', b'expect', b'upgrade')


class Refused(Exception):
    """A status line for the guest."""


def read_head(connection: socket.socket) -> bytes:
    """The request up to its empty line."""
    head = b''
    while b'\r\n\r\n' not in head and b'\n\n' not in head:
        if len(head) > HEAD_LIMIT:
            raise Refused('431 Request Header Fields Too Large')
        piece = connection.recv(4096)
        if not piece:
            raise Refused('400 Bad Request')
        head += piece
    return head


def rewritten(head: bytes, headers: dict[str, str]) -> bytes:
    """The request as the metadata API gets it."""
    lines = head.replace(b'\r\n', b'\n').split(b'\n\n', 1)[0].split(b'\n')
    words = lines[0].split(b' ')
    # A path is all that a guest may ask for: a whole URL could name another server.
    if len(words) != 3 or words[0] not in METHODS or not words[1].startswith(b'/'):
        raise Refused('405 Method Not Allowed' if len(words) == 3 and words[1].startswith(b'/') else '400 Bad Request')
    kept = [line for line in lines[1:] if _name(line) and not _name(line).startswith(OURS)]
    ours = [f'{name}: {value}'.encode('ascii') for name, value in headers.items()]
    return b'\r\n'.join([b'%s %s HTTP/1.1' % (words[0], words[1]), *kept, *ours, b'Connection: close', b'', b''])


def _name(line: bytes) -> bytes:
    # An underscore is a hyphen to a WSGI server, and a line that is folded belongs to the one before.
    return line.partition(b':')[0].strip().lower().replace(b'_', b'-') if line[:1] not in (b' ', b'\t') else b''


def forward(connection: socket.socket, settings: dict[str, object]) -> None:
    """Answer the one request that comes over a connection."""
    connection.settimeout(SECONDS)
    try:
        request = rewritten(read_head(connection), settings['headers'])  # type: ignore[arg-type]
        host, port = str(settings['host']), int(str(settings['port']))
        with socket.create_connection((host, port), SECONDS) as upstream:
            upstream.sendall(request)
            while piece := upstream.recv(PIECE):
                connection.sendall(piece)
    except Refused as refused:
        _say(connection, str(refused))
    except OSError:
        _say(connection, '503 Service Unavailable')


def _say(connection: socket.socket, status: str) -> None:
    try:
        connection.sendall(f'HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'.encode())
    except OSError:
        # The guest has gone away as well.
        return


def main() -> int:
    """Entry point: the connection is the standard input."""
    with open(sys.argv[1], encoding='utf-8') as file:
        settings = json.load(file)
    with socket.socket(fileno=os.dup(0)) as connection:
        forward(connection, settings)
        try:
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            return 0
    return 0


if __name__ == '__main__':
    sys.exit(main())
