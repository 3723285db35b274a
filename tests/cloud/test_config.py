# SPDX-License-Identifier: Apache-2.0
"""``nova-manage config check`` among real services: it finds nothing, or the line that is wrong."""

import sys

import pytest

from tests.fixtures import daemons, processes, service
from tests.fixtures.openstack import nova_conf
from tests.fixtures.openstack_files import write_ini


def check(openstack, directory, changes, database=''):
    """What the check prints, and its exit code."""
    conf = daemons.merged(nova_conf(openstack, directory), changes)
    conf['database']['connection'] = database or conf['database']['connection']
    path = write_ini(directory / 'nova.conf', conf)
    return processes.finish([sys.executable, '-W', 'ignore', '-m', 'nova_lite.cmd.manage', '--config-file', str(path),
                             'config', 'check'], env=service.environment())


def test_nothing_is_wrong(nova, tmp_path):
    code, output = check(nova.openstack, tmp_path, {}, nova.changes['database']['connection'])
    assert (code, output.splitlines()) == (0, [
        'Every option is read by something.', 'The database and every service that is configured can be used.'])


@pytest.mark.parametrize(('changes', 'says'), [
    ({'neutron': {'password': 'wrong'}}, 'Neutron cannot be used: [neutron] username and password are refused by'),
    ({'cinder': {'auth_url': 'http://127.0.0.1:9/v3'}}, 'Cinder cannot be used: [cinder] auth_url = http://127.0.0.1:9'),
    ({'glance': {'region_name': 'Nowhere'}},
     'Glance cannot be used: [glance] region_name or valid_interfaces: the catalogue has no image endpoint for '
     'internal or public in region Nowhere'),
    ({'cinder': {'endpoint_template': 'http://127.0.0.1:9/v3/%(project_id)s'}},
     'Cinder cannot be used: [cinder] endpoint_template is http://127.0.0.1:9/v3/'),
    ({'placement': {'region_name': 'Nowhere'}}, 'Placement cannot be used: [placement] region_name or valid_inter'),
    ({'placement': {'mirror': 'false'}}, 'the scheduler keeps its own books and asks no Placement; it is told of them'),
], ids=['password', 'auth_url', 'region', 'endpoint', 'no placement', 'mirror'])
def test_what_is_wrong_is_said(nova, tmp_path, changes, says):
    code, output = check(nova.openstack, tmp_path, changes, nova.changes['database']['connection'])
    assert code == 1 and says in output
