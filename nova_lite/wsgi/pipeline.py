# SPDX-License-Identifier: Apache-2.0
"""Picks and builds the middleware pipeline that ``[api] auth_strategy`` names."""

from typing import Any

from nova_lite import errors
from nova_lite.wsgi import provided


def pipeline_factory_v21(loader: Any, global_conf: dict[str, str], **local_conf: str) -> Any:
    """Paste composite: keys are names of strategies, values are filters followed by an application.

    errors.StartError when the configured strategy is not among the keys.
    """
    strategy = provided.get('conf').api.auth_strategy
    names = local_conf.get(strategy)
    if names is None:
        raise errors.StartError(reason=f"[api] auth_strategy = {strategy!r} is no pipeline of the paste file; "
                                       f"there are: {', '.join(sorted(local_conf))}.")
    *filters, last = names.split()
    app = loader.get_app(last)
    for name in reversed(filters):
        app = loader.get_filter(name)(app)
    return app
