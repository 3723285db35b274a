# SPDX-License-Identifier: Apache-2.0
"""nova-api serves the metadata API beside the compute API, and each request is followed through all processes."""

import base64
import hashlib
import hmac
import json

import requests

from tests.fixtures import service as services
from tests.fixtures.user import admin

SECRET = 'known to the agent'
TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
CONFIG = f"""
[DEFAULT]
enabled_apis = osapi_compute,metadata
[neutron]
service_metadata_proxy = true
metadata_proxy_shared_secret = {SECRET}
[opentelemetry]
enabled = true
exporter = file
"""


def test_the_metadata_of_a_server(tmp_path):
    (tmp_path / 'more.conf').write_text(CONFIG)
    with services.running(tmp_path / 'state', '--config-file', str(tmp_path / 'more.conf')) as service:
        user = admin(service)
        uuid = user.boot('web', metadata={'role': 'db'}, user_data=base64.b64encode(b'#!/bin/sh').decode())
        project = user.show(uuid)['tenant_id']
        url = f'http://127.0.0.1:{service.port + 1}'
        headers = {'X-Instance-ID': uuid, 'X-Tenant-ID': project,
                   'X-Instance-ID-Signature': hmac.new(SECRET.encode(), uuid.encode(), hashlib.sha256).hexdigest()}

        def ask(path, **more):
            return requests.get(url + path, timeout=30, headers={**headers, **more})

        assert requests.get(url, timeout=30).text.startswith('1.0\n2007-01-19\n')
        meta = ask('/openstack/latest/meta_data.json').json()
        assert (meta['uuid'], meta['name'], meta['meta']) == (uuid, 'web', {'role': 'db'})
        assert ask('/openstack/latest/user_data').content == ask('/latest/user-data').content == b'#!/bin/sh'
        assert ask('/2009-04-04/meta-data/hostname').text == 'web.novalocal'
        assert ask('/latest/meta-data/', **{'X-Instance-ID-Signature': ''}).status_code == 403
        assert ask('/nothing').status_code == 404
        assert ask('/latest').headers['x-compute-request-id'].startswith('req-')
        user.delete(uuid)
        assert 'metadata serves on port' in service.log()


def test_the_trace_of_a_request(tmp_path):
    (tmp_path / 'more.conf').write_text(CONFIG)
    with services.running(tmp_path / 'state', '--config-file', str(tmp_path / 'more.conf')) as service:
        user = admin(service)
        answer = requests.post(f'{user.url}/servers', timeout=30, headers={
            'X-Auth-Token': user.token, 'OpenStack-API-Version': 'compute 2.60',
            'traceparent': f'00-{TRACE}-00f067aa0ba902b7-01'}, json={'server': {
                'name': 'one', 'imageRef': user.image, 'flavorRef': '42', 'networks': 'none'}})
        user.wait_for([answer.json()['server']['id']])
    # Each worker hands over what it still has when it ends.
    path = tmp_path / 'state' / 'traces.jsonl'
    spans = [json.loads(line) for line in path.read_text().splitlines()]
    mine = {span['context']['span_id']: span for span in spans if span['context']['trace_id'] == f'0x{TRACE}'}
    told = {(span['resource']['attributes']['service.name'], span['name']) for span in mine.values()}
    assert {('nova-api', 'POST /v2.1/servers'), ('nova-conductor', 'conductor/run_operation'),
            ('nova-compute', 'compute/run_operation'), ('nova-conductor', 'conductor/report_operation')} <= told
    [report] = [span for span in mine.values() if span['name'] == 'conductor/report_operation'
                and span['kind'] == 'SpanKind.SERVER']
    above = []
    while report['parent_id'] in mine:
        report = mine[report['parent_id']]
        above.append(report['resource']['attributes']['service.name'])
    assert above == ['nova-compute'] * 2 + ['nova-conductor'] * 2 + ['nova-api'] * 2
    assert path.stat().st_mode & 0o777 == 0o600
