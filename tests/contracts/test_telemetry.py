# SPDX-License-Identifier: Apache-2.0
"""Tracing: what it costs when it is off, where spans go, and what cannot work."""

import contextlib
import http.server
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from nova_lite import errors, telemetry
from nova_lite.wsgi import provided
from nova_lite.wsgi.middleware import bees_profiler, osprofiler
from tests.fixtures.traced import read

ROOT = Path(__file__).parents[2]
PRELUDE = """
import sys, pathlib
from nova_lite import errors, telemetry
from tests.fixtures.traced import read
path = pathlib.Path(sys.argv[1])
"""


@pytest.fixture(autouse=True)
def off_afterwards() -> Iterator[None]:
    yield
    telemetry.stop()


def span(name: str = 'one', status: int | None = 200) -> None:
    """A request that is over at once."""
    with telemetry.open_telemetry().request({}, name, {}) as request:
        request.end(status)


def run(code: str, *arguments: str, **environment: str) -> 'subprocess.CompletedProcess[str]':
    """Run code in a process of its own."""
    return subprocess.run([sys.executable, '-W', 'ignore', '-c', code, *arguments], cwd=ROOT, text=True, timeout=60,
                          capture_output=True, check=False, env={**os.environ, **environment})


# ---------------------------------------------------------------------- off

MADE = """
import sys, pathlib
from nova_lite import concurrency
concurrency.start(sys.argv[2])
from nova_lite import conf as options
from nova_lite.cmd import wiring
from tests.fixtures.traced import read
conf = options.use(read(pathlib.Path(sys.argv[1])))
program = wiring.Program(conf)
program.prepare_database()
wiring.load_api(program, 'osapi_compute')
program.listen('conductor', 'h', object())
import nova_lite.conductor.manager, nova_lite.compute.manager
print(*sorted(name for name in sys.modules if name.split('.')[0] in ('opentelemetry', 'osprofiler')))
"""


@pytest.mark.parametrize('backend', ['eventlet', 'threading'])
def test_off_it_imports_nothing(tmp_path, backend):
    result = run(MADE, str(tmp_path), backend)
    assert (result.returncode, result.stdout) == (0, '\n'), result.stderr


def test_off_the_filters_are_not_there(tmp_path):
    provided.provide(conf=read(tmp_path))
    for module in (bees_profiler, osprofiler):
        assert module.factory({})(test_off_it_imports_nothing) is test_off_it_imports_nothing


def test_off_nothing_is_wrapped(tmp_path):
    from nova_lite.db import traced
    from nova_lite.db.engine import Database
    from nova_lite.rpc import server, transport
    from nova_lite.rpc.conductor import ConductorClient
    conf = read(tmp_path)
    database = Database(conf)
    assert traced._begin not in list(database.engine.dispatch.before_cursor_execute)
    client = ConductorClient(transport.get_transport(conf))
    assert type(client._client).__module__.startswith('oslo_messaging')
    listener = server.Server(client._client.transport, 'conductor', 'h', [object()])
    assert type(listener._dispatcher()) is server._Dispatcher
    database.dispose()


def test_the_filter_of_oslo_can_be_used_all_the_same(tmp_path):
    # Hidden from oslo.middleware is only what nobody uses.
    code = (f"{PRELUDE}with telemetry.unseen(read(path, oslo_middleware_tracing={{'enabled': sys.argv[2]}})):\n"
            '    import oslo_middleware.tracing\nprint(oslo_middleware.tracing._OTEL_AVAILABLE)\n')
    assert run(code, str(tmp_path), 'true').stdout == 'True\n'
    assert run(code, str(tmp_path), 'false').stdout == 'False\n'


# ------------------------------------------------------------------ exporters

@contextlib.contextmanager
def collector() -> Iterator[tuple[str, list[Any]]]:
    """URL of a collector, and what it has got."""
    got: list[Any] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            message = ExportTraceServiceRequest()
            message.ParseFromString(self.rfile.read(int(self.headers['Content-Length'])))
            got.append(message)
            self.send_response(200)
            self.send_header('Content-Length', '0')
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    with http.server.HTTPServer(('127.0.0.1', 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f'http://127.0.0.1:{server.server_port}/v1/traces', got
        server.shutdown()
        thread.join()


def test_spans_reach_a_collector(tmp_path):
    with collector() as (url, got):
        telemetry.start(read(tmp_path, opentelemetry={'enabled': 'true', 'endpoint': url, 'service_name': 'mine'}))
        span()
        telemetry.flush()
        telemetry.stop()
    resource = got[0].resource_spans[0]
    attributes = {one.key: one.value.string_value for one in resource.resource.attributes}
    assert attributes['service.name'].startswith('mine') and attributes['host.name'] == 'desk'
    assert [one.name for one in resource.scope_spans[0].spans] == ['one']


def test_a_collector_that_is_away_holds_nothing_up(tmp_path):
    telemetry.start(read(tmp_path, opentelemetry={'enabled': 'true', 'endpoint': 'http://127.0.0.1:9/v1/traces'}))
    span()
    begin = time.monotonic()
    telemetry.flush()
    telemetry.flush()
    assert time.monotonic() - begin < 5


FORKS = """
import os, pathlib, sys
from nova_lite import concurrency
concurrency.start(sys.argv[2])
from nova_lite import telemetry
from tests.fixtures.traced import read
telemetry.start(read(pathlib.Path(sys.argv[1]), opentelemetry={'enabled': 'true', 'exporter': 'file'}))
def work(name):
    telemetry.name_process(name)
    with telemetry.open_telemetry().request({}, name, {}) as request:
        request.end(200)
    telemetry.flush()
if sys.argv[3] == 'before':
    work('parent')
for name in ('api', 'conductor'):
    if not os.fork():
        work(name)
        os._exit(0)
for _ in range(2):
    assert os.wait()[1] == 0
if sys.argv[3] == 'after':
    work('parent')
"""


@pytest.mark.parametrize('backend', ['eventlet', 'threading'])
@pytest.mark.parametrize('when', ['before', 'after'])
def test_each_process_has_an_exporter_of_its_own(tmp_path, backend, when):
    result = run(FORKS, str(tmp_path), backend, when)
    assert result.returncode == 0, result.stderr
    path = tmp_path / 'traces.jsonl'
    spans = [json.loads(line) for line in path.read_text().splitlines()]
    assert sorted((one['name'], one['resource']['attributes']['service.name']) for one in spans) == [
        ('api', 'nova-api'), ('conductor', 'nova-conductor'), ('parent', 'nova-parent')]
    assert len({one['resource']['attributes']['process.pid'] for one in spans}) == 3
    assert path.stat().st_mode & 0o777 == 0o600


def test_spans_on_the_console(tmp_path):
    code = (f"{PRELUDE}telemetry.start(read(path, opentelemetry={{'enabled': 'true', 'exporter': 'console'}}))\n"
            "with telemetry.open_telemetry().request({}, 'one', {}) as request:\n    request.end(503)\n"
            'telemetry.flush()\n')
    printed = json.loads(run(code, str(tmp_path)).stdout)
    assert printed['name'] == 'one' and printed['status'] == {'status_code': 'ERROR'}


def test_a_trace_is_handed_on_without_an_exporter(tmp_path):
    telemetry.start(read(tmp_path, opentelemetry={'enabled': 'true', 'exporter': 'none'}))
    with telemetry.open_telemetry().request({}, 'one', {}) as request:
        assert telemetry.carry({})['traceparent'].startswith('00-')
        request.end(200)
    assert telemetry.carry({}) == {}


# --------------------------------------------------------------------- errors

def without(module: str) -> str:
    """Code that starts tracing where a package is not installed."""
    return (f"{PRELUDE}sys.modules['{module}'] = None\n"
            "try:\n    telemetry.start(read(path, opentelemetry={'enabled': 'true'}))\n"
            'except errors.StartError as error:\n    print(error)\n')


@pytest.mark.parametrize('module', ['opentelemetry.sdk', 'opentelemetry.exporter'])
def test_a_missing_package_is_named_with_the_way_to_get_it(tmp_path, module):
    printed = run(without(module), str(tmp_path)).stdout
    assert module in printed and printed.endswith('pip install nova-lite[telemetry]\n')


def test_a_file_that_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(errors.StartError, match='/nowhere/traces cannot be written'):
        telemetry.start(read(tmp_path, opentelemetry={
            'enabled': 'true', 'exporter': 'file', 'file': '/nowhere/traces'}))
    assert not telemetry.is_on()


# --------------------------------------------------------------- the HTTP span

@pytest.fixture
def exporter(tmp_path) -> InMemorySpanExporter:
    made = InMemorySpanExporter()
    telemetry.start(read(tmp_path, opentelemetry={'enabled': 'true'}), made)
    return made


def ask(app: Any) -> Any:
    environ = {'REQUEST_METHOD': 'GET', 'PATH_INFO': '/x', 'SCRIPT_NAME': '/v2.1', 'wsgi.url_scheme': 'http'}
    return bees_profiler.factory({})(app)(environ, lambda status, headers, error=None: None)


def test_a_span_lasts_as_long_as_the_answer(exporter):
    def app(environ: Any, start: Any) -> Iterator[bytes]:
        start('200 OK', [])
        yield b'a'
        yield b'b'

    answer = ask(app)
    assert exporter.get_finished_spans() == ()
    assert list(answer) == [b'a', b'b']
    answer.close()
    [one] = exporter.get_finished_spans()
    assert one.name == 'GET' and one.attributes['url.path'] == '/v2.1/x'
    assert one.attributes['http.response.status_code'] == 200


@pytest.mark.parametrize('error', [errors.Conflict(reason='it is taken'), ValueError('a secret value')])
def test_an_application_that_raises(exporter, error):
    def app(environ: Any, start: Any) -> Any:
        raise error

    with pytest.raises(type(error)):
        ask(app)
    [one] = exporter.get_finished_spans()
    assert one.status.status_code.name == 'ERROR' and one.attributes['error.type'] == type(error).__name__
    assert one.status.description == ('it is taken' if isinstance(error, errors.Error) else None)
    assert not one.events


def test_a_server_error_is_an_error(exporter):
    def app(environ: Any, start: Any) -> list[bytes]:
        start('503 Service Unavailable', [])
        return [b'']

    ask(app)
    [one] = exporter.get_finished_spans()
    assert one.status.status_code.name == 'ERROR' and one.attributes['error.type'] == '503'


@pytest.mark.parametrize('traceparent', ['', 'nonsense', '00-' + '0' * 32 + '-00f067aa0ba902b7-01'])
def test_a_traceparent_that_is_none_begins_a_new_trace(exporter, traceparent):
    with telemetry.open_telemetry().request({'traceparent': traceparent}, 'one', {}) as request:
        request.end(200)
    assert exporter.get_finished_spans()[0].parent is None
