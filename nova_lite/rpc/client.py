# SPDX-License-Identifier: Apache-2.0
"""What the clients of all topics share: version pins, how long to wait, and errors that mean something to us."""

import logging
from collections.abc import Mapping
from typing import Any, NoReturn

import oslo_messaging

from nova_lite import errors, telemetry
from nova_lite.auth.context import RequestContext
from nova_lite.objects.base import NovaLiteObject
from nova_lite.rpc import versions
from nova_lite.rpc.serializer import context_serializer

LOG = logging.getLogger(__name__)

#: How often a message that nobody takes is sent again. It stays small, as an API request waits for it.
RETRIES = 1

_REMOTE = '_Remote'


class Client:
    """Sends messages to the workers of one topic, in no higher version than ``[upgrade_levels]`` allows."""

    TOPIC = ''

    def __init__(self, transport: Any, lowest_version: versions.LowestVersion | None = None) -> None:
        """``lowest_version`` is asked for the service version of the oldest worker, if the pin is ``auto``."""
        self.conf = transport.conf
        self.pin = versions.Pin(self.TOPIC, getattr(self.conf.upgrade_levels, self.TOPIC), lowest_version)
        client = oslo_messaging.get_rpc_client(
            transport, oslo_messaging.Target(topic=self.TOPIC), serializer=context_serializer(), retry=RETRIES)
        self._client = _Traced(client, self.TOPIC) if telemetry.is_on() else client

    def can_send_version(self, version: str) -> bool:
        """Whether all workers understand a message of that version."""
        return bool(self._client.prepare(version_cap=self.pin.cap()).can_send_version(version))

    def cast(self, context: RequestContext, version: str, method: str, to: str | None = None,
             **arguments: Any) -> None:
        """Hand a message to the worker ``to``, or to any; errors.Unavailable if none takes it within seconds."""
        try:
            self._prepare(version, to).cast(context, method, **self._fit(arguments))
        except Exception as error:
            self._reraise(error, method, to)

    def call(self, context: RequestContext, version: str, method: str, to: str | None = None,
             timeout: float | None = None, **arguments: Any) -> Any:
        """Ask and wait for the answer, for ``timeout`` or else ``rpc_response_timeout`` seconds."""
        waiting = {} if timeout is None else {'timeout': timeout}
        try:
            return self._prepare(version, to, **waiting).call(context, method, **self._fit(arguments))
        except Exception as error:
            self._reraise(error, method, to)

    def call_long(self, context: RequestContext, version: str, method: str, to: str | None = None,
                  **arguments: Any) -> Any:
        """Ask and wait for the answer as long as the other side shows that it is alive."""
        prepared = self._prepare(version, to, timeout=self.conf.long_rpc_timeout,
                                 call_monitor_timeout=self.conf.rpc_monitor_timeout)
        try:
            return prepared.call(context, method, **self._fit(arguments))
        except Exception as error:
            self._reraise(error, method, to)

    def _fit(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """The arguments, with objects as the oldest worker knows them."""
        known = self.pin.objects()
        if not known:
            return arguments
        return {name: value.obj_to_primitive(target_version=known.get(value.obj_name(), value.VERSION))
                if isinstance(value, NovaLiteObject) else value for name, value in arguments.items()}

    def _prepare(self, version: str, to: str | None, **waiting: Any) -> Any:
        return self._client.prepare(server=to, version=version, version_cap=self.pin.cap(), **waiting)

    def _reraise(self, error: Exception, method: str, to: str | None) -> NoReturn:
        known = self._translate(error, method, f'nova-{self.TOPIC} on {to}' if to else f'nova-{self.TOPIC}')
        if known is error:
            raise error
        raise known from error

    @staticmethod
    def _translate(error: Exception, method: str, where: str) -> Exception:
        if isinstance(error, oslo_messaging.MessagingTimeout):
            return errors.Unavailable(reason=f'{where} does not answer.')
        if isinstance(error, oslo_messaging.MessageDeliveryFailure):
            return errors.Unavailable(reason=f'{where} cannot be reached.')
        if isinstance(error, oslo_messaging.RPCVersionCapError):
            return errors.Unsupported(reason=f'{where} does not know {method} {error.version} yet: it is pinned to '
                                             f'{error.version_cap}.')
        if isinstance(error, oslo_messaging.RemoteError):
            # Its text holds a traceback, which is for the log of this service and not for whoever asked.
            LOG.error('%s of %s failed: %s', method, where, error)
            return errors.Error(f'{where} failed to do {method}.')
        if isinstance(error, oslo_messaging.MessagingException):
            return errors.Error(f'{where} cannot be asked to do {method}: {error}')
        return _local(error)


class _Traced:
    """A client of oslo.messaging whose messages are part of a trace."""

    def __init__(self, client: Any, topic: str) -> None:
        self._client = client
        self._topic = topic

    def prepare(self, **known: Any) -> '_Traced':
        return _Traced(self._client.prepare(**known), self._topic)

    def can_send_version(self, version: str) -> bool:
        return bool(self._client.can_send_version(version))

    def cast(self, context: RequestContext, method: str, **arguments: Any) -> None:
        with telemetry.sending(self._topic, method):
            self._client.cast(context, method, **arguments)

    def call(self, context: RequestContext, method: str, **arguments: Any) -> Any:
        with telemetry.sending(self._topic, method):
            return self._client.call(context, method, **arguments)


def _local(error: Exception) -> Exception:
    """One of our own errors as the other side raised it, without the traceback in its text."""
    kind = type(error)
    if not isinstance(error, errors.Error) or not kind.__name__.endswith(_REMOTE):
        return error
    original: type[errors.Error] = kind.__mro__[1]
    return original(error.args[0], **error.details)
