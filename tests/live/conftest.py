# SPDX-License-Identifier: Apache-2.0
"""What the tests with real clients share: a running `nova-lite up` for each module, and an administrator's client."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures import processes
from tests.fixtures import service as services
from tests.fixtures.shell import Shell


@pytest.fixture(scope='module')
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[services.Service]:
    """Everything in one place, with the module's UP_OPTIONS; it ends well and its log holds no traceback."""
    if not (Path(sys.executable).parent / 'openstack').exists():
        processes.missing('openstack', 'python3-openstackclient')
    options = getattr(request.module, 'UP_OPTIONS', ())
    running = services.Service(tmp_path_factory.mktemp('live'), *options).start()
    yield running
    assert running.stop() == 0
    assert 'Traceback' not in running.log()


@pytest.fixture(scope='module')
def admin(service: services.Service) -> Iterator[Shell]:
    """The openstack client as an administrator."""
    shell = Shell(service)
    yield shell
    shell.close()
