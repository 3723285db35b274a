# SPDX-License-Identifier: Apache-2.0
"""What deployment tools write into nova.conf for Nova: it is read, or it is named together with what it means."""

import pytest

from nova_lite import conf as options
from nova_lite.conf import check, dead

LOGIN = """\
auth_type = password
auth_url = http://192.0.2.1/identity
username = nova
password = secret
project_name = service
user_domain_name = Default
project_domain_name = Default
"""

# As a developer's installation of all services on one machine has it.
ON_ONE_MACHINE = f"""\
[DEFAULT]
debug = True
state_path = /opt/data/nova
my_ip = 192.0.2.1
transport_url = rabbit://guest:guest@192.0.2.1:5672/
compute_driver = fake.FakeDriver
instance_name_template = instance-%08x
enabled_apis = osapi_compute,metadata
osapi_compute_workers = 2
metadata_workers = 2
graceful_shutdown_timeout = 5
rootwrap_config = /etc/nova/rootwrap.conf
logging_exception_prefix = ERROR %(name)s %(instance)s
vif_plugging_timeout = 300
[database]
connection = mysql+pymysql://root:secret@127.0.0.1/nova_cell0?charset=utf8
[api_database]
connection = mysql+pymysql://root:secret@127.0.0.1/nova_api?charset=utf8
[api]
auth_strategy = keystone
[filter_scheduler]
track_instance_changes = False
enabled_filters = ComputeFilter,ImagePropertiesFilter
[scheduler]
workers = 2
[conductor]
workers = 2
[oslo_policy]
enforce_new_defaults = True
[key_manager]
fixed_key = 0123
backend = nova.keymgr.conf_key_mgr.ConfKeyManager
[cache]
backend = dogpile.cache.memcached
enabled = True
[upgrade_levels]
compute = auto
[keystone_authtoken]
memcached_servers = localhost:11211
interface = public
{LOGIN}
[service_user]
send_service_user_token = True
{LOGIN}
[cinder]
os_region_name = RegionOne
{LOGIN}
[neutron]
region_name = RegionOne
service_metadata_proxy = True
metadata_proxy_shared_secret = secret
{LOGIN}
[glance]
num_retries = 3
[placement]
region_name = RegionOne
{LOGIN}
"""

# As a tool that puts services into containers has it.
IN_CONTAINERS = f"""\
[DEFAULT]
log_dir = /var/log/nova
state_path = /var/lib/nova
allow_resize_to_same_host = true
osapi_compute_listen = 192.0.2.1
osapi_compute_listen_port = 8774
metadata_listen = 192.0.2.1
metadata_listen_port = 8775
transport_url = rabbit://openstack:secret@192.0.2.1:5672//
[api]
use_forwarded_for = true
[glance]
cafile = /etc/ssl/ca.pem
num_retries = 3
[cinder]
catalog_info = volumev3:cinderv3:internalURL
os_region_name = RegionOne
{LOGIN}
cafile = /etc/ssl/ca.pem
[neutron]
valid_interfaces = internal
cafile = /etc/ssl/ca.pem
{LOGIN}
[privsep_entrypoint]
helper_command = sudo nova-rootwrap /etc/nova/rootwrap.conf privsep-helper
[guestfs]
debug = false
[scheduler]
max_attempts = 10
discover_hosts_in_cells_interval = 60
[oslo_middleware]
enable_proxy_headers_parsing = True
[oslo_concurrency]
lock_path = /var/lib/nova/tmp
[barbican]
auth_endpoint = http://192.0.2.1:5000
"""


def found(tmp_path, text):
    path = tmp_path / 'nova.conf'
    path.write_text(text)
    conf = options.new()
    conf([], default_config_files=[str(path)], default_config_dirs=[])
    return {(one.group, one.name): str(one) for one in check.unknown_options(conf)}


def groups(names):
    return {group for group, _ in names}


def test_a_machine_with_all_services(tmp_path):
    unread = found(tmp_path, ON_ONE_MACHINE)
    assert {name for name in unread if name[0] == 'DEFAULT'} == {
        ('DEFAULT', 'rootwrap_config'), ('DEFAULT', 'vif_plugging_timeout')}
    assert groups(unread) == {'DEFAULT', 'api_database', 'filter_scheduler', 'scheduler', 'key_manager', 'cache',
                              'placement'}
    assert all(text.endswith(f'{dead.reason(*name)}.') for name, text in unread.items())
    assert unread['scheduler', 'workers'].endswith(
        'nothing reads [scheduler] workers: the scheduler is a part of the conductor, and [conductor] workers says '
        'how many.')


def test_services_in_containers(tmp_path):
    unread = found(tmp_path, IN_CONTAINERS)
    assert set(unread) == {
        ('api', 'use_forwarded_for'), ('privsep_entrypoint', 'helper_command'), ('guestfs', 'debug'),
        ('scheduler', 'discover_hosts_in_cells_interval'), ('oslo_concurrency', 'lock_path'),
        ('barbican', 'auth_endpoint')}
    assert dead.reason('oslo_concurrency', 'lock_path') in unread['oslo_concurrency', 'lock_path']


@pytest.mark.parametrize('known', sorted(dead.OPTIONS))
def test_what_is_called_dead_is_dead(known):
    registered = options.new()
    group, name = known
    names = registered._opts if group == 'DEFAULT' else registered._groups[group]._opts
    assert name not in names


def test_groups_that_are_called_dead_are_dead():
    assert set(dead.GROUPS) & set(options.new()._groups) == set()
