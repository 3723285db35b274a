# SPDX-License-Identifier: Apache-2.0
"""The backend switch. What patches the standard library runs in a process of its own."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from nova_lite import concurrency

ROOT = Path(__file__).parents[2]
BACKENDS = ('eventlet', 'threading')


def run(code: str, backend: str | None = None) -> str:
    env = {name: value for name, value in os.environ.items() if name != 'NOVA_LITE_BACKEND'}
    if backend:
        env['NOVA_LITE_BACKEND'] = backend
    done = subprocess.run([sys.executable, '-W', 'error::RuntimeWarning', '-c', code], cwd=ROOT, env=env, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout.strip()


def test_the_package_alone_loads_no_eventlet():
    assert run("import sys, nova_lite.concurrency; print('eventlet' in sys.modules)") == 'False'


@pytest.mark.parametrize(('variable', 'argument', 'chosen'), [
    (None, None, 'eventlet'), ('threading', None, 'threading'), ('eventlet', None, 'eventlet'),
    ('eventlet', 'threading', 'threading'), (None, 'threading', 'threading'),
])
def test_argument_then_environment_then_eventlet(variable, argument, chosen):
    code = f"""
from nova_lite import concurrency
assert concurrency.start({argument!r}) == concurrency.start({argument!r}) == concurrency.backend()
from oslo_service import backend
assert backend.get_backend_type().value == concurrency.backend() == concurrency.executor_name()
print(concurrency.backend())
"""
    assert run(code, variable) == chosen


def test_eventlet_patches_the_standard_library_and_threading_does_not_know_it():
    code = """
from nova_lite import concurrency
concurrency.start()
import oslo_messaging, sys, threading, time
module = sys.modules.get('eventlet')
print(bool(module), bool(module) and all(module.patcher.is_monkey_patched(what) for what in ('socket', 'thread', 'os')))
"""
    assert run(code, 'eventlet') == 'True True'
    assert run(code, 'threading') == 'False False'


def test_starting_is_quiet():
    for backend in BACKENDS:
        assert run('from nova_lite import concurrency; concurrency.start(); import oslo_messaging', backend) == ''


def test_psycopg2_is_made_green_when_it_is_loaded_and_not_before():
    pytest.importorskip('psycopg2')
    code = """
from nova_lite import concurrency
concurrency.start()
import sys
assert 'psycopg2' not in sys.modules
import psycopg2
from psycopg2 import extensions
print(extensions.get_wait_callback() is not None, psycopg2.__spec__.loader is psycopg2.__loader__)
"""
    assert run(code, 'eventlet') == 'True True'
    assert run(code, 'threading') == 'False True'


def test_an_unknown_backend_is_refused():
    code = 'from nova_lite import concurrency\ntry: concurrency.start()\nexcept ValueError as error: print(error)'
    assert run(code, 'asyncio') == "The concurrency backend must be one of eventlet, threading, not 'asyncio'."


def test_a_started_backend_cannot_be_changed():
    with pytest.raises(RuntimeError, match='is threading already, it cannot become eventlet'):
        concurrency.start('eventlet')


@pytest.mark.parametrize('backend', BACKENDS)
def test_what_is_spawned_runs_beside(backend):
    code = """
from nova_lite import concurrency
concurrency.start()
import threading
gate = threading.Event()
waiting = [concurrency.spawn(gate.wait) for _ in range(10)]
concurrency.sleep(0)
assert not any(future.done() for future in waiting)
gate.set()
assert all(future.result(10) for future in waiting)
failed = concurrency.spawn(int, 'x')
assert isinstance(failed.exception(10), ValueError)
pool = concurrency.Pool(2)
running, most = [], []
def work(number):
    running.append(number)
    most.append(len(running))
    concurrency.sleep(0.001)
    running.remove(number)
    return number
futures = [pool.spawn(work, number) for number in range(20)]
assert pool.wait(10)
assert [future.result() for future in futures] == list(range(20)) and max(most) <= 2
print('done')
"""
    assert run(code, backend).splitlines()[-1] == 'done'


def test_blocking_work_does_not_hold_up_green_threads():
    code = """
from nova_lite import concurrency
concurrency.start()
import threading, eventlet.patcher
native = eventlet.patcher.original('threading')
gate = native.Event()
blocked = concurrency.spawn(concurrency.run_in_thread, gate.wait, 20)
concurrency.sleep(0.01)
gate.set()      # not reached for 20 seconds if the wait blocked the hub
print(blocked.result(5))
"""
    assert run(code, 'eventlet') == 'True'


def test_native_work_stays_in_its_thread():
    assert concurrency.run_in_thread(threading.get_ident) == threading.get_ident()


def test_the_http_server_needs_eventlet():
    with pytest.raises(RuntimeError, match='runs on the eventlet backend only'):
        concurrency.http_server(None, None)


@pytest.mark.parametrize('backend', BACKENDS)
def test_a_native_thread_wakes_whoever_waits_and_nobody_else_is_held_up(backend):
    assert run("""
from nova_lite import concurrency
concurrency.start()
import threading, time
signal, go = concurrency.Signal(), concurrency.Signal()
assert not signal.wait(0.01)
native = []
def work():
    native.append(True)
    signal.set()
concurrency.start_native_thread(work, 'worker')
assert signal.wait(30) and native
def twice():
    signal.set(); signal.set()
    native.append(True)
concurrency.start_native_thread(twice, 'worker')
while len(native) < 2:
    time.sleep(0.001)
assert signal.wait(30)
assert not signal.wait(0.01)
turns = []
def others():
    for _ in range(3):
        turns.append(True)
        time.sleep(0)
    go.set()
concurrency.spawn(others)
print(go.wait(30), len(turns))
""", backend) == 'True 3'
