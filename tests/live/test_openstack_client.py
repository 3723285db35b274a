# SPDX-License-Identifier: Apache-2.0
"""The ``openstack`` client works unchanged against ``nova-lite up``, by name and by id, as admin and as member."""

import contextlib
import re

import pytest

from tests.fixtures import processes
from tests.fixtures import service as services
from tests.fixtures.cli import Cli

KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKtVPbFPOD5OXg2rqyXDYp8N5VOeGSoGcJNq3PuTfYlz me@here'
IMAGE = 'nova-lite-nano'


@pytest.fixture(scope='module')
def service(tmp_path_factory):
    with services.running(tmp_path_factory.mktemp('client') / 'state', '--computes', '2') as running:
        yield running
        assert 'Traceback' not in running.log(), running.log()


@contextlib.contextmanager
def client(service, cloud=None):
    one = Cli(service.state_dir / 'clouds.yaml', cloud)
    yield one
    one.close()


@pytest.fixture(scope='module')
def admin(service):
    with client(service, 'nova-lite') as one:
        yield one


@pytest.fixture(scope='module')
def member(service):
    with client(service, 'nova-lite-demo') as one:
        yield one


def status(cli, server, wanted):
    """Wait for the status that ``server show`` tells."""
    processes.wait_until(lambda: cli.get('server', 'show', server)['status'] == wanted, 30, wanted)


@pytest.mark.parametrize('by', ['name', 'id'])
def test_servers_of_a_member(member, by):
    flavor = member.get('flavor', 'show', 'm1.nano')['id'] if by == 'id' else 'm1.nano'
    image = member.get('image', 'show', IMAGE)['id'] if by == 'id' else IMAGE
    made = member.get('server', 'create', '--image', image, '--flavor', flavor, '--nic', 'none', '--wait', 'web')
    assert made['status'] == 'ACTIVE' and made['name'] == 'web' and made['adminPass']
    server = made['id'] if by == 'id' else 'web'
    (row,) = member.get('server', 'list')
    assert (row['ID'], row['Name'], row['Status'], row['Image'], row['Flavor']) == (
        made['id'], 'web', 'ACTIVE', IMAGE, 'm1.nano')
    member.run('server', 'set', '--property', 'role=front', '--description', 'first', server)
    shown = member.get('server', 'show', server)
    assert shown['properties'] == {'role': 'front'} and shown['description'] == 'first'
    member.run('server', 'unset', '--property', 'role', server)
    assert not member.get('server', 'show', server)['properties']
    member.run('server', 'stop', server)
    status(member, server, 'SHUTOFF')
    member.run('server', 'start', server)
    status(member, server, 'ACTIVE')
    member.run('server', 'reboot', '--hard', server)
    status(member, server, 'ACTIVE')
    assert len(member.run('console', 'log', 'show', '--lines', '2', server).splitlines()) == 2
    assert 'create' in member.names('server', 'event', 'list', server, column='Action')
    member.run('server', 'set', '--name', 'renamed', server)
    assert member.names('server', 'list', '--name', 'renam') == ['renamed']
    member.run('server', 'delete', '--wait', made['id'] if by == 'id' else 'renamed')
    assert member.get('server', 'list') == []
    assert member.try_run('server', 'show', 'renamed')[0] == 1


@pytest.mark.parametrize('version', ['2.1', '2.37', '2.104'])
def test_servers_at_a_version_of_ones_own(service, version):
    networks = ('--nic', 'none') if version != '2.1' else ()
    with client(service, 'nova-lite') as cli:
        at = ('--os-compute-api-version', version)
        server = cli.get(*at, 'server', 'create', '--image', IMAGE, '--flavor', 'm1.nano', *networks, 'v')['id']
        processes.wait_until(lambda: cli.get(*at, 'server', 'show', server)['status'] == 'ACTIVE', 30)
        assert cli.names(*at, 'server', 'list', '--all-projects', '--long') == ['v']
        cli.run(*at, 'server', 'reboot', 'v')
        cli.run(*at, 'server', 'delete', 'v')
        processes.wait_until(lambda: cli.get(*at, 'server', 'list') == [], 30)


def test_several_servers_at_once(member):
    member.run('server', 'create', '--image', IMAGE, '--flavor', 'm1.nano', '--nic', 'none', '--min', '2', '--max', '2',
               '--key-name', make_key(member), 'twin')
    processes.wait_until(lambda: member.names('server', 'list', '--status', 'ACTIVE', column='Status') == ['ACTIVE'] * 2,
                         30)
    assert sorted(member.names('server', 'list')) == ['twin-1', 'twin-2']
    member.run('server', 'delete', 'twin-1', 'twin-2')
    member.run('keypair', 'delete', 'for-servers')


def make_key(cli):
    cli.run('keypair', 'create', '--type', 'ssh', 'for-servers')
    return 'for-servers'


@pytest.mark.parametrize('by', ['Name', 'ID'])
def test_flavors(admin, member, by):
    admin.run('flavor', 'create', '--id', 'f-1', '--ram', '128', '--disk', '1', '--vcpus', '2', '--private', 'odd')
    flavor = 'odd' if by == 'Name' else 'f-1'
    assert 'odd' not in member.names('flavor', 'list')
    assert 'odd' in admin.names('flavor', 'list', '--all')
    project = admin.get('project', 'show', 'demo')['id'] if by == 'ID' else 'demo'
    admin.run('flavor', 'set', '--property', 'hw:cpu_policy=shared', '--project', project, flavor)
    shown = member.get('flavor', 'show', flavor)
    assert (shown['id'], shown['ram'], shown['vcpus']) == ('f-1', 128, 2)
    assert admin.get('flavor', 'show', flavor)['properties'] == {'hw:cpu_policy': 'shared'}
    assert 'odd' in member.names('flavor', 'list')
    admin.run('flavor', 'unset', '--property', 'hw:cpu_policy', '--project', project, flavor)
    assert 'odd' not in member.names('flavor', 'list')
    admin.run('flavor', 'delete', flavor)
    assert admin.try_run('flavor', 'show', flavor)[0] == 1
    code, _, said = member.try_run('flavor', 'create', 'mine')
    assert code == 1 and '403' in said


def test_keypairs(member, tmp_path):
    (tmp_path / 'key.pub').write_text(KEY)
    private = member.run('keypair', 'create', 'made')
    assert 'PRIVATE KEY' in private
    member.run('keypair', 'create', '--private-key', tmp_path / 'key', 'local')
    assert member.get('keypair', 'create', '--public-key', tmp_path / 'key.pub', 'given')['name'] == 'given'
    assert sorted(member.names('keypair', 'list')) == ['given', 'local', 'made']
    assert member.get('keypair', 'show', 'given')['fingerprint']
    assert member.run('keypair', 'show', '--public-key', 'given').strip() == KEY
    member.run('keypair', 'delete', 'made', 'local', 'given')
    assert member.get('keypair', 'list') == []


@pytest.mark.parametrize('by', ['name', 'id'])
def test_images(member, tmp_path, by):
    content = b'not much of a disk' * 1000
    (tmp_path / 'disk').write_bytes(content)
    made = member.get('image', 'create', '--file', tmp_path / 'disk', '--disk-format', 'raw', '--min-disk', '1',
                      '--property', 'os_distro=none', 'own')
    image = made[by]
    shown = member.get('image', 'show', image)
    assert (shown['status'], shown['size'], shown['name']) == ('active', len(content), 'own')
    assert shown['properties']['os_distro'] == 'none'
    assert sorted(member.names('image', 'list')) == sorted([IMAGE, 'own'])
    member.run('image', 'save', '--file', tmp_path / 'copy', image)
    assert (tmp_path / 'copy').read_bytes() == content
    member.run('image', 'delete', image)
    assert member.names('image', 'list') == [IMAGE]
    assert member.try_run('image', 'delete', IMAGE)[0] == 1


def test_the_rest_for_an_administrator(admin, service):
    issued = admin.get('token', 'issue')
    assert re.fullmatch('[0-9a-f]{32}', issued['project_id'])
    assert {row['Type'] for row in admin.get('catalog', 'list')} >= {'compute', 'identity', 'image'}
    assert {(row['Binary'], row['State']) for row in admin.get('compute', 'service', 'list')} == {
        ('nova-compute', 'up'), ('nova-conductor', 'up')}
    hypervisors = admin.get('hypervisor', 'list')
    assert [row['State'] for row in hypervisors] == ['up'] * 2
    host = hypervisors[0]['Hypervisor Hostname']
    assert admin.get('hypervisor', 'show', host)['hypervisor_hostname'] == host
    admin.run('compute', 'service', 'set', '--disable', '--disable-reason', 'test', host, 'nova-compute')
    assert 'disabled' in admin.names('compute', 'service', 'list', '--service', 'nova-compute', column='Status')
    admin.run('compute', 'service', 'set', '--enable', host, 'nova-compute')
    assert 'nova' in admin.names('availability', 'zone', 'list', '--compute', column='Zone Name')
    assert {'admin', 'demo'} <= set(admin.names('project', 'list'))
    assert admin.get('user', 'show', 'demo')['name'] == 'demo'


def test_the_rest_for_a_member(member):
    limits = {row['Name']: row['Value'] for row in member.get('limits', 'show', '--absolute')}
    assert limits['instances'] > 1 and limits['instances_used'] == 0
    assert member.names('availability', 'zone', 'list', '--compute', column='Zone Name') == ['nova']
    assert member.get('token', 'issue')['expires']
    code, _, said = member.try_run('hypervisor', 'list')
    assert code == 1 and '403' in said


def test_a_token_until_it_is_revoked(service, member):
    token = member.get('token', 'issue')['id']
    by_token = ('--os-auth-type', 'token', '--os-token', token, '--os-auth-url', f'{service.url}/identity',
                '--os-project-name', 'demo', '--os-project-domain-name', 'Default')
    with client(service) as cli:
        assert cli.get(*by_token, 'server', 'list') == []
        member.run('token', 'revoke', token)
        code, _, said = cli.try_run(*by_token, 'server', 'list')
    assert code == 1 and '401' in said, said
