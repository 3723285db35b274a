# SPDX-License-Identifier: Apache-2.0
"""OSprofiler's filter where ``[profiler] enabled`` says so; nothing at all where it does not."""

from typing import Any

from nova_lite import telemetry


def factory(global_conf: dict[str, str], **local_conf: str) -> Any:
    """Paste filter factory."""
    profiles = telemetry.os_profiler()
    if profiles is None:
        return lambda app: app
    return profiles.wsgi
