# SPDX-License-Identifier: Apache-2.0
"""A request with a signed header is profiled through HTTP, SQL and messages, as OSprofiler's own drivers tell."""

from collections.abc import Iterator

import pytest
from osprofiler import _utils, profiler
from osprofiler.drivers import base

from nova_lite import errors, telemetry
from nova_lite.auth.context import RequestContext
from nova_lite.rpc.serializer import TracedSerializer
from tests.fixtures import processes
from tests.fixtures.traced import Everything, read

BASE = 'f1a5b3c0-5f3d-4c6e-9d0b-2f6a1a7c3e11'


def signed(key, parent=BASE):
    """The headers of a request that is to be profiled."""
    info, signature = _utils.signed_pack({'base_id': BASE, 'parent_id': parent}, key)
    return {'x_trace_info': info.decode(), 'x_trace_hmac': signature}


def on(path, **more):
    return {'profiler': {'enabled': 'true', 'hmac_keys': 'first, second', 'trace_sqlalchemy': 'true',
                         'connection_string': f'file://{path}', **more}}


@pytest.fixture
def everything(tmp_path) -> Iterator[Everything]:
    made = Everything(tmp_path, **on(tmp_path / 'events')).start()
    yield made
    made.close()


def report(tmp_path):
    return base.get_driver(f'file://{tmp_path}/events', host='desk').get_report(BASE)


def paths(node, above=()):
    """(names from the root down, node) for each event of a report."""
    for child in node['children']:
        names = (*above, child['info']['name'])
        yield names, child
        yield from paths(child, names)


def finished(tmp_path, count):
    """Whether so many messages were worked on."""
    path = tmp_path / 'events'
    return path.exists() and path.read_text().count('"rpc-stop"') == count


@pytest.mark.parametrize('key', ['first', 'second'])
def test_a_boot_is_one_trace(everything, tmp_path, key):
    everything.boot(**signed(key))
    processes.wait_until(lambda: finished(tmp_path, 3), 10)
    found = list(paths(report(tmp_path)))
    names = {names for names, _ in found}
    assert {names for names in names if 'db' not in names} == {
        ('wsgi',), ('wsgi', 'rpc'), ('wsgi', 'rpc', 'rpc'), ('wsgi', 'rpc', 'rpc', 'rpc')}
    assert ('wsgi', 'db') in names and ('wsgi', 'rpc', 'db') in names and ('wsgi', 'rpc', 'rpc', 'rpc', 'db') in names
    methods = [node['info']['meta.raw_payload.rpc-start']['info']['function']['name']
               for names, node in found if names[-1] == 'rpc']
    assert methods == ['conductor.run_operation', 'compute.run_operation', 'conductor.report_operation']


def test_neither_keys_nor_values_are_told(everything, tmp_path):
    uuid = everything.boot(**signed('first'))
    processes.wait_until(lambda: finished(tmp_path, 3), 10)
    text = (tmp_path / 'events').read_text()
    assert 'INSERT INTO servers' in text
    assert uuid not in text and 'first' not in text
    assert (tmp_path / 'events').stat().st_mode & 0o777 == 0o600
    assert [trace['base_id'] for trace in base.get_driver(f'file://{tmp_path}/events').list_traces()] == [BASE]


@pytest.mark.parametrize('headers', [{}, signed('third'), {**signed('first'), 'x_trace_hmac': '0' * 40}])
def test_a_request_that_is_not_signed_is_not_profiled(everything, tmp_path, headers):
    everything.boot(**headers)
    assert not (tmp_path / 'events').exists()


def test_statements_only_if_asked_for(tmp_path):
    made = Everything(tmp_path, **on(tmp_path / 'events', trace_sqlalchemy='false')).start()
    assert made.ask('GET', '/v2.1/flavors', **signed('first'))[0] == 200
    made.close()
    assert [names for names, _ in paths(report(tmp_path))] == [('wsgi',)]


def test_a_message_carries_no_key(everything):
    profiler.init('first', BASE)
    try:
        sent = TracedSerializer().serialize_context(RequestContext(project_id='red', overwrite=False))
    finally:
        profiler.clean()
    assert sent['trace_info'] == {'base_id': BASE, 'parent_id': BASE}


def test_a_driver_that_fails_fails_no_request(tmp_path, caplog):
    made = Everything(tmp_path, **on('/nowhere/at/all')).start()
    assert made.ask('GET', '/v2.1/flavors', **signed('first'))[0] == 200
    made.close()
    assert 'is lost: FileNotFoundError' in caplog.text


def test_notifications_need_a_transport_that_carries_them(tmp_path, caplog):
    made = Everything(tmp_path, **on('', connection_string='messaging://')).start()
    assert made.ask('GET', '/v2.1/flavors', **signed('first'))[0] == 200
    made.close()
    assert 'local:// carries no notifications' in caplog.text


def test_notifications_over_rabbitmq(tmp_path, rabbitmq):
    made = Everything(tmp_path, rabbitmq.url, **on('', connection_string='messaging://')).start()
    # Whoever reads asks the same driver; it is at work before the events are, as they wait in a queue.
    assert made.ask('GET', '/v2.1/flavors', **signed('first'))[0] == 200
    reader = base.get_driver('messaging://', conf=made.conf, host='desk', project='nova', service='api')
    found = {names for names, _ in paths(reader.get_report(BASE))}
    reader.transport.cleanup()
    made.close()
    assert {('wsgi',), ('wsgi', 'db')} <= found


def test_both_at_once(tmp_path):
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    exporter = InMemorySpanExporter()
    made = Everything(tmp_path, **on(tmp_path / 'events'), opentelemetry={'enabled': 'true'}).start(exporter)
    assert made.ask('GET', '/v2.1/flavors', **signed('first'))[0] == 200
    made.close()
    assert ('wsgi', 'db') in {names for names, _ in paths(report(tmp_path))}
    assert 'GET /v2.1/flavors' in [span.name for span in exporter.get_finished_spans()]


@pytest.mark.parametrize(('options', 'text'), [
    ({'hmac_keys': ''}, 'needs hmac_keys'),
    ({'hmac_keys': ' , '}, 'needs hmac_keys'),
    ({'connection_string': 'nosuch://'}, 'nosuch://, which no driver'),
])
def test_what_cannot_work_is_refused_at_start(tmp_path, options, text):
    with pytest.raises(errors.StartError, match=text):
        telemetry.start(read(tmp_path, **on('/x', **options)))
    assert not telemetry.is_on()
