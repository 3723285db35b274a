# SPDX-License-Identifier: Apache-2.0
"""Indexes."""

revision = '0008'
down_revision = '0007'


def upgrade() -> None:
    """Also right where a killed upgrade has done a part of it: MariaDB cannot roll back tables."""
