# SPDX-License-Identifier: Apache-2.0
"""The compute calls of openstacksdk as its users make them, against the cloud that OS_CLOUD names.

A program of its own, which test_sdk.py runs: it stops at the first call that does not do what it says, and
prints what it has done. Calls that need a network or a volume service are made when those are named on the
command line.
"""

import datetime
import sys
from collections.abc import Callable

import openstack
from openstack import exceptions

cloud = openstack.connect()
compute = cloud.compute
BY_NAME: list[Callable[[], None]] = []


def story(tell: Callable[[], None]) -> Callable[[], None]:
    """Keep one for the main program."""
    BY_NAME.append(tell)
    return tell


def check(condition: object, what: object = '') -> None:
    """Stop unless it holds."""
    if not condition:
        raise SystemExit(f'not as it should be: {what}')


def server(name: str, **more: object) -> object:
    """A new server that is ACTIVE."""
    image = compute.find_image('nova-lite-nano') or cloud.get_image('nova-lite-nano')
    flavor = compute.find_flavor(str(more.pop('flavor', 'm1.nano')))
    made = compute.create_server(name=name, image_id=image.id, flavor_id=flavor.id, networks='none', **more)
    return compute.wait_for_server(made, interval=0.1, wait=90)


def wait(which: object, status: str) -> object:
    """The server once it has a status."""
    return compute.wait_for_server(which, status=status, interval=0.1, wait=90)


@story
def flavors() -> None:
    made = compute.create_flavor(name='sdk', ram=64, vcpus=1, disk=1, is_public=False)
    check(compute.find_flavor('sdk', ignore_missing=False).id == made.id)
    compute.create_flavor_extra_specs(made, {'hw:cpu_policy': 'shared', 'a:b': 'c'})
    check(compute.fetch_flavor_extra_specs(made).extra_specs == {'hw:cpu_policy': 'shared', 'a:b': 'c'})
    compute.update_flavor_extra_specs_property(made, 'a:b', 'd')
    check(compute.get_flavor_extra_specs_property(made, 'a:b') == 'd')
    compute.delete_flavor_extra_specs_property(made, 'a:b')
    project = cloud.current_project_id
    compute.flavor_add_tenant_access(made, project)
    check([one['tenant_id'] for one in compute.get_flavor_access(made)] == [project])
    compute.flavor_remove_tenant_access(made, project)
    check(compute.update_flavor(made.id, description='words').description == 'words')
    check('sdk' in {one.name for one in compute.flavors(is_public=None)})
    compute.delete_flavor(made)
    check(compute.find_flavor('sdk') is None)


@story
def keys() -> None:
    made = compute.create_keypair(name='sdk')
    check(made.private_key and compute.get_keypair('sdk').fingerprint == made.fingerprint)
    check('sdk' in {one.name for one in compute.keypairs()})
    compute.delete_keypair('sdk')
    check(compute.find_keypair('sdk') is None)


@story
def groups_and_aggregates() -> None:
    group = compute.create_server_group(name='sdk', policy='anti-affinity', rules={'max_server_per_host': 2})
    check(compute.find_server_group('sdk').policy == 'anti-affinity')
    check(compute.get_server_group(group.id).rules == {'max_server_per_host': 2})
    compute.delete_server_group(group)
    aggregate = compute.create_aggregate(name='sdk', availability_zone='sdk-zone')
    host = next(compute.hypervisors(details=True)).service_details['host']
    check(compute.add_host_to_aggregate(aggregate, host).hosts == [host])
    check('sdk-zone' in {zone.name for zone in compute.availability_zones(details=True)})
    check(compute.set_aggregate_metadata(aggregate, {'ssd': 'yes'}).metadata['ssd'] == 'yes')
    check(compute.update_aggregate(aggregate, name='sdk2').name == 'sdk2')
    compute.remove_host_from_aggregate(aggregate, host)
    compute.delete_aggregate(aggregate)


@story
def quotas_and_limits() -> None:
    project = cloud.current_project_id
    before = compute.get_quota_set(project, usage=True)
    check(before.instances > 0 and 'instances' in before.usage)
    check(compute.update_quota_set(project, instances=77).instances == 77)
    check(compute.get_limits().absolute.instances == 77)
    compute.revert_quota_set(project)
    check(compute.get_quota_set(project).instances == compute.get_quota_set_defaults(project).instances)
    check(compute.get_quota_class_set('default').cores > 0)


@story
def hypervisors_and_services() -> None:
    listed = list(compute.hypervisors(details=True))
    check(len(listed) == 2 and all(one.state == 'up' for one in listed))
    check(compute.find_hypervisor(listed[0].name).id == listed[0].id)
    check(compute.get_hypervisor(listed[0].id).hypervisor_type == 'fake')
    service = next(one for one in compute.services() if one.binary == 'nova-compute')
    check(compute.disable_service(service, disabled_reason='sdk').status == 'disabled')
    check(compute.enable_service(service).status == 'enabled')
    check(compute.update_service_forced_down(service, forced=True).is_forced_down)
    check(not compute.update_service_forced_down(service, forced=False).is_forced_down)


@story
def life() -> None:
    made = server('sdk-life', metadata={'a': 'b'}, tags=['blue'])
    check(compute.find_server('sdk-life').id == made.id)
    compute.set_server_metadata(made, c='d')
    made = compute.get_server(made)
    compute.delete_server_metadata(made, ['a'])
    check(compute.fetch_server_metadata(made).metadata == {'c': 'd'})
    compute.add_tag_to_server(made, 'red')
    check([one.id for one in compute.servers(tags='blue,red')] == [made.id])
    compute.remove_tag_from_server(made, 'red')
    compute.remove_tags_from_server(made)
    check(compute.update_server(made, name='sdk-renamed').name == 'sdk-renamed')
    for begin, status in ((compute.stop_server, 'SHUTOFF'), (compute.start_server, 'ACTIVE'),
                          (compute.pause_server, 'PAUSED'), (compute.unpause_server, 'ACTIVE'),
                          (compute.suspend_server, 'SUSPENDED'), (compute.resume_server, 'ACTIVE'),
                          (compute.rescue_server, 'RESCUE'), (compute.unrescue_server, 'ACTIVE'),
                          (compute.shelve_server, 'SHELVED_OFFLOADED'), (compute.unshelve_server, 'ACTIVE')):
        begin(made)
        made = wait(made, status)
    compute.reboot_server(made, 'HARD')
    made = wait(made, 'ACTIVE')
    compute.lock_server(made, locked_reason='mine')
    check(compute.get_server(made).is_locked)
    compute.unlock_server(made)
    compute.change_server_password(made, 'secret')
    made = wait(made, 'ACTIVE')
    check('login' in compute.get_server_console_output(made)['output'])
    check(compute.create_console(made, 'novnc')['url'])
    image = compute.create_server_image(made, 'sdk-shot', wait=True, timeout=90)
    compute.rebuild_server(made, image=image, name='sdk-renamed')
    made = wait(made, 'ACTIVE')
    check(compute.get_server_diagnostics(made).state == 'running')
    actions = {one.action for one in compute.server_actions(made)}
    check({'create', 'stop', 'pause', 'rebuild', 'shelve'} <= actions, actions)
    check(compute.get_server_action(next(compute.server_actions(made)).request_id, made).events is not None)
    check(list(compute.server_ips(made)) == [])
    compute.delete_server(made)
    compute.wait_for_delete(made, interval=0.1, wait=90)
    cloud.delete_image(image.id, wait=True)
    check(compute.find_server('sdk-renamed') is None)


@story
def moves() -> None:
    compute.create_flavor(name='sdk-big', flavorid='sdk-big', ram=128, vcpus=1, disk=1)
    made = server('sdk-moves')
    compute.resize_server(made, compute.find_flavor('sdk-big'))
    compute.confirm_server_resize(wait(made, 'VERIFY_RESIZE'))
    made = wait(made, 'ACTIVE')
    check(made.flavor.original_name == 'sdk-big', made.flavor)
    compute.resize_server(made, compute.find_flavor('m1.nano'))
    compute.revert_server_resize(wait(made, 'VERIFY_RESIZE'))
    made = wait(made, 'ACTIVE')
    compute.migrate_server(made)
    compute.confirm_server_resize(wait(made, 'VERIFY_RESIZE'))
    made = wait(made, 'ACTIVE')
    there = made.compute_host
    compute.live_migrate_server(made, host=None, block_migration='auto')
    migration = next(compute.server_migrations(made))
    check(compute.get_server_migration(migration.id, made).dest_compute != there)
    compute.abort_server_migration(migration, made)
    made = wait(made, 'ACTIVE')
    check(compute.get_server(made).compute_host == there)
    kinds = [one.migration_type for one in compute.migrations(instance_uuid=made.id)]
    check(sorted(set(kinds)) == ['live-migration', 'migration', 'resize'], kinds)
    compute.delete_server(made, force=True)
    compute.wait_for_delete(made, interval=0.1, wait=90)
    compute.delete_flavor('sdk-big')


@story
def usage() -> None:
    yesterday, tomorrow = (datetime.datetime.now() + datetime.timedelta(days) for days in (-1, 1))
    check(compute.get_usage(cloud.current_project_id, start=yesterday, end=tomorrow).total_hours > 0)
    check([one.project_id for one in compute.usages(start=yesterday, end=tomorrow)] == [cloud.current_project_id])


@story
def what_is_refused() -> None:
    for ask, error in (
            (lambda: compute.get_server('00000000-0000-4000-8000-000000000000'), exceptions.NotFoundException),
            (lambda: compute.create_flavor(name='x', ram=-1, vcpus=1, disk=1), exceptions.BadRequestException)):
        try:
            ask()
        except error:
            continue
        raise SystemExit(f'no {error.__name__}')


def interfaces() -> None:
    """With a network service: an interface comes and goes."""
    made = server('sdk-interfaces')
    network = next(cloud.network.networks())
    interface = compute.create_server_interface(made, net_id=network.id)
    check(interface.port_id in {one.port_id for one in compute.server_interfaces(made)})
    check(compute.get_server_interface(interface.port_id, made).net_id == network.id)
    compute.delete_server_interface(interface.port_id, made)
    compute.delete_server(made)


def volumes() -> None:
    """With a volume service: a volume comes and goes."""
    made = server('sdk-volumes')
    volume = cloud.create_volume(1, wait=True, name='sdk')
    compute.create_volume_attachment(made, volume_id=volume.id)
    check([one.volume_id for one in compute.volume_attachments(made)] == [volume.id])
    cloud.block_storage.wait_for_status(volume, 'in-use', interval=0.2, wait=90)
    compute.delete_volume_attachment(made, volume.id)
    cloud.block_storage.wait_for_status(volume, 'available', interval=0.2, wait=90)
    compute.delete_server(made)


EXTRA = {'network': interfaces, 'volume': volumes}

if __name__ == '__main__':
    for tell in [*BY_NAME, *(EXTRA[name] for name in sys.argv[1:])]:
        tell()
        print(tell.__name__, flush=True)
