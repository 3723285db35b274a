# SPDX-License-Identifier: Apache-2.0
"""What Alembic runs: the steps, on the connection that ``schema.upgrade`` holds the lock with."""

from alembic import context

from nova_lite.db import tables


def run() -> None:
    """Bring the connected database up to date."""
    context.configure(connection=context.config.attributes['connection'], target_metadata=tables.metadata)
    with context.begin_transaction():
        context.run_migrations()


run()
