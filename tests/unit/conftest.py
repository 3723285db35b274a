# SPDX-License-Identifier: Apache-2.0
"""What most tests of a path through conductor and hosts start from."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_lite.db import Database
from tests.fixtures.cloud import Cloud
from tests.fixtures.database import sqlite_database


@pytest.fixture
def db() -> Iterator[Database]:
    """A database with all tables and no rows."""
    database = sqlite_database()
    yield database
    database.dispose()


@pytest.fixture
def cloud(db: Database, tmp_path: Path) -> Cloud:
    """Three fake hosts and a conductor."""
    return Cloud(db, tmp_path)
