# SPDX-License-Identifier: Apache-2.0
"""Servers that are real: what the API was asked for is looked at from inside of the guest.

One service runs for all of them, as a newcomer would start it, and all goes over the openstack client.
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures import guests, hypervisor, processes
from tests.fixtures import service as services
from tests.fixtures.guests import BIGGER, KEY, SMALLEST, Server
from tests.fixtures.shell import Shell
from tests.fixtures.user import admin as admin_of

USER_DATA = '#!/bin/sh\necho "user data was here" > /data/user-data\n'


@pytest.fixture(scope='module')
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[services.Service]:
    """``nova-lite up`` with real guests; it leaves none behind."""
    if (lacking := hypervisor.missing()) is not None:
        processes.missing(lacking, 'see packages-guests.apt')
    if not (Path(sys.executable).parent / 'openstack').exists():
        processes.missing('openstack', 'python3-openstackclient')
    running = services.Service(tmp_path_factory.mktemp('up'), '--driver', 'libvirt').start()
    yield running
    code = running.stop()
    guests_left = guests.end(running.state_dir)
    assert (code, guests_left) == (0, [])
    assert 'Traceback' not in running.log()


@pytest.fixture(scope='module')
def admin(service: services.Service) -> Iterator[Shell]:
    shell = Shell(service)
    yield shell
    shell.close()


@pytest.fixture(scope='module')
def public_key(admin: Shell) -> str:
    """The key of the tests, once their image and flavors are there."""
    return guests.prepare(admin)


@pytest.fixture
def new(admin, service, public_key, tmp_path):
    """Makes servers with the key and user data; they are deleted in the end."""
    made: list[Server] = []
    (tmp_path / 'user-data').write_text(USER_DATA)

    def make(name: str, *arguments: str) -> Server:
        server = Server(admin, service, name)
        made.append(server)
        return server.create('--key-name', KEY, '--user-data', str(tmp_path / 'user-data'), *arguments)

    yield make
    for server in made:
        server.delete()


def test_a_guest_learns_who_it_is_over_the_network_and_has_the_address_of_its_port(new, public_key):
    server = new('web-1')
    found = server.wait_boot()
    assert (found['source'], found['hostname'], found['key']) == ('metadata', 'web-1.novalocal', public_key)
    assert guests.user_data_of(found) == USER_DATA.encode()
    assert found['addresses'] == f'eth0:{server.address()}/16'
    assert server.run('cat /data/user-data') == 'user data was here'


def test_a_guest_reads_its_config_drive_and_its_agent_sets_a_password(new, public_key):
    server = new('web-2', '--config-drive', 'True')
    found = server.wait_boot()
    assert (found['source'], found['hostname'], found['key']) == ('config-drive', 'web-2.novalocal', public_key)
    assert guests.user_data_of(found) == USER_DATA.encode()
    server.do('set --password changed-1 {}')
    processes.wait_until(lambda: '$' in server.run('cat /etc/shadow'), guests.COMMAND_LIMIT, 'the password to be set')
    kept = server.run('cat /etc/shadow').split(':')[1]
    salt = kept.split('$')[2]
    assert server.run(f'mkpasswd -m sha512 -S {salt} changed-1') == kept


def test_what_stops_a_guest_for_a_while_is_no_boot(new):
    server = new('still')
    found = server.wait_boot()
    for stop, status, go in (('pause', 'PAUSED', 'unpause'), ('suspend', 'SUSPENDED', 'resume')):
        server.do(stop + ' {}')
        server.wait_status(status)
        server.do(go + ' {}')
        server.wait_status('ACTIVE')
        assert server.run('cat /proc/sys/kernel/random/boot_id') == found['boot-id']


def test_a_volume_is_a_disk_of_the_guest(new, admin):
    server = new('with-disk')
    server.wait_boot()
    admin.run('volume create --size 1 extra')
    server.do('add volume {} extra')
    assert server.run('for i in 1 2 3 4 5 6 7 8 9; do [ -b /dev/vdb ] && break; sleep 1; done; cat /sys/block/vdb/size'
                      ) == str((1 << 30) // 512)
    server.run('mke2fs /dev/vdb > /dev/null && mkdir -p /extra && mount /dev/vdb /extra && echo mine > /extra/file '
               '&& umount /extra')
    server.do('remove volume {} extra')
    processes.wait_until(lambda: server.run('ls /sys/block | grep -c vdb || true') == '0', 60, 'the disk to be gone')
    processes.wait_until(lambda: admin.get('volume show extra')['status'] == 'available', 60, 'the volume to be free')
    server.do('add volume {} extra')
    processes.wait_until(lambda: server.run('ls /sys/block | grep -c vdb || true') == '1', 60, 'the disk to be back')
    assert server.run('mount /dev/vdb /extra && cat /extra/file; umount /extra') == 'mine'
    server.do('remove volume {} extra')


def test_a_file_outlives_a_reboot_and_a_resize_but_no_rebuild(new):
    server = new('keeper')
    found = server.wait_boot()
    server.run('echo kept > /data/file; sync')
    server.do('reboot --soft --wait {}')
    found = server.wait_boot(found)
    assert (found['boots'], server.run('cat /data/file')) == ('2', 'kept')
    server.do(f'resize --flavor {BIGGER} --wait {{}}')
    found = server.wait_boot(found)
    assert (found['boots'], found['cpus'], found['disk']) == ('3', '2', str((2 << 30) // 512))
    assert server.run('cat /data/file') == 'kept'
    server.do('resize confirm {}')
    server.wait_status('ACTIVE')
    address = server.address()
    server.do('rebuild --wait {}')
    found = server.wait_boot(found)
    assert (found['boots'], server.run('ls /data/file || true')) == ('1', 'ls: /data/file: No such file or directory')
    assert found['addresses'] == f'eth0:{address}/16'


def test_a_snapshot_is_the_disk_as_it_was(new, admin):
    server = new('original')
    found = server.wait_boot()
    # It is on the disk in time only because the agent is asked to write all that is not, and to hold still.
    server.run('echo before > /data/file')
    server.do('image create --name copy --wait {}')
    server.run('echo after > /data/file; sync')
    assert server.run('cat /proc/sys/kernel/random/boot_id') == found['boot-id']
    other = new('copy-of-it', '--image', 'copy')
    again = other.wait_boot()
    assert (again['hostname'], again['boots']) == ('copy-of-it.novalocal', '2')
    assert other.run('cat /data/file') == 'before'
    admin.run('image delete copy')


def test_a_rescue_boots_another_disk_with_the_own_one_beside_it(new):
    server = new('broken')
    found = server.wait_boot()
    server.run('echo precious > /data/file; sync')
    server.do(f'rescue --image {guests.IMAGE} {{}}')
    server.wait_status('RESCUE')
    rescued = server.wait_boot(found)
    assert rescued['boots'] == '1'
    assert server.run('mkdir -p /old && mount -t ext4 /dev/vdb2 /old && cat /old/file; umount /old') == 'precious'
    server.do('unrescue {}')
    server.wait_status('ACTIVE')
    found = server.wait_boot(rescued)
    assert (found['boots'], server.run('cat /data/file')) == ('2', 'precious')


def test_a_guest_that_switches_itself_off_is_off_and_starts_again(new):
    server = new('sleeper')
    found = server.wait_boot()
    with server.console() as console:
        console.send('sync; poweroff -f')
    server.wait_status('SHUTOFF')
    server.do('start {}')
    assert server.wait_boot(found)['boots'] == '2'


def test_a_file_outlives_a_hard_reboot_and_shelving(new):
    server = new('shelf')
    found = server.wait_boot()
    server.run('echo kept > /data/file; sync')
    server.do('reboot --hard --wait {}')
    found = server.wait_boot(found)
    assert (found['boots'], server.run('cat /data/file')) == ('2', 'kept')
    address = server.address()
    server.do('shelve {}')
    server.wait_status('SHELVED_OFFLOADED')
    server.do('unshelve {}')
    server.wait_status('ACTIVE')
    found = server.wait_boot(found)
    assert (found['boots'], found['addresses'], server.run('cat /data/file')) == ('3', f'eth0:{address}/16', 'kept')


def test_an_interface_is_a_card_of_the_guest_and_a_crash_dump_reaches_its_kernel(new, admin, service):
    server = new('cards')
    server.wait_boot()
    port = admin.get('port create --network private second-card')
    server.do('add port {} second-card')
    address = 'cat /sys/class/net/eth1/address 2>/dev/null || true'
    processes.wait_until(lambda: server.run(address) == port['mac_address'], 60, 'the card to be there')
    server.do('remove port {} second-card')
    processes.wait_until(lambda: server.run(address) == '', 60, 'the card to be gone')
    admin.run('port delete second-card')
    told = admin_of(service).get(f'/servers/{server.show()["id"]}/diagnostics', version='2.48')
    assert (told['state'], told['driver'], told['num_cpus'], told['memory_details']['maximum']) == (
        'running', 'libvirt', 1, guests.MEMORY)
    before = server.run('grep NMI: /proc/interrupts')
    server.do('dump create {}')
    processes.wait_until(lambda: server.run('grep NMI: /proc/interrupts') != before, 60, 'the interrupt')


def test_twenty_guests_come_at_once_and_go(admin, public_key, service):
    user = admin_of(service)
    image, flavor, network = (admin.get(f'{kind} show {name}')['id'] for kind, name in (
        ('image', 'nova-lite-nano'), ('flavor', SMALLEST), ('network', 'private')))
    spent, began = guests.control_ms(service), time.monotonic()
    user.create('many', imageRef=image, flavor=flavor, networks=[{'uuid': network}], min_count=20, max_count=20)
    many: list[str] = []
    try:
        many += [one['id'] for one in user.get('/servers?name=^many-')['servers']]
        user.wait_for(many, limit=60)
        seconds, spent = time.monotonic() - began, guests.control_ms(service) - spent
        print(f'twenty servers were ACTIVE after {seconds:.1f} s, for {spent / 20:.0f} ms of control plane each')
        assert len(many) == 20 and seconds <= 60 and spent / 20 <= 80
        processes.wait_until(lambda: all('READY' in user.ask('POST', f'/servers/{one}/action', {
            'os-getConsoleOutput': {}}).json()['output'] for one in many), 60, 'twenty guests to be ready')
        assert len(guests.left(service.state_dir)) == 20
    finally:
        user.delete(*many)
    assert admin.get('port list') == []


def test_nothing_is_left_of_servers_that_are_deleted(service):
    assert sorted(path.name for path in (service.state_dir / 'instances').iterdir()) == ['_base']
    assert guests.left(service.state_dir) == []
