# SPDX-License-Identifier: Apache-2.0
"""What is left to be removed in other services after an operation ended, by a conductor itself."""

import contextlib
from collections.abc import Mapping
from typing import Any

from nova_lite import errors
from nova_lite.auth.context import RequestContext, service_context
from nova_lite.conductor.work import Deps


def delete_image(deps: Deps, context: RequestContext, params: Mapping[str, Any]) -> None:
    """Remove the image ``image_id``; one that is gone is as good."""
    with contextlib.suppress(errors.ImageNotFound):
        # It may belong to the project of whoever had it made, which need not be that of the one who asks now.
        deps.images.delete(service_context(), params['image_id'])
