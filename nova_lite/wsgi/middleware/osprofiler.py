# SPDX-License-Identifier: Apache-2.0
"""OSprofiler's filter where ``[profiler] enabled`` says so; nothing at all where it does not."""

from typing import Any

from nova_lite.wsgi import provided


def factory(global_conf: dict[str, str], **local_conf: str) -> Any:
    """Paste filter factory."""
    conf = provided.get('conf')
    if 'profiler' not in conf or not conf.profiler.enabled:
        return lambda app: app
    from osprofiler import web
    web.enable(conf.profiler.hmac_keys)
    return lambda app: web.WsgiMiddleware(app, hmac_keys=conf.profiler.hmac_keys, enabled=True)
