# SPDX-License-Identifier: Apache-2.0
"""The services and the program among them, once for the whole run; ``make cloud`` sees to it that they are installed.

Without ``NOVA_LITE_CLOUD=1`` nothing here is collected: who runs all tests need not have a cloud.
"""

import os
from collections.abc import Iterator

import pytest

from nova_lite import conf as options
from nova_lite.auth.context import RequestContext, service_context
from tests.fixtures import openstack as services
from tests.fixtures import processes, service
from tests.fixtures.shell import Shell

collect_ignore_glob = [] if os.environ.get('NOVA_LITE_CLOUD') == '1' else ['test_*.py']


@pytest.fixture(scope='session')
def openstack() -> Iterator[services.OpenStack]:
    """Keystone, Glance, Neutron and Cinder."""
    assert services.installed(), f'{services.VENV} has no services; make cloud installs them.'
    with services.running() as running:
        yield running


@pytest.fixture(scope='session')
def nova(openstack: services.OpenStack) -> Iterator[services.Nova]:
    """The three daemons; they end well."""
    directory = processes.make_directory('nova')
    daemons = services.Nova(openstack, directory).start()
    try:
        yield daemons
        codes = daemons.stop()
        assert set(codes.values()) == {0}, f'{codes}\n{daemons.outputs()}'
        # A conductor's log has one for whatever another service refused.
        assert 'Traceback' not in daemons.commands['api'].output
    finally:
        daemons.kill()
        processes.remove_directory(directory)


def _shell(openstack: services.OpenStack, user: str) -> Iterator[Shell]:
    shell = Shell(env=service.environment({**openstack.environment(user), 'HOME': str(openstack.base)}))
    yield shell
    shell.close()


@pytest.fixture(scope='session')
def demo(nova: services.Nova) -> Iterator[Shell]:
    """The openstack client of somebody."""
    yield from _shell(nova.openstack, 'demo')


@pytest.fixture(scope='session')
def admin(nova: services.Nova) -> Iterator[Shell]:
    """The openstack client of an administrator."""
    yield from _shell(nova.openstack, 'admin')


class Desk:
    """The program's clients of the services without its daemons, and contexts to ask them in."""

    def __init__(self, openstack: services.OpenStack, path: str) -> None:
        self.openstack = openstack
        self.conf = options.new()
        self.conf([], default_config_files=[path], default_config_dirs=[])
        self.service = service_context()
        self.red, self.blue, self.admin = (self.context(name) for name in ('demo', 'other', 'admin'))

    def context(self, user: str, project: str = '') -> RequestContext:
        """Somebody with a token of his own, as keystonemiddleware hands him on."""
        token = self.openstack.token(user, project or None)
        body = self.openstack.ask('GET', '/auth/tokens', token=token, headers={'X-Subject-Token': token})
        told = body.json()['token']
        catalog = [{'type': one['type'], 'name': one['name'], 'endpoints': [
            {'region': services.REGION, **{f'{end["interface"]}URL': end['url'] for end in one['endpoints']}}]}
            for one in told['catalog']]
        return RequestContext(
            user_id=told['user']['id'], project_id=told['project']['id'], roles=[one['name'] for one in told['roles']],
            auth_token=token, service_catalog=catalog, overwrite=False)


@pytest.fixture(scope='session')
def desk(openstack: services.OpenStack, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """Clients set by the same configuration as the daemons."""
    directory = tmp_path_factory.mktemp('desk')
    path = services.write_ini(directory / 'nova.conf', services.nova_conf(openstack, directory))
    return Desk(openstack, str(path))
