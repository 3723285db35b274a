# SPDX-License-Identifier: Apache-2.0
"""The oslo.messaging driver behind ``local://<directory>``."""

import uuid
from typing import Any

import oslo_messaging
from oslo_messaging._drivers import base

from nova_lite.rpc.local import frames
from nova_lite.rpc.local.client import CAST_PATIENCE, RETRY_PATIENCE, Client, Request
from nova_lite.rpc.local.directory import Directory, DirectoryError
from nova_lite.rpc.local.server import Hub, Listener


class LocalDriver(base.BaseDriver):
    """RPC between the processes of one user on one machine."""

    def __init__(self, conf: Any, url: Any, default_exchange: str | None = None,
                 allowed_remote_exmods: list[str] | None = None) -> None:
        super().__init__(conf, url, default_exchange, allowed_remote_exmods)
        self._directory = Directory(_path(url))
        self._client = Client(self._directory, self._allowed_remote_exmods)
        self._hub = Hub(self._directory)

    def send(self, target: Any, ctxt: dict[str, Any], message: dict[str, Any], wait_for_reply: bool | None = None,
             timeout: float | None = None, call_monitor_timeout: float | None = None, retry: int | None = None,
             transport_options: Any = None) -> Any:
        """Send a message, and for a call return its answer.

        A call looks for a server as long as it would wait for an answer, a cast for five seconds or one second per
        retry.
        """
        frame = frames.encode({'ctxt': ctxt, 'message': message, 'id': uuid.uuid4().hex,
                               'call': bool(wait_for_reply), 'monitor': call_monitor_timeout})
        request = Request(self._topic(target), None if target.fanout else target.server, frame,
                          message.get('method', 'A message'), timeout, call_monitor_timeout)
        if wait_for_reply:
            return self._client.call(request)
        if target.fanout:
            self._client.fanout(request)
        else:
            patience = CAST_PATIENCE if retry is None or retry < 0 else min(retry * RETRY_PATIENCE, CAST_PATIENCE)
            self._client.cast(request, patience)
        return None

    def send_notification(self, target: Any, ctxt: dict[str, Any], message: dict[str, Any], version: float,
                          retry: int | None = None) -> None:
        """Drop it: nobody can listen for notifications here."""

    def listen(self, target: Any, batch_size: int, batch_timeout: float | None) -> Listener:
        """What arrives for one server, and for anyone of its topic."""
        return Listener(self._hub, self._topic(target), target.server)

    def listen_for_notifications(self, targets_and_priorities: Any, pool: str | None, batch_size: int,
                                 batch_timeout: float | None) -> base.Listener:
        """Not offered: a notification must be kept until somebody wants it, and nothing is kept here."""
        raise oslo_messaging.MessagingException('local:// carries no notifications; give them a transport of their '
                                                'own in [oslo_messaging_notifications] transport_url.')

    def cleanup(self) -> None:
        """Stop listening and close all connections."""
        self._hub.close()
        self._client.close()

    def _topic(self, target: Any) -> str:
        exchange = target.exchange or self._default_exchange
        return f'{exchange}.{target.topic}' if exchange else target.topic


def _path(url: Any) -> str:
    """``local:///a/b`` is /a/b, ``local://a/b`` is a/b below the working directory."""
    path = url.virtual_host or ''
    path = f'{url.hosts[0].hostname}/{path}' if url.hosts else f'/{path}'
    if path == '/':
        raise DirectoryError('local:// needs a directory, such as local:///run/nova-lite.')
    return path
