# SPDX-License-Identifier: Apache-2.0
"""Defaults of the libraries' options as they are with us, for oslo.config's generator of samples."""

from nova_lite import db
from nova_lite.rpc import transport


def set_defaults() -> None:
    """Set them all."""
    transport.set_defaults()
    db.set_defaults()
