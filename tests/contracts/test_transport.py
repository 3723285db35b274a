# SPDX-License-Identifier: Apache-2.0
"""What every transport must do, on ``local://`` and on RabbitMQ."""

import concurrent.futures
import signal
import threading
import time
import uuid

import pytest

from nova_lite import errors
from nova_lite.auth.context import RequestContext
from nova_lite.objects.base import NovaLiteObject
from nova_lite.objects.host import HostReport
from nova_lite.objects.operation import Operation, OperationReport
from nova_lite.objects.server import Server
from nova_lite.rpc.compute import ComputeClient
from nova_lite.rpc.conductor import ConductorClient
from tests.fixtures.processes import wait_until

BACKENDS = ('eventlet', 'threading')


def server_object() -> Server:
    return Server(
        uuid=str(uuid.uuid4()), id=7, guest_name='instance-00000007', name='zwölf', hostname='zwolf',
        project_id='p', user_id='u', flavor={'vcpus': 1, 'extra_specs': {'hw:cpu_policy': 'dedicated'}},
        image_ref=None, image_properties={}, availability_zone='nova', config_drive=False, user_data=None,
        metadata={'k': 'v'}, key_name=None, public_key=None, admin_password=None, launch_index=0, power_state=1)


def values(thing: NovaLiteObject) -> tuple[type, dict]:
    return type(thing), {name: getattr(thing, name) for name in thing.obj_fields}


# ------------------------------------------------------------------ basics

@pytest.mark.parametrize('value', [
    None, True, 0, 'ünï', '', [], {'a': {'b': [1, 2.5, None, 'x']}}, ['x' * 100] * 20_000,
], ids=lambda value: type(value).__name__)
def test_a_call_returns_the_answer(rpc, value):
    assert rpc.client(ComputeClient).call(rpc.context, '1.0', 'echo', to=rpc.standing.name, value=value) == value


def test_a_cast_arrives_once(rpc):
    client = rpc.client(ComputeClient)
    client.cast(rpc.context, '1.0', 'note', to=rpc.standing.name, token=rpc.token, number=1)
    client.cast(rpc.context, '1.0', 'note', to=rpc.standing.name, token=rpc.token, number=2)
    assert sorted(rpc.standing.wait_for_notes(rpc.token, 2)) == [1, 2]


def test_a_fanout_reaches_every_server(rpc):
    workers = [rpc.server() for _ in range(3)]
    rpc.client()._client.prepare(fanout=True, version='1.0').cast(rpc.context, 'note', token=rpc.token, number=1)
    assert [worker.wait_for_notes(rpc.token, 1) for worker in workers] == [[1]] * 3


def test_a_call_goes_to_the_server_that_is_named(rpc):
    workers = [rpc.server() for _ in range(3)]
    client = rpc.client()
    for worker in workers * 2:
        assert client.call(rpc.context, '1.0', 'who', to=worker.name) == worker.name


def test_calls_to_anyone_are_shared(rpc):
    workers = {rpc.server().name for _ in range(2)}
    client = rpc.client()
    assert {client.call(rpc.context, '1.0', 'who') for _ in range(20)} == workers


def test_calls_at_the_same_time_get_their_own_answers(rpc):
    client = rpc.client(ComputeClient)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda number: client.call(rpc.context, '1.0', 'echo', to=rpc.standing.name, value=number),
                           range(200))
        assert list(answers) == list(range(200))


# ------------------------------------------------------------ what crosses

def test_the_context_crosses(rpc):
    context = RequestContext(user_id='ada', project_id='engine', roles=['member'], request_id=f'req-{uuid.uuid4()}',
                             global_request_id=f'req-{uuid.uuid4()}', auth_token='secret', overwrite=False)
    arrived = rpc.client(ComputeClient).call(context, '1.0', 'context', to=rpc.standing.name)
    assert arrived.pop('type') == 'RequestContext'
    assert arrived == context.to_dict()
    assert 'secret' not in str(arrived)


class Compute:
    """Takes what the compute client sends."""

    def __init__(self):
        self.got = threading.Event()

    def run_operation(self, context, operation, server):
        self.operation, self.server = operation, server
        self.got.set()

    def get_console_output(self, context, server, tail_length):
        return f'{server.uuid} {tail_length}'


def test_objects_cross_to_a_compute_host(rpc):
    compute, host, server = Compute(), rpc.name(), server_object()
    rpc.serve('compute', host, compute)
    client = ComputeClient(rpc.transport())
    operation = Operation(id=str(uuid.uuid4()), kind='build', server_uuid=server.uuid, request_id='req-1', attempt=1,
                          step='spawn', params={'count': 2})
    client.run_operation(rpc.context, host, operation, server)
    assert compute.got.wait(10)
    assert values(compute.operation) == values(operation)
    assert values(compute.server) == values(server)
    assert client.get_console_output(rpc.context, host, server, 5) == f'{server.uuid} 5'


class Conductor:
    """Takes what the conductor client sends."""

    def __init__(self):
        self.woken = threading.Event()

    def run_operation(self, context, operation_id):
        self.operation_id = operation_id
        self.woken.set()

    def report_host(self, context, report):
        return {'host': report.host, 'guests': report.guests}

    def report_operation(self, context, report):
        return report.outcome == 'succeeded'


def test_objects_cross_to_a_conductor(rpc):
    conductor = Conductor()
    rpc.serve('conductor', rpc.name(), conductor)
    client = ConductorClient(rpc.transport())
    client.run_operation(rpc.context, 'an-operation')
    assert conductor.woken.wait(10) and conductor.operation_id == 'an-operation'
    guests = {str(uuid.uuid4()): 1 for _ in range(500)}
    report = HostReport(host='h', hypervisor_hostname='h', hypervisor_type='fake', hypervisor_version=1,
                        host_ip='192.0.2.1', cpu_info={}, vcpus=8, memory_mb=1024, local_gb=10,
                        disk_available_least=None, reserved={}, ratios={}, uptime=None, traits=[], guests=guests,
                        version=1)
    assert client.report_host(rpc.context, report) == {'host': 'h', 'guests': guests}
    done = OperationReport(operation_id=str(uuid.uuid4()), server_uuid=str(uuid.uuid4()), attempt=1, host='h',
                           outcome='failed', changes={}, error={'code': 500, 'message': 'm'}, events=[])
    assert client.report_operation(rpc.context, done) is False


# ------------------------------------------------------------------ errors

def test_our_errors_come_back_as_themselves(rpc):
    with pytest.raises(errors.WrongState) as caught:
        rpc.client(ComputeClient).call(rpc.context, '1.0', 'fail', to=rpc.standing.name, kind='ours')
    assert type(caught.value) is errors.WrongState
    assert str(caught.value) == 'reboot needs vm_state active; server c0ffee has vm_state error.'
    assert caught.value.details['found'] == 'error'


def test_what_may_not_be_called_is_refused(rpc):
    for method in ('_secret', 'no_such_method'):
        with pytest.raises(errors.Error, match=method):
            rpc.client(ComputeClient).call(rpc.context, '1.0', method, to=rpc.standing.name)


def test_a_pinned_client_refuses_what_is_too_new(rpc):
    pinned = rpc.client(ComputeClient, upgrade_level='0.9')
    assert not pinned.can_send_version('1.0')
    with pytest.raises(errors.Unsupported, match='pinned to 0.9'):
        pinned.call(rpc.context, '1.0', 'who', to=rpc.standing.name)
    current = rpc.client(ComputeClient, upgrade_level='auto', lowest_version=lambda: 1)
    assert current.can_send_version('1.0') and not current.can_send_version('1.1')
    with pytest.raises(errors.Unsupported, match='who 1.1'):
        current.cast(rpc.context, '1.1', 'who', to=rpc.standing.name)


def test_a_server_refuses_a_version_it_does_not_know(rpc):
    with pytest.raises(errors.Error, match='failed to do echo'):
        rpc.client(ComputeClient, upgrade_level='2.0').call(rpc.context, '2.0', 'echo', to=rpc.standing.name, value=1)


# -------------------------------------------------------- nobody, too late

def test_an_answer_that_takes_too_long(rpc):
    client = rpc.client(ComputeClient, rpc_response_timeout=1)
    started = time.monotonic()
    with pytest.raises(errors.Unavailable, match='does not answer'):
        client.call(rpc.context, '1.0', 'hang', to=rpc.standing.name, seconds=2)
    assert time.monotonic() - started < 5


def test_a_call_to_nobody(rpc):
    started = time.monotonic()
    with pytest.raises(errors.Unavailable):
        rpc.client(rpc_response_timeout=1).call(rpc.context, '1.0', 'who', to=rpc.name())
    assert time.monotonic() - started < 5


def test_a_cast_to_nobody_ends_soon(rpc):
    started = time.monotonic()
    if rpc.is_local:
        with pytest.raises(errors.Unavailable, match='cannot be reached'):
            rpc.client().cast(rpc.context, '1.0', 'who', to=rpc.name())
    else:   # A broker takes it; whether it keeps it depends on whether that server was ever there.
        rpc.client().cast(rpc.context, '1.0', 'who', to=rpc.name())
    assert time.monotonic() - started < 5


def test_a_long_call_lives_as_long_as_its_server_does(rpc):
    client = rpc.client(ComputeClient, rpc_response_timeout=1, rpc_monitor_timeout=2)
    assert client.call_long(rpc.context, '1.0', 'hang', to=rpc.standing.name, seconds=2.3) == 'done'


# ------------------------------------------------------- processes, trouble

@pytest.mark.parametrize('backend', BACKENDS)
def test_both_backends_serve_and_ask(rpc, backend):
    there, = rpc.processes(1, backend)
    here = rpc.server()
    client = rpc.client()
    assert client.call(rpc.context, '1.0', 'relay', to=there.name, value=[1, 'x'], other=here.name) == [1, 'x']
    client.cast(rpc.context, '1.0', 'note', to=there.name, token=rpc.token, number=3)
    wait_until(lambda: client.call(rpc.context, '1.0', 'notes', to=there.name, token=rpc.token) == [3], 10)
    with pytest.raises(errors.WrongState):
        client.call(rpc.context, '1.0', 'fail', to=there.name, kind='ours')
    there.terminate()
    assert there.notes()[rpc.token] == [3]


def test_a_server_that_is_stuck_is_noticed(rpc):
    there, = rpc.processes(1)
    client = rpc.client(rpc_monitor_timeout=2)
    assert client.call(rpc.context, '1.0', 'who', to=there.name) == there.name
    there.process.send_signal(signal.SIGSTOP)
    started = time.monotonic()
    with pytest.raises(errors.Unavailable):
        client.call_long(rpc.context, '1.0', 'who', to=there.name)
    assert time.monotonic() - started < 6


def test_after_a_kill_another_server_takes_over(rpc):
    doomed, other = rpc.processes(2)
    client = rpc.client(rpc_response_timeout=20, rpc_monitor_timeout=2)
    assert {client.call(rpc.context, '1.0', 'who') for _ in range(20)} == {doomed.name, other.name}
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.call_long, rpc.context, '1.0', 'hang', to=doomed.name, seconds=30)
        assert client.call(rpc.context, '1.0', 'who', to=doomed.name) == doomed.name
        doomed.process.kill()
        # A process that is killed closes one connection after the other, and what is sent to one that is still open
        # is lost with it.
        doomed.process.wait(10)
        killed = time.monotonic()
        with pytest.raises(errors.Unavailable):
            waiting.result(10)
        assert time.monotonic() - killed < 6
    assert {client.call(rpc.context, '1.0', 'who') for _ in range(20)} == {other.name}


def test_what_was_sent_before_a_stop_is_done(rpc):
    worker = rpc.server()
    client = rpc.client()
    for number in range(100):
        client.cast(rpc.context, '1.0', 'note_behind_gate', to=worker.name, token=rpc.token, number=number)
    if not rpc.is_local:
        # What a broker has not handed out yet stays with it, for the next server of that name.
        worker.gate.set()
        worker.wait_for_notes(rpc.token, 100)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        stopped = pool.submit(worker.service.stop)
        worker.gate.set()
        stopped.result(20)
    worker.service.wait()
    assert sorted(worker.wait_for_notes(rpc.token, 100)) == list(range(100))


def test_no_cast_is_lost_or_doubled_when_a_server_stops(rpc):
    """While a thousand casts go to anyone, one of two servers is stopped in order."""
    first, second = rpc.processes(2)
    client = rpc.client()
    for number in range(1000):
        client.cast(rpc.context, '1.0', 'note', token=rpc.token, number=number)
        if number == 300:
            first.terminate()
    wait_until(lambda: first.process.poll() is not None, 30)
    noted = first.notes()[rpc.token]
    wait_until(lambda: len(client.call(rpc.context, '1.0', 'notes', to=second.name, token=rpc.token))
               >= 1000 - len(noted), 20)
    noted += client.call(rpc.context, '1.0', 'notes', to=second.name, token=rpc.token)
    assert sorted(noted) == list(range(1000))


def test_ten_thousand_casts(rpc):
    """None is lost and none doubled while nobody dies."""
    workers = rpc.processes(2)
    client = rpc.client()

    def send(number: int) -> None:
        client.cast(rpc.context, '1.0', 'note', token=rpc.token, number=number)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for _ in pool.map(send, range(10_000)):
            pass

    def noted() -> list[int]:
        return [number for worker in workers
                for number in client.call(rpc.context, '1.0', 'notes', to=worker.name, token=rpc.token)]

    wait_until(lambda: len(noted()) >= 10_000, 30)
    assert sorted(noted()) == list(range(10_000))
