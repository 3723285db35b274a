# SPDX-License-Identifier: Apache-2.0
"""Servers on networks, from the command to the guest and back, with everything that can go wrong between them."""

import pytest

from nova_lite import errors
from nova_lite.auth.context import service_context
from nova_lite.db.queries import ports, work_list
from nova_lite.model import times
from nova_lite.model.networks import plugged
from nova_lite.model.zones import Place
from nova_lite.ops import evacuate, interfaces, live_migrate, resize, shelve
from nova_lite.ops.delete import DeleteServer, delete
from nova_lite.ops.interfaces import AddFixedIp, AttachInterface, DetachInterface, RemoveFixedIp
from tests.fixtures.cloud import Cloud, context, wish
from tests.fixtures.moves import fail_at, hold_at, sweep
from tests.fixtures.networks import add_network, bound, given, macs, with_networks
from tests.fixtures.stories import outcome


@pytest.fixture
def cloud(db, tmp_path):
    return with_networks(Cloud(db, tmp_path))


def on_h1(cloud, **known):
    return cloud.create(place=Place(host='h1'), **known)


def attach(cloud, server, **known):
    return interfaces.attach(cloud.deps, context(), AttachInterface(cloud.server(server.uuid), **known))


def detach(cloud, server, port_id):
    interfaces.detach(cloud.deps, context(), DetachInterface(cloud.server(server.uuid), port_id))


def agree(cloud, server):
    """Row, network service and guest tell the same; the interfaces that the server has."""
    now = cloud.server(server.uuid)
    known = plugged(now.interfaces)
    assert known == (now.interfaces or []), 'a wish is left'
    assert {one['mac'] for one in known} == set(bound(cloud))
    shown = {entry['mac'] for entries in now.addresses.values() for entry in entries}
    assert shown == {one['mac'] for one in known}
    if now.host:
        assert macs(cloud, server) == {now.host: tuple(one['mac'] for one in known)}
    return known


def test_a_server_is_built_on_the_only_network(cloud):
    server = cloud.create()
    (known,) = agree(cloud, server)
    (entry,) = server.addresses['private']
    assert (entry['version'], entry['type'], entry['mac']) == (4, 'fixed', known['mac'])
    assert entry['addr'] in given(cloud.db) and bound(cloud) == {known['mac']: server.host}
    assert server.security_groups == ['default']
    assert [row.event for row in cloud.rows('server_action_events')] == [
        'conductor_plug_ports', 'compute__do_build_and_run_instance']


def test_the_wishes_of_a_request(cloud):
    blue, green = add_network(cloud.db, 'blue'), add_network(cloud.db, 'green', '198.51.100.0/24')
    server = cloud.create(networks=[{'uuid': green, 'fixed_ip': '198.51.100.7', 'tag': 'first'}, {'uuid': blue},
                                    {'uuid': blue}])
    assert [(one['network'], one['tag']) for one in agree(cloud, server)] == [
        ('green', 'first'), ('blue', None), ('blue', None)]
    assert server.addresses['green'][0]['addr'] == '198.51.100.7' and len(server.addresses['blue']) == 2
    none = cloud.create(networks='none')
    assert (none.interfaces, none.addresses, none.security_groups) == (None, {}, None)


@pytest.mark.parametrize(('wanted', 'known', 'kind', 'says'), (
    ([{'uuid': 'nowhere'}], {}, errors.Invalid, 'no network nowhere'),
    ([{'uuid': 'foreign'}], {}, errors.Invalid, 'no network'),
    ([{'uuid': 'empty'}], {}, errors.Invalid, 'no subnet'),
    ([{'uuid': 'outside'}], {}, errors.Forbidden, 'external'),
    ([{'uuid': 'blue', 'fixed_ip': '198.51.100.1'}], {}, errors.Invalid, 'has the address'),
    ([{'uuid': 'blue', 'fixed_ip': '192.0.2.1'}], {}, errors.Invalid, 'in use'),
    ([{'uuid': 'blue', 'fixed_ip': '192.0.2.9'}] * 2, {}, errors.Invalid, 'more than once'),
    ([{'uuid': 'blue', 'fixed_ip': '192.0.2.9'}], {'max_count': 2}, errors.Invalid, 'one server only'),
    ([{'port': 'nowhere'}], {}, errors.Invalid, 'no port nowhere'),
    ([{'port': 'p', 'fixed_ip': '192.0.2.9'}], {}, errors.Invalid, 'beside it'),
    ([{'tag': 'x'}], {}, errors.Invalid, 'uuid or port'),
    (None, {}, errors.NetworkAmbiguous, 'private, blue'),
    ('auto', {}, errors.NetworkAmbiguous, 'blue'),
))
def test_what_cannot_be_had_is_refused_before_anything_is_accepted(cloud, wanted, known, kind, says):
    ids = {'blue': add_network(cloud.db, 'blue'), 'empty': add_network(cloud.db, 'empty', None, admin_state_up=False),
           'foreign': add_network(cloud.db, 'foreign', project='other'),
           'outside': add_network(cloud.db, 'outside', external=True)}
    if isinstance(wanted, list):
        wanted = [{**entry, 'uuid': ids.get(entry['uuid'], entry['uuid'])} if 'uuid' in entry else entry
                  for entry in wanted]
    with pytest.raises(kind, match=says):
        cloud.create(networks=wanted, **known)
    assert not cloud.rows('servers') and not bound(cloud)


def test_auto_needs_a_network(cloud, db):
    with db.write() as conn:
        conn.exec_driver_sql('DELETE FROM subnets')
        conn.exec_driver_sql('DELETE FROM networks')
    with pytest.raises(errors.Invalid, match='no network that the project can use'):
        cloud.create(networks='auto')
    assert cloud.create().interfaces is None


def test_a_failed_build_takes_its_ports_to_another_host(cloud):
    for name in ('h1', 'h2'):
        fail_at(cloud, name, 'spawn:*')
    server = cloud.create()
    (known,) = agree(cloud, server)
    assert (server.vm_state, server.host, bound(cloud)) == ('active', 'h3', {known['mac']: 'h3'})
    assert len(given(cloud.db)) == 1
    cloud.check_books()


def test_a_build_that_fails_everywhere_gives_its_ports_back(cloud):
    for name in ('h1', 'h2', 'h3'):
        fail_at(cloud, name, 'spawn:*')
    server = cloud.create()
    assert (server.vm_state, server.interfaces, server.addresses) == ('error', [], {})
    sweep(cloud)
    assert not bound(cloud) and not given(cloud.db)
    cloud.check_books()


def test_an_address_that_was_taken_meanwhile_ends_the_build(cloud):
    network_id = add_network(cloud.db, 'blue')
    cloud.conductor.held = []
    first, second = (cloud.create(networks=[{'uuid': network_id, 'fixed_ip': '192.0.2.9'}]) for _ in range(2))
    cloud.conductor.release()
    assert cloud.server(first.uuid).vm_state == 'active'
    late = cloud.server(second.uuid)
    assert (late.vm_state, late.host, late.interfaces) == ('error', None, [])
    assert '192.0.2.9' in late.fault['message'] and 'in use' in late.fault['message']
    sweep(cloud)
    assert set(bound(cloud).values()) == {cloud.server(first.uuid).host}
    cloud.check_books()


def test_delete_gives_ports_back_and_leaves_those_of_others(cloud):
    network_id = add_network(cloud.db, 'blue')
    port = attach(cloud, cloud.create(networks='none'), network_id=network_id)
    with cloud.db.write() as conn:
        conn.exec_driver_sql("UPDATE ports SET ours = 0, device_id = '', slot = NULL")
    server = cloud.create(networks=[{'port': port.id}, {'uuid': network_id}])
    assert server.interfaces[0]['port_id'] == port.id
    delete(cloud.deps, context(), DeleteServer(server))
    gone = cloud.server(server.uuid)
    assert gone.deleted and (gone.interfaces, gone.addresses) == ([], {})
    (left,) = cloud.rows('ports')
    assert (left.id, left.device_id, left.host) == (port.id, '', None)


def test_a_delete_overtakes_a_build_at_its_ports(cloud):
    plug = cloud.conductor_deps.networks.plug
    server_uuid = []

    def slow(who, server, host, wishes, groups=()):
        if not server_uuid:
            server_uuid.append(server.uuid)
            delete(cloud.deps, context(), DeleteServer(cloud.server(server.uuid)))
        return plug(who, server, host, wishes, groups)

    cloud.conductor_deps.networks.plug = slow
    server = cloud.create()
    assert cloud.server(server.uuid).deleted
    assert not bound(cloud) and not given(cloud.db)
    assert all(not driver.guests() for driver in cloud.drivers.values())
    cloud.check_books()


def test_attach_and_detach(cloud):
    server = on_h1(cloud)
    blue = add_network(cloud.db, 'blue')
    port = attach(cloud, server, network_id=blue, fixed_ip='192.0.2.40', tag='spare')
    assert (port.status, port.host, port.tag, port.fixed_ips[0].address) == ('ACTIVE', 'h1', 'spare', '192.0.2.40')
    assert [one['network'] for one in agree(cloud, server)] == ['private', 'blue']
    detach(cloud, server, port.id)
    assert [one['network'] for one in agree(cloud, server)] == ['private']
    with pytest.raises(errors.PortNotFound):
        detach(cloud, server, port.id)
    assert [(row.action, row.message) for row in cloud.rows('server_actions')][1:] == [
        ('attach_interface', None), ('detach_interface', None)]


@pytest.mark.parametrize('fault', ['', 'detach_interface:1'])
def test_a_port_that_somebody_deletes_is_not_in_the_guest(cloud, fault):
    server = on_h1(cloud)
    if fault:
        fail_at(cloud, 'h1', fault)
    (known,) = agree(cloud, server)
    with cloud.db.write() as conn:
        ports.delete(conn, [known['port_id']])
    interfaces.port_is_gone(cloud.deps, service_context(), server.uuid, known['port_id'])
    sweep(cloud)
    assert cloud.server(server.uuid).interfaces == []
    assert (macs(cloud, server), cloud.server(server.uuid).addresses) == ({'h1': ()}, {})
    assert [row.action for row in cloud.rows('server_actions')] == ['create']
    for unknown in (known['port_id'], 'nothing'):
        interfaces.port_is_gone(cloud.deps, service_context(), server.uuid, unknown)
    interfaces.port_is_gone(cloud.deps, service_context(), 'nobody', known['port_id'])
    assert [row.kind for row in cloud.rows('operations')] == ['build', 'lose_interface']


def test_a_port_of_a_server_on_no_host_only_goes(cloud):
    server = on_h1(cloud)
    (known,) = agree(cloud, server)
    cloud.conf.set_override('shelved_offload_time', 0)
    shelve.shelve(cloud.deps, context(), shelve.ShelveServer(cloud.server(server.uuid)))
    interfaces.port_is_gone(cloud.deps, service_context(), server.uuid, known['port_id'])
    assert cloud.server(server.uuid).interfaces == []
    assert 'lose_interface' not in [row.kind for row in cloud.rows('operations')]


def test_a_port_that_was_made_before(cloud):
    blue = add_network(cloud.db, 'blue')
    first, second = on_h1(cloud, networks='none'), on_h1(cloud, networks='none')
    port = attach(cloud, first, network_id=blue)
    with cloud.db.write() as conn:
        conn.exec_driver_sql('UPDATE ports SET ours = 0')
    with pytest.raises(errors.PortInUse, match=first.uuid):
        attach(cloud, second, port_id=port.id)
    detach(cloud, first, port.id)
    assert attach(cloud, second, port_id=port.id).device_id == second.uuid
    assert not cloud.server(first.uuid).interfaces and len(cloud.server(second.uuid).interfaces) == 1


@pytest.mark.parametrize(('known', 'kind'), (
    ({'network_id': 'nowhere'}, errors.NetworkNotFound), ({'port_id': 'nowhere'}, errors.PortNotFound),
    ({}, errors.Invalid), ({'network_id': 'blue', 'fixed_ip': '192.0.2.1'}, errors.AddressInUse),
    ({'network_id': 'outside'}, errors.Forbidden)))
def test_what_cannot_be_attached(cloud, known, kind):
    ids = {'blue': add_network(cloud.db, 'blue'), 'outside': add_network(cloud.db, 'outside', external=True)}
    server = on_h1(cloud, networks='none')
    if 'network_id' in known:
        known = {**known, 'network_id': ids.get(known['network_id'], known['network_id'])}
    with pytest.raises(kind):
        attach(cloud, server, **known)
    assert cloud.server(server.uuid).interfaces is None and not bound(cloud)


def test_a_host_that_cannot_attach_gives_the_port_back(cloud):
    fail_at(cloud, 'h1', 'attach_interface:1')
    server = on_h1(cloud)
    with pytest.raises(errors.InterfaceAttachFailed, match='attach_interface'):
        attach(cloud, server)
    assert len(agree(cloud, server)) == 1
    assert cloud.rows('server_actions')[-1].message == 'Error'
    assert attach(cloud, server).host == 'h1' and len(agree(cloud, server)) == 2


def test_a_host_that_cannot_detach_keeps_the_interface(cloud):
    fail_at(cloud, 'h1', 'detach_interface:1')
    server = on_h1(cloud)
    (known,) = agree(cloud, server)
    detach(cloud, server, known['port_id'])
    assert cloud.rows('server_actions')[-1].message == 'Error'
    assert agree(cloud, server) == [known]
    detach(cloud, server, known['port_id'])
    assert agree(cloud, server) == [] and cloud.server(server.uuid).addresses == {}


def test_an_attachment_whose_host_is_silent_goes_on(cloud):
    cloud.conf.set_override('interface_attach_wait', 0.05, group='api')
    server = on_h1(cloud)
    hold_at(cloud, 'h1', 'attach_port')
    port = attach(cloud, server)
    assert cloud.server(server.uuid).interfaces[1]['port_id'] == port.id
    cloud.compute.release('h1')
    assert len(agree(cloud, server)) == 2


def test_an_api_that_dies_after_accepting_leaves_no_wish(cloud):
    cloud.conf.set_override('interface_attach_wait', 0, group='api')
    server = on_h1(cloud)
    cloud.conductor.held = []
    attach(cloud, server)
    with cloud.db.write() as conn:
        conn.exec_driver_sql("DELETE FROM port_addresses WHERE port_id = (SELECT id FROM ports WHERE slot != '000')")
        conn.exec_driver_sql("DELETE FROM ports WHERE slot != '000'")
    cloud.conductor.release()
    assert len(agree(cloud, server)) == 2


def test_delete_takes_what_is_being_attached(cloud):
    cloud.conf.set_override('interface_attach_wait', 0, group='api')
    server = on_h1(cloud, networks='none')
    cloud.conductor.held = []
    attach(cloud, server)
    cloud.conductor.held = None
    delete(cloud.deps, context(), DeleteServer(cloud.server(server.uuid)))
    assert cloud.server(server.uuid).deleted and not bound(cloud)


def test_fixed_addresses_come_and_go(cloud):
    server = on_h1(cloud)
    network_id = server.interfaces[0]['network_id']
    interfaces.add_fixed_ip(cloud.deps, context(), AddFixedIp(server, network_id))
    now = cloud.server(server.uuid)
    assert len(now.addresses['private']) == 2 and len(agree(cloud, server)) == 1
    interfaces.remove_fixed_ip(cloud.deps, context(), RemoveFixedIp(server, server.addresses['private'][0]['addr']))
    assert cloud.server(server.uuid).addresses['private'] == now.addresses['private'][1:]
    with pytest.raises(errors.Invalid):
        interfaces.remove_fixed_ip(cloud.deps, context(), RemoveFixedIp(server, '192.0.2.200'))


def test_ports_follow_a_resize_and_its_revert(cloud):
    server = on_h1(cloud)
    for act, host in ((resize.migrate, 'h2'), (resize.revert, 'h1'), (resize.migrate, 'h2'), (resize.confirm, 'h2')):
        command = {resize.migrate: resize.MigrateServer, resize.revert: resize.RevertResize,
                   resize.confirm: resize.ConfirmResize}[act]
        more = {'host': 'h2'} if act is resize.migrate else {}
        act(cloud.deps, context(), command(cloud.server(server.uuid), **more))
        now = cloud.server(server.uuid)
        assert (now.host, set(bound(cloud).values())) == (host, {host})
        assert len(agree(cloud, server)) == 1
    cloud.check_books()


def test_ports_come_back_from_a_resize_that_fails(cloud):
    fail_at(cloud, 'h2', 'arrive:*')
    server = on_h1(cloud)
    resize.migrate(cloud.deps, context(), resize.MigrateServer(server, host='h2'))
    now = cloud.server(server.uuid)
    assert (now.vm_state, now.task_state, now.host, set(bound(cloud).values())) == ('active', None, 'h1', {'h1'})
    assert len(agree(cloud, server)) == 1


@pytest.mark.parametrize(('rule', 'host'), (('', 'h2'), ('live_migrate:*', 'h1'), ('arrive:*', 'h1')))
def test_ports_follow_a_live_migration(cloud, rule, host):
    for name in cloud.drivers if rule else ():
        fail_at(cloud, name, rule)
    server = on_h1(cloud)
    live_migrate.live_migrate(cloud.deps, context(), live_migrate.LiveMigrateServer(server, host='h2'))
    assert (cloud.server(server.uuid).host, set(bound(cloud).values())) == (host, {host})
    assert len(agree(cloud, server)) == 1


def test_ports_follow_an_evacuation(cloud):
    server = on_h1(cloud)
    cloud.compute.dead.add('h1')
    cloud.age('services', last_seen_at=600)
    for name in ('h2', 'h3'):
        cloud.beat(name)
    evacuate.evacuate(cloud.deps, context(), evacuate.EvacuateServer(server))
    now = cloud.server(server.uuid)
    assert now.vm_state == 'active' and now.host in ('h2', 'h3') and set(bound(cloud).values()) == {now.host}
    assert macs(cloud, server)[now.host] == (now.interfaces[0]['mac'],)


def test_a_shelved_server_keeps_its_ports_on_no_host(cloud):
    cloud.conf.set_override('shelved_offload_time', 0)
    server = cloud.create()
    shelve.shelve(cloud.deps, context(), shelve.ShelveServer(server))
    off = cloud.server(server.uuid)
    assert (off.vm_state, off.host, set(bound(cloud).values())) == ('shelved_offloaded', None, {None})
    assert off.addresses == server.addresses
    shelve.unshelve(cloud.deps, context(), shelve.UnshelveServer(off))
    back = cloud.server(server.uuid)
    assert (back.vm_state, set(bound(cloud).values()), back.addresses) == ('active', {back.host}, server.addresses)
    assert len(agree(cloud, server)) == 1
    shelve.shelve(cloud.deps, context(), shelve.ShelveServer(back))
    delete(cloud.deps, context(), DeleteServer(cloud.server(server.uuid)))
    assert cloud.server(server.uuid).deleted and not bound(cloud)


def test_several_servers_have_ports_of_their_own(cloud):
    from nova_lite.ops.create import create
    made = create(cloud.deps, context(), wish(min_count=3, max_count=3)).servers
    found = [cloud.server(row['uuid']) for row in made]
    assert len({row.addresses['private'][0]['addr'] for row in found}) == 3
    assert sorted(filter(None, bound(cloud).values())) == sorted(row.host for row in found)


def test_what_undoes_an_abandoned_attach_is_done_at_once(cloud):
    cloud.conf.set_override('interface_attach_wait', 0, group='api')
    server = on_h1(cloud, networks='none')
    cloud.compute.dead.add('h1')
    attach(cloud, server)
    cloud.compute.dead.clear()
    given_up = {'code': 500, 'message': 'an administrator abandoned it', 'details': ''}
    operation = cloud.rows('operations')[-1]
    assert cloud.db.transaction(work_list.abandon, operation.id, given_up, times.utcnow())
    cloud.sweeper.sweep()
    assert agree(cloud, server) == [] and bound(cloud) == {}
    assert outcome(cloud)[:2] == ('attach_interface', 'Error')
