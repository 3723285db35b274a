# SPDX-License-Identifier: Apache-2.0
"""Idempotency."""

revision = '0009'
down_revision = '0008'


def upgrade() -> None:
    """Also right where a killed upgrade has done a part of it: MariaDB cannot roll back tables."""
