# SPDX-License-Identifier: Apache-2.0
"""Volumes."""

revision = '0007'
down_revision = '0006'


def upgrade() -> None:
    """Also right where a killed upgrade has done a part of it: MariaDB cannot roll back tables."""
