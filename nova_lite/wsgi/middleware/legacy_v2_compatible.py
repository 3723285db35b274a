# SPDX-License-Identifier: Apache-2.0
"""Marks requests that came in under ``/v2``: no microversions, unknown properties dropped."""

from typing import Any


def factory(global_conf: dict[str, str], **local_conf: str) -> Any:
    """Paste filter factory."""
    return LegacyV2Compatible


class LegacyV2Compatible:
    """The mark is all; every table reads it as version 0."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        environ['nova.legacy_v2'] = True
        return self._app(environ, start_response)
