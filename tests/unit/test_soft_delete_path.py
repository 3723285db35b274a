# SPDX-License-Identifier: Apache-2.0
"""Servers that are put aside, restored and reclaimed; and what the books say meanwhile."""

import datetime

import pytest

from nova_lite import errors
from nova_lite.db.queries import servers
from nova_lite.model.power import Power
from nova_lite.ops import change
from nova_lite.ops.delete import DeleteServer, delete
from nova_lite.ops.restore import RestoreServer, restore
from tests.fixtures.cloud import context
from tests.fixtures.stories import bring_back, failing, images, outcome, put_away, state, tidy


@pytest.fixture
def patient(cloud):
    cloud.conf.set_override('reclaim_instance_interval', 600)
    return cloud


def test_a_deleted_server_can_be_restored(patient):
    server = patient.create()
    delete(patient.deps, context(), DeleteServer(server))
    assert state(patient, server) == ('soft-delete', None, Power.SHUTDOWN, server.host)
    assert outcome(patient) == ('delete', None, 'compute_soft_delete_instance')
    assert patient.usage() == (0, 0, 0)
    patient.check_books()
    restore(patient.deps, context(), RestoreServer(patient.server(server.uuid)))
    assert state(patient, server) == ('active', None, Power.RUNNING, server.host)
    assert outcome(patient) == ('restore', None, 'compute_restore_instance')
    assert patient.usage() == (1, 1, 512) and patient.server(server.uuid).deleted_at is None
    patient.age('operations', lease_until=700)
    patient.sweeper.sweep()
    assert state(patient, server)[0] == 'active'
    patient.check_books()


def test_what_nobody_restores_is_reclaimed(patient):
    server = patient.create()
    delete(patient.deps, context(), DeleteServer(server))
    patient.age('operations', lease_until=700)
    patient.sweeper.sweep()
    assert state(patient, server)[0] == 'soft-delete'      # the list says so, the server does not yet
    with patient.db.write() as conn:
        servers.update(conn, server.uuid, deleted_at=server.created_at - datetime.timedelta(seconds=700))
    patient.age('operations', lease_until=700)
    patient.sweeper.sweep()
    assert patient.server(server.uuid).deleted and not patient.drivers[server.host].guests()
    assert patient.usage() == (0, 0, 0) and not patient.rows('allocations')
    patient.check_books()


def test_a_forced_delete_does_not_wait(patient):
    for again in (False, True):
        server = patient.create()
        if again:
            delete(patient.deps, context(), DeleteServer(server))
        delete(patient.deps, context(), DeleteServer(patient.server(server.uuid), force=True))
        assert patient.server(server.uuid).deleted
        assert patient.usage() == (0, 0, 0)
        patient.check_books()


def test_a_delete_of_what_is_put_aside_is_final(patient):
    server = patient.create()
    for _ in range(2):
        delete(patient.deps, context(), DeleteServer(patient.server(server.uuid)))
    assert patient.server(server.uuid).deleted and patient.usage() == (0, 0, 0)
    patient.check_books()


def test_a_server_that_never_ran_is_deleted_at_once(patient):
    patient.conductor.held = []
    server = patient.create()
    delete(patient.deps, context(), DeleteServer(server))
    assert patient.server(server.uuid).deleted


def test_an_offloaded_server_is_put_aside_and_restored_as_such(patient):
    server = patient.create()
    put_away(patient, server)
    delete(patient.deps, context(), DeleteServer(patient.server(server.uuid)))
    assert state(patient, server)[0] == 'soft-delete' and patient.usage() == (0, 0, 0)
    restore(patient.deps, context(), RestoreServer(patient.server(server.uuid)))
    assert state(patient, server)[0] == 'shelved_offloaded' and patient.usage() == (1, 1, 512)
    bring_back(patient, server)
    assert state(patient, server)[0] == 'active'
    patient.check_books()


def test_a_restore_needs_quota(patient):
    patient.conf.set_override('instances', 1, group='quota')
    server = patient.create()
    delete(patient.deps, context(), DeleteServer(server))
    patient.create()
    with pytest.raises(errors.OverQuota):
        restore(patient.deps, context(), RestoreServer(patient.server(server.uuid)))
    assert state(patient, server)[:2] == ('soft-delete', None)
    patient.check_books()


@pytest.mark.parametrize(('fault', 'left'), [('power_off', ('active', None)), ('power_on', ('soft-delete', None))])
def test_failures_on_the_host_leave_the_server_and_the_books(patient, fault, left):
    server = failing(patient, fault)
    delete(patient.deps, context(), DeleteServer(server))
    if fault == 'power_on':
        restore(patient.deps, context(), RestoreServer(patient.server(server.uuid)))
    assert state(patient, server)[:2] == left and outcome(patient)[1] == 'Error'
    patient.check_books()


def test_a_delete_during_a_restore_gives_back_once(patient):
    server = patient.create()
    delete(patient.deps, context(), DeleteServer(server))
    patient.compute.hold(server.host)
    restore(patient.deps, context(), RestoreServer(patient.server(server.uuid)))
    assert patient.usage() == (1, 1, 512)
    patient.check_books()
    delete(patient.deps, context(), DeleteServer(patient.server(server.uuid)))
    assert patient.usage() == (0, 0, 0)
    patient.compute.release(server.host)
    assert patient.server(server.uuid).deleted and patient.usage() == (0, 0, 0)
    patient.check_books()


def test_a_server_from_the_shelf_of_its_host_is_restored_without_its_image(patient):
    patient.conf.set_override('shelved_offload_time', -1)
    server = patient.create()
    put_away(patient, server)
    delete(patient.deps, context(), DeleteServer(patient.server(server.uuid)))
    restore(patient.deps, context(), RestoreServer(patient.server(server.uuid)))
    assert state(patient, server)[0] == 'active'
    tidy(patient)
    assert not images(patient)


def test_a_server_that_waits_to_be_confirmed_waits_again_after_a_restore(patient):
    server = patient.create()
    with patient.db.write() as conn:
        servers.update(conn, server.uuid, vm_state='resized')
    for handler, command in ((delete, DeleteServer), (restore, RestoreServer)):
        handler(patient.deps, context(), command(patient.server(server.uuid)))
    assert state(patient, server)[0] == 'resized' and 'was' not in patient.server(server.uuid).system_metadata


def test_nothing_is_reclaimed_while_the_operator_does_not_want_it(patient):
    server = patient.create()
    delete(patient.deps, context(), DeleteServer(server))
    patient.conf.set_override('reclaim_instance_interval', 0)
    for _ in range(12):
        patient.age('operations', lease_until=4000)
        patient.sweeper.sweep()
    assert state(patient, server)[0] == 'soft-delete'
    assert {row.state for row in patient.rows('operations') if row.kind == 'reclaim'} == {'pending'}


def test_a_reset_brings_what_was_put_aside_back_into_the_books(patient):
    server = patient.create()
    delete(patient.deps, context(), DeleteServer(server))
    change.reset_state(patient.deps, context(), change.ResetServerState(patient.server(server.uuid), 'active'))
    assert patient.usage() == (1, 1, 512)
    patient.check_books()
