# SPDX-License-Identifier: Apache-2.0
"""Collects the YAML files of this folder and plays them against one running service.

A test names its versions and is played once at each; ``v2`` means the old endpoint.  Every test makes
what it needs, so any order will do.  The whole language is in docs/contributor/testing.rst.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.fixtures import service as services
from tests.wire import contract, people, player


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> 'WireFile | None':
    """Each YAML file is a module of tests."""
    return WireFile.from_parent(parent, path=file_path) if file_path.suffix == '.yaml' else None


class WireFile(pytest.File):
    """One file of tests."""

    def collect(self) -> Iterator[pytest.Item]:
        """One item for each test and version."""
        content = yaml.safe_load(self.path.read_text())
        names = set()
        for test in content['tests']:
            player.check_test(test, self.path.name)
            assert test['name'] not in names, f'{self.path.name}: two tests are called {test["name"]!r}'
            names.add(test['name'])
            for version in test.get('versions', content.get('versions', ['2.1'])):
                yield WireItem.from_parent(self, name=f'{test["name"]} @ {version}', test=test, version=str(version))


class WireItem(pytest.Item):
    """One test at one version."""

    def __init__(self, *, test: dict[str, Any], version: str, **more: Any) -> None:
        super().__init__(**more)
        self._test = test
        self._version = version

    def runtest(self) -> None:
        """Play it."""
        player.Play(world(self.config), self._test, self._version).run()

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """A failed expectation speaks for itself."""
        if isinstance(excinfo.value, player.Unexpected | contract.Undocumented):
            return f'{self.path.name}: {self.name}\n{excinfo.value}'
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where it is."""
        return self.path, 0, self.name


_worlds = pytest.StashKey[dict[str, player.World]]()
_running = pytest.StashKey[list[Any]]()

# Servers of earlier tests may still be on their way out, and must not take the room of the next ones. A live
# migration takes long enough to be seen, and to be ended.
_SETTINGS = """\
[quota]
instances = 500
cores = 500
ram = 500000
[fake]
live_migration_seconds = 2
"""


def world(config: pytest.Config, whose: str = 'wire') -> player.World:
    """The service of this test session, started by the first test that asks.

    Who leaves it in a state that would surprise others asks for one of his own.
    """
    worlds = config.stash.setdefault(_worlds, {})
    if whose not in worlds:
        state = Path(config._tmp_path_factory.mktemp(whose))
        settings = state.with_suffix('.conf')
        settings.write_text(_SETTINGS)
        passwords = services.add_users(state, people.USERS)
        service = services.Service(state, '--computes', '2', '--config-file', str(settings)).start()
        config.stash.setdefault(_running, []).append(service)
        worlds[whose] = player.World.of(service, {**service.passwords(), **passwords})
    return worlds[whose]


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the services."""
    for service in config.stash.get(_running, ()):
        service.stop()
