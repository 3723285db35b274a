# SPDX-License-Identifier: Apache-2.0
"""What the actions on a server have in common: how their rows look, and the passwords that some answer with."""

import secrets
import string
from typing import Any

from nova_lite.api.servers import handlers
from nova_lite.wsgi.body import Body
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import ACTION, Endpoint, Handler, answer

_PASSWORD = string.ascii_letters + string.digits


def action(name: str, handler: Handler, rule: str, body: Body, **more: Any) -> Endpoint:
    """A row for an action that is answered with 202 and nothing, unless ``more`` says otherwise."""
    return ACTION(name, handler, load=handlers.find, rule=rule, body=body,
                  **{'answers': answer(202), 'errors': (404, 409), **more})


def password(call: Call, wanted: str | None) -> str:
    """The password that was asked for, or a new one."""
    return wanted or ''.join(secrets.choice(_PASSWORD) for _ in range(call.services.conf.password_length))


def shown_password(call: Call, made: str) -> dict[str, str]:
    """The part of an answer that tells the password, where the operator lets passwords be told."""
    return {'adminPass': made} if call.services.conf.api.enable_instance_password else {}
