# SPDX-License-Identifier: Apache-2.0
"""Sends notifications, and says whether the broker has them.

oslo.messaging's own notifier logs a failure and goes on, which would lose what could not be sent.  So its drivers
are not used, but what they do is done here, and an error is an error.
"""

import logging
from collections.abc import Mapping
from typing import Any

import oslo_messaging
from oslo_config import cfg
from oslo_messaging.notify import notifier as oslo_notifier
from oslo_serialization import jsonutils

from nova_lite import errors
from nova_lite.rpc.transport import cleanup, get_transport

GROUP = 'oslo_messaging_notifications'
#: Drivers that need a broker, and the form of their messages.
BROKER = {'messaging': 1.0, 'messagingv2': 2.0}
LOG, NOOP = 'log', 'noop'
#: Attempts at a broker that does not answer, before the message goes on waiting in the database.
RETRIES = 1

# The names of loggers and their levels are those of oslo.messaging's driver, so that its filters fit.
_LOGGER = 'oslo.messaging.notification'
_LEVELS = {'WARN': logging.WARNING}


def drivers(conf: cfg.ConfigOpts) -> list[str]:
    """What notifications go through; without any there are none."""
    conf.register_opts(oslo_notifier._notifier_opts, group=GROUP)
    names = [name for name in conf[GROUP].driver if name]
    unknown = sorted(set(names) - {*BROKER, LOG, NOOP})
    if unknown:
        raise errors.StartError(reason=f'[{GROUP}] driver is {unknown[0]!r}; it must be one of '
                                       f'{", ".join((*BROKER, LOG, NOOP))}.')
    # local:// keeps nothing until somebody wants it, so whoever is meant would never hear of it.
    carried = any(name in BROKER for name in names) and _scheme(conf) != 'local'
    return [name for name in names if name == LOG or name in BROKER and carried]


def _scheme(conf: cfg.ConfigOpts) -> str:
    try:
        return str(oslo_messaging.TransportURL.parse(conf, conf[GROUP].transport_url).transport)
    except oslo_messaging.MessagingException as error:
        raise errors.StartError(reason=f'[{GROUP}] transport_url cannot be used: {error}') from error


class Notifier:
    """All drivers of one process; it connects when the first message is sent."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        self._drivers = drivers(conf)
        self._transport: Any = None

    def send(self, message: Mapping[str, Any], context: Mapping[str, Any], versioned: bool) -> None:
        """Send to all topics; errors.Unavailable if the broker does not take it."""
        topics = (self._conf.notifications.versioned_notifications_topics if versioned else self._conf[GROUP].topics)
        for name in self._drivers:
            if name == LOG:
                _log(message)
                continue
            for topic in topics:
                target = oslo_messaging.Target(topic=f'{topic}.{message["priority"].lower()}')
                # The driver adds to what it is given.
                self._publish(target, dict(context), dict(message), BROKER[name])

    def _publish(self, target: Any, context: dict[str, Any], message: dict[str, Any], version: float) -> None:
        if self._transport is None:
            self._transport = get_transport(self._conf, self._conf[GROUP].transport_url)
        try:
            self._transport._send_notification(target, context, message, version, retry=RETRIES)
        except oslo_messaging.MessagingException as error:
            raise errors.Unavailable(reason=f'Topic {target.topic} does not take notifications: {error}') from error

    def close(self) -> None:
        """Close the connections."""
        if self._transport is not None:
            cleanup(self._transport)
            self._transport = None


def _log(message: Mapping[str, Any]) -> None:
    logger = logging.getLogger(f'{_LOGGER}.{message["event_type"]}')
    priority = message['priority']
    logger.log(_LEVELS.get(priority) or getattr(logging, priority), jsonutils.dumps(message))
