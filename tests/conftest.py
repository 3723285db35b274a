# SPDX-License-Identifier: Apache-2.0
"""What holds for every test: the backend, the tiers, and what a skip means."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest

from nova_lite import concurrency

pytest_plugins = ['tests.fixtures.rabbitmq', 'tests.fixtures.postgresql', 'tests.fixtures.mariadb']

# Tests run on native threads: a patched standard library would change pytest itself.  Tests of the
# other backend start processes of their own.
concurrency.start('threading')

TIERS = ('unit', 'architecture', 'wire', 'contracts', 'flows', 'guests', 'live', 'cloud')
# A test that asks for one of these needs an installed server, in whichever folder it lies.
LIVE_FIXTURES = frozenset(('rabbitmq', 'postgresql', 'postgresql_url', 'mariadb', 'mariadb_url'))

NO_SKIP = os.environ.get('NOVA_LITE_NO_SKIP') == '1'


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with its tier, so that -m works without a line in each file."""
    here = Path(__file__).parent
    for item in items:
        tier = item.path.relative_to(here).parts[0] if item.path.is_relative_to(here) else ''
        if tier in TIERS:
            item.add_marker(tier)
        if LIVE_FIXTURES.intersection(getattr(item, 'fixturenames', ())):
            item.add_marker('live')


def _refuse(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure that keeps the reason; an expected failure stays one."""
    if NO_SKIP and report.skipped and not hasattr(report, 'wasxfail'):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        report.outcome = 'failed'
        report.longrepr = f'NOVA_LITE_NO_SKIP=1 allows no skip: {reason}'


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Skips of tests and of their fixtures."""
    report = yield
    _refuse(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[
        None, pytest.CollectReport, pytest.CollectReport]:
    """Skips of whole modules."""
    report = yield
    _refuse(report)
    return report
