# SPDX-License-Identifier: Apache-2.0
"""One request, one trace: through HTTP, SQL and messages, to the conductor, the compute host and back."""

import json
import re
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from nova_lite import errors, telemetry
from nova_lite.auth.context import RequestContext
from nova_lite.rpc.serializer import ContextSerializer, TracedSerializer
from tests.fixtures import processes
from tests.fixtures.traced import Everything

TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
PARENT = '00f067aa0ba902b7'
KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl'
TRACED = {'opentelemetry': {'enabled': 'true'}}


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def everything(tmp_path, exporter) -> Iterator[Everything]:
    made = Everything(tmp_path, **TRACED).start(exporter)
    yield made
    made.close()


def named(spans, name):
    found = [span for span in spans if span.name == name]
    assert found, sorted({span.name for span in spans})
    return found[0]


def path_to_root(spans, span):
    """The names from a span up to the first one that has no parent here."""
    by_id = {one.context.span_id: one for one in spans}
    names = [span.name]
    while span.parent is not None and span.parent.span_id in by_id:
        span = by_id[span.parent.span_id]
        names.append(span.name)
    return names


def test_a_boot_is_one_trace(everything, exporter):
    uuid = everything.boot(traceparent=f'00-{TRACE}-{PARENT}-01')
    # The spans of clients end after what they asked for.
    processes.wait_until(lambda: sum('/' in span.name and '/v2' not in span.name
                                     for span in exporter.get_finished_spans()) == 6, 10)
    spans = exporter.get_finished_spans()
    assert {f'{span.context.trace_id:032x}' for span in spans} == {TRACE}
    request = named(spans, 'POST /v2.1/servers')
    assert f'{request.parent.span_id:016x}' == PARENT and request.kind == SpanKind.SERVER

    boots = [span for span in spans if span.name == 'INSERT servers']
    assert [path_to_root(spans, span) for span in boots] == [['INSERT servers', 'POST /v2.1/servers']]
    # API → conductor → compute → conductor, each as a client and as a server.
    report = [span for span in spans if span.name == 'UPDATE servers'][-1]
    assert path_to_root(spans, report) == [
        'UPDATE servers', 'conductor/report_operation', 'conductor/report_operation',
        'compute/run_operation', 'compute/run_operation', 'conductor/run_operation', 'conductor/run_operation',
        'POST /v2.1/servers']
    kinds = [span.kind for span in spans if span.name == 'conductor/run_operation']
    assert sorted(kinds, key=str) == [SpanKind.CLIENT, SpanKind.SERVER]
    assert all(uuid not in str(span.attributes.get('db.query.text')) for span in spans)


def test_what_a_request_is_called(everything, exporter):
    everything.ask('GET', '/v2.1/servers/detail', openstack_api_version='compute 2.60', user_agent='me')
    span = named(exporter.get_finished_spans(), 'GET /v2.1/servers/detail')
    attributes = dict(span.attributes)
    assert re.fullmatch('req-[-0-9a-f]{36}', attributes.pop('openstack.request_id'))
    assert attributes == {
        'http.request.method': 'GET', 'http.route': '/v2.1/servers/detail', 'http.response.status_code': 200,
        'openstack.microversion': '2.60', 'url.path': '/v2.1/servers/detail', 'url.scheme': 'http',
        'client.address': '192.0.2.7', 'server.address': 'api:8774', 'user_agent.original': 'me'}
    assert span.status.status_code == StatusCode.UNSET
    assert span.parent is None


def test_a_part_of_a_path_is_not_in_the_name(everything, exporter):
    everything.ask('GET', '/v2.1/servers/00000000-0000-4000-8000-000000000000')
    span = named(exporter.get_finished_spans(), 'GET /v2.1/servers/{id}')
    assert span.attributes['http.response.status_code'] == 404
    assert span.status.status_code == StatusCode.UNSET


def test_statements_have_no_values(everything, exporter):
    everything.ask('POST', '/v2.1/os-keypairs', {'keypair': {'name': 'topsecret', 'public_key': KEY}})
    spans = exporter.get_finished_spans()
    insert = named(spans, 'INSERT keypairs')
    assert insert.attributes['db.system.name'] == 'sqlite' and insert.attributes['db.operation.name'] == 'INSERT'
    assert insert.kind == SpanKind.CLIENT
    assert not any('topsecret' in span.to_json() or 'ssh-ed25519' in span.to_json() for span in spans)


def test_a_statement_that_fails(everything, exporter):
    with pytest.raises(errors.Error, match='refused'), telemetry.open_telemetry().request({}, 'outer', {}):
        with everything.program.db.read() as conn:
            conn.execute(sa.text('SELECT secret FROM nowhere'))
    failed = named(exporter.get_finished_spans(), 'SELECT nowhere')
    assert failed.status.status_code == StatusCode.ERROR and not failed.status.description
    assert failed.attributes['error.type'] == 'OperationalError'
    # The connection can be used on.
    assert everything.ask('GET', '/v2.1/flavors')[0] == 200


def test_background_work_has_no_trace(everything, exporter):
    # By now the host has reported by a message, and the conductor has looked for work.
    with everything.program.db.read() as conn:
        conn.execute(sa.text('SELECT 1'))
    assert exporter.get_finished_spans() == ()


def test_a_sender_that_does_not_sample_is_followed(everything, exporter):
    everything.boot(traceparent=f'00-{TRACE}-{PARENT}-00')
    assert exporter.get_finished_spans() == ()


@pytest.mark.parametrize(('ratio', 'count'), [('0', 0), ('1', 3)])
def test_the_share_of_requests_that_are_traced(tmp_path, exporter, ratio, count):
    made = Everything(tmp_path, opentelemetry={'enabled': 'true', 'sample_ratio': ratio}).start(exporter)
    exporter.clear()
    for _ in range(3):
        made.ask('GET', '/v2.1/flavors')
    made.close()
    assert len([span for span in exporter.get_finished_spans() if span.kind == SpanKind.SERVER]) == count


def test_a_message_to_an_older_receiver_says_no_more_than_it_knows(everything):
    with telemetry.open_telemetry().request({}, 'outer', {}) as request:
        sent = TracedSerializer().serialize_context(RequestContext(project_id='red', overwrite=False))
        request.end(None)
    assert 'traceparent' in json.loads(json.dumps(sent))
    assert ContextSerializer().deserialize_context(sent).project_id == 'red'
