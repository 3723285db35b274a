# SPDX-License-Identifier: Apache-2.0
"""The filters of oslo.middleware, fed with the configuration of this process.

Each is left out of the pipeline where its options switch it off, so that a request does not pay for
it, and refusals have the shape of every other fault.
"""

import importlib
from typing import Any

import webob.exc

from nova_lite import errors, telemetry
from nova_lite.wsgi import faults, provided


def cors_factory(global_conf: dict[str, str], **local_conf: str) -> Any:
    """Paste filter factory: cross-origin requests of the origins in ``[cors] allowed_origin``."""
    conf = _configured()
    from oslo_middleware import cors
    conf.register_opts(cors.OPTS, 'cors')
    if not conf.cors.allowed_origin:
        return lambda app: app
    return lambda app: cors.CORS(app, conf)


def http_proxy_to_wsgi_factory(global_conf: dict[str, str], **local_conf: str) -> Any:
    """Paste filter factory: scheme and host as a proxy's headers tell them, where those may be believed."""
    conf = _configured()
    from oslo_middleware import http_proxy_to_wsgi
    conf.register_opts(http_proxy_to_wsgi.OPTS, 'oslo_middleware')
    if not conf.oslo_middleware.enable_proxy_headers_parsing:
        return lambda app: app
    return lambda app: http_proxy_to_wsgi.HTTPProxyToWSGI(app, conf)


def sizelimit_factory(global_conf: dict[str, str], **local_conf: str) -> Any:
    """Paste filter factory: refuses bodies over ``[oslo_middleware] max_request_body_size``."""
    conf = _configured()
    return lambda app: SizeLimit(app, conf)


def _configured() -> Any:
    """The configuration; from now on the library can be imported for no more than it is worth."""
    conf = provided.get('conf')
    with telemetry.unseen(conf):
        importlib.import_module('oslo_middleware')
    return conf


class SizeLimit:
    """oslo's limiter for requests that have a body, all others go straight on."""

    def __init__(self, app: Any, conf: Any) -> None:
        from oslo_middleware import sizelimit
        self._app = app
        self._limiter = sizelimit.RequestBodySizeLimiter(app, conf)
        self._options = conf.oslo_middleware

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        length = environ.get('CONTENT_LENGTH') or '0'
        if length == '0' and 'HTTP_TRANSFER_ENCODING' not in environ:
            return self._app(environ, start_response)
        most = self._options.max_request_body_size
        if not length.isascii() or not length.isdigit():
            return faults.send_error(start_response, errors.Invalid('Invalid request: Content-Length is no number.'))
        if int(length) > most:
            return faults.send_error(start_response, errors.TooLarge(limit=most))
        try:
            return self._limiter(environ, start_response)
        except webob.exc.HTTPRequestEntityTooLarge:
            return faults.send_error(start_response, errors.TooLarge(limit=most))
