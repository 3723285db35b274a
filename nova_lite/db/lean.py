# SPDX-License-Identifier: Apache-2.0
"""oslo.db's ``engines``, without SQLAlchemy's ORM behind it, which nobody here uses: 5 MiB and a tenth of a start."""

import contextlib
import sys
import types
from collections.abc import Iterator

import oslo_db.sqlalchemy

_MODELS = 'oslo_db.sqlalchemy.models'


@contextlib.contextmanager
def _without_models() -> Iterator[None]:
    """oslo.db's helpers for declarative classes stand beside what ``engines`` needs, and load the ORM."""
    if _MODELS in sys.modules:
        yield
        return
    sys.modules[_MODELS] = types.ModuleType(_MODELS)
    try:
        yield
    finally:
        del sys.modules[_MODELS]
        vars(oslo_db.sqlalchemy).pop('models', None)


with _without_models():
    from oslo_db.sqlalchemy import engines

__all__ = ('engines',)
