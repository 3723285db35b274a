# SPDX-License-Identifier: Apache-2.0
"""The database: tables, connections, migrations and every SQL statement of the product."""

from nova_lite.db.engine import Contended, Database, Duplicate, Unreachable, set_defaults

__all__ = ('Contended', 'Database', 'Duplicate', 'Unreachable', 'set_defaults')
