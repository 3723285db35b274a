# SPDX-License-Identifier: Apache-2.0
"""The first words of VNC (RFB 3.8): to the console as the operator wants it secured, to the client without security,
for its token has let it in already."""

import socket
import ssl
import struct
from collections.abc import Callable
from typing import Any

_VERSION = b'RFB 003.008\n'
_NONE, _VENCRYPT = 1, 19
_SCHEMES = {'none': _NONE, 'vencrypt': _VENCRYPT}
#: VeNCrypt: TLS with certificates, and no further authentication.
_X509_NONE = 260
_OK = b'\0\0\0\0'


def secure(guest: socket.socket, options: Any) -> socket.socket:
    """Agree with a console on security; the socket to go on with. ConnectionError if no wanted kind is offered."""
    if _read(guest, len(_VERSION)) != _VERSION:
        raise ConnectionError('It does not speak RFB 3.8.')
    guest.sendall(_VERSION)
    offered = _read(guest, _read(guest, 1)[0])
    chosen = next((name for name in options.auth_schemes if _SCHEMES[name] in offered), None)
    if chosen is None:
        raise ConnectionError(f'It offers the kinds of security {list(offered)}, and [vnc] auth_schemes allows '
                              f'{", ".join(options.auth_schemes)}.')
    guest.sendall(bytes((_SCHEMES[chosen],)))
    if chosen == 'vencrypt':
        guest = _encrypt(guest, options)
    if _read(guest, 4) != _OK:
        raise ConnectionError('It has refused the connection.')
    return guest


def _encrypt(guest: socket.socket, options: Any) -> socket.socket:
    if _read(guest, 2) < b'\0\2':
        raise ConnectionError('It speaks VeNCrypt older than 0.2.')
    guest.sendall(b'\0\2')
    if _read(guest, 1) != b'\0':
        raise ConnectionError('It does not speak VeNCrypt 0.2.')
    count = _read(guest, 1)[0]
    if _X509_NONE not in struct.unpack(f'!{count}I', _read(guest, 4 * count)):
        raise ConnectionError('It does not offer VeNCrypt with certificates.')
    guest.sendall(struct.pack('!I', _X509_NONE))
    if _read(guest, 1) != b'\1':
        raise ConnectionError('It has refused VeNCrypt.')
    context = ssl.create_default_context(cafile=options.vencrypt_ca_certs)
    # A console is reached by its address, and its certificate names a host; the authority is of this purpose alone.
    context.check_hostname = False
    if options.vencrypt_client_cert:
        context.load_cert_chain(options.vencrypt_client_cert, options.vencrypt_client_key)
    return context.wrap_socket(guest)


def welcome(read: Callable[[int], bytes], send: Callable[[bytes], Any]) -> None:
    """Agree with a client on no security at all; ConnectionError if it cannot."""
    send(_VERSION)
    if read(len(_VERSION)) != _VERSION:
        raise ConnectionError('The client does not speak RFB 3.8.')
    send(bytes((1, _NONE)))
    if read(1) != bytes((_NONE,)):
        raise ConnectionError('The client wants security that was not offered.')
    send(_OK)


def _read(guest: socket.socket, count: int) -> bytes:
    data = b''
    while len(data) < count:
        piece = guest.recv(count - len(data))
        if not piece:
            raise ConnectionError('It has closed the connection.')
        data += piece
    return data
