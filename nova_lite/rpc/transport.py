# SPDX-License-Identifier: Apache-2.0
"""Makes the transport that ``[DEFAULT] transport_url`` names, with the defaults that our messages need."""

import oslo_messaging
from oslo_config import cfg
from oslo_messaging import transport as oslo_transport
from oslo_messaging._metrics import client as metrics
from oslo_messaging._tracing import client as tracing

from nova_lite import errors

EXCHANGE = 'nova'


def get_transport(conf: cfg.ConfigOpts, url: str | None = None) -> oslo_transport.RPCTransport:
    """The transport of this process; connects only when it is used, so it may be made before a fork."""
    exmods = [errors.__name__]
    oslo_messaging.set_transport_defaults(EXCHANGE)
    try:
        parsed = oslo_messaging.TransportURL.parse(conf, url)
        _register(conf)
        if parsed.transport == 'rabbit':
            # Only here, as it brings kombu and amqp with it.
            from nova_lite.rpc import rabbit

            rabbit.set_defaults()
            return oslo_transport.RPCTransport(rabbit.Driver(
                conf, parsed, default_exchange=conf.control_exchange, allowed_remote_exmods=exmods))
        return oslo_messaging.get_rpc_transport(conf, parsed, allowed_remote_exmods=exmods)
    except oslo_messaging.MessagingException as error:
        raise errors.StartError(reason=f'The transport_url cannot be used: {error}') from error


def cleanup(transport: oslo_transport.RPCTransport) -> None:
    """Close its connections."""
    transport.cleanup()


def set_defaults() -> None:
    """What the sample of the configuration shows for oslo.messaging: the defaults as they are with us."""
    from nova_lite.rpc import rabbit

    oslo_messaging.set_transport_defaults(EXCHANGE)
    rabbit.set_defaults()


def _register(conf: cfg.ConfigOpts) -> None:
    # oslo.messaging reads these from any configuration, but makes them known to the global one alone.
    conf.register_opts(metrics.oslo_messaging_metrics, group='oslo_messaging_metrics')
    conf.register_opts(tracing.oslo_messaging_tracing, group='oslo_messaging_tracing')
