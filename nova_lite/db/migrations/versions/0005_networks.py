# SPDX-License-Identifier: Apache-2.0
"""Networks."""

revision = '0005'
down_revision = '0004'


def upgrade() -> None:
    """Also right where a killed upgrade has done a part of it: MariaDB cannot roll back tables."""
