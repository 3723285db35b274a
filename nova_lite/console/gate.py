# SPDX-License-Identifier: Apache-2.0
"""Who is let in: a page of this proxy or of a known one, with a token that has not been used."""

import logging
from collections.abc import Collection
from email.message import Message
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

from nova_lite import errors
from nova_lite.auth.context import service_context
from nova_lite.ops import console

LOG = logging.getLogger(__name__)


class Refused(Exception):
    """Somebody is not let in; the text is for him."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def admit(deps: console.Deps, kinds: Collection[str], path: str, headers: Message) -> console.Admission:
    """Where a client is let to; ``Refused`` says why he is not. Of what he sends, only the token decides on that."""
    _check_origin(headers, deps.conf.console.allowed_origins)
    found = parse_qs(urlsplit(path).query).get('token', [])
    if len(found) != 1:
        raise Refused(HTTPStatus.FORBIDDEN, 'The address of a console has one token.')
    try:
        return console.use_token(deps, service_context(), console.UseToken(found[0], kinds))
    except (errors.NotFound, errors.Conflict, errors.Invalid) as error:
        # Whoever guesses learns from all of them alike that he was wrong.
        LOG.info('A token was refused: %s', error)
        raise Refused(HTTPStatus.FORBIDDEN, 'This token opens no console, or not any more. Ask for a new one; each '
                                            'opens a console once.') from error
    except errors.Error as error:
        LOG.warning('A console cannot be opened: %s', error)
        raise Refused(HTTPStatus.BAD_GATEWAY, str(error)) from error


def _check_origin(headers: Message, allowed: Collection[str]) -> None:
    """A browser names the page that connects; programs that are no browser name none, and have to know a token too."""
    origin = headers.get('Origin')
    if origin is None:
        return
    page, own = _host(origin), _host(f'//{headers.get("Host", "")}')
    if not page or page not in {own, *(name.lower() for name in allowed)}:
        LOG.warning('A page of %r wanted to open a console; [console] allowed_origins does not name it', origin)
        raise Refused(HTTPStatus.FORBIDDEN, 'Pages of this origin may not open consoles here.')


def _host(address: Any) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None
