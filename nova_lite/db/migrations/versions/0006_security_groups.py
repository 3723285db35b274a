# SPDX-License-Identifier: Apache-2.0
"""Security groups."""

revision = '0006'
down_revision = '0005'


def upgrade() -> None:
    """Also right where a killed upgrade has done a part of it: MariaDB cannot roll back tables."""
