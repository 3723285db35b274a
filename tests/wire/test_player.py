# SPDX-License-Identifier: Apache-2.0
"""The checks of the wire tests can fail: an expectation that nothing contradicts would prove nothing."""

from typing import Any

import pytest
import requests

from tests.wire import checks, contract, people, player

BODY = {'servers': [{'id': 'a', 'OS:x': 1}, {'id': 'b', 'OS:x': None}], 'n': 1, 'yes': True}


def seen(status: int = 200, body: bytes = b'{"servers": [{"id": "a", "OS:x": 1}, {"id": "b", "OS:x": null}], '
                                          b'"n": 1, "yes": true}') -> checks.Seen:
    answer = requests.Response()
    answer.status_code = status
    answer._content = body
    answer.headers['Vary'] = 'a, b'
    return checks.Seen.of(answer, lambda value: value)


@pytest.mark.parametrize(('path', 'value'), [
    ('$', BODY), ('servers.0.id', 'a'), ('servers.-1.id', 'b'), ('servers.*.id', ['a', 'b']), ("servers.0.'OS:x'", 1),
    ('servers.2.id', checks.MISSING), ('servers.0.id.x', checks.MISSING), ('nothing', checks.MISSING),
    ('servers.*.nothing', [checks.MISSING, checks.MISSING]), ("servers.1.'OS:x'", None)])
def test_a_path_leads_to_its_value(path: str, value: Any) -> None:
    assert checks.look(BODY, path) == value


@pytest.mark.parametrize(('good', 'bad'), [
    ({'status': 200}, {'status': 404}),
    ({'status': [200, 404]}, {'status': [404]}),
    ({}, {'status': 500}),
    ({'json': {'n': 1}}, {'json': {'n': 2}}),
    ({'json': {'yes': True}}, {'json': {'n': True}}),
    ({'json': {"servers.1.'OS:x'": None}}, {'json': {'nothing': None}}),
    ({'absent': ['m']}, {'absent': ['n']}),
    ({'present': ['n']}, {'present': ['m']}),
    ({'keys': {'servers.0': ['id', 'OS:x']}}, {'keys': {'servers.0': ['id']}}),
    ({'keys': {'$': ['servers', 'n', 'yes']}}, {'keys': {'servers': ['id']}}),
    ({'length': {'servers': 2}}, {'length': {'servers': 1}}),
    ({'match': {'servers.0.id': '^a$'}}, {'match': {'servers.0.id': '^b$'}}),
    ({'says': ['"id": "a"']}, {'says': ['c']}),
    ({'header': {'Vary': 'a.*b', 'Allow': None}}, {'header': {'Vary': None}}),
    ({}, {'header': {'Allow': 'GET'}}),
    ({}, {'fault': 'itemNotFound'}),
])
def test_an_expectation_can_be_missed(good: dict[str, Any], bad: dict[str, Any]) -> None:
    assert checks.compare(seen(), good) == []
    assert len(checks.compare(seen(), bad)) == 1


def test_a_fault_has_one_key_with_code_and_message() -> None:
    assert checks.compare(seen(404, b'{"itemNotFound": {"code": 404, "message": "No."}}'),
                          {'status': 404, 'fault': 'itemNotFound'}) == []
    for body in (b'{"itemNotFound": {"code": 400, "message": "No."}}', b'{"itemNotFound": {"code": 404}}', b'{}', b'x'):
        assert checks.compare(seen(404, body), {'status': 404, 'fault': 'itemNotFound'})


def test_what_is_waited_for() -> None:
    assert checks.still_waiting(seen(), {'until': {'n': 1}}) == []
    assert len(checks.still_waiting(seen(), {'until': {'n': 2}})) == 1


@pytest.mark.parametrize('step', [
    {'GET': '/', 'POST': '/'}, {}, {'GET': '/', 'stauts': 200}, {'GET': '/', 'who': 'no such profile'}])
def test_a_step_that_cannot_be_meant_is_refused(step: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        player.check_test({'name': 'n', 'steps': [step]}, 'file')


DOCUMENT = {
    'components': {'schemas': {'Fault': {'type': 'object', 'required': ['badRequest']}}},
    'paths': {
        '/things/{id}': {'get': {'responses': {
            '200': {'content': {'application/json': {'schema': {
                'type': 'object', 'properties': {'n': {'type': 'integer'}}, 'additionalProperties': False}}}},
            '204': {}, '400': {'content': {'application/json': {'schema': {'$ref': '#/components/schemas/Fault'}}}}}}},
        '/things/best': {'get': {'responses': {'204': {}}}},
        '/things/{id}/action': {'post': {
            'responses': {'200': {}, '202': {}}, 'x-actions': {'run': {'responses': {'202': {}}}}}}}}


@pytest.mark.parametrize(('method', 'path', 'sent', 'status', 'body', 'wrong'), [
    ('GET', '/things/1', None, 200, b'{"n": 1}', None),
    ('GET', '/0123456789abcdef0123456789abcdef/things/1', None, 200, b'{"n": 1}', None),
    ('GET', '/things/1', None, 200, b'{"n": "1"}', 'at n'),
    ('GET', '/things/1', None, 200, b'{"m": 1}', 'Additional properties'),
    ('GET', '/things/1', None, 200, b'', 'there is no body'),
    ('GET', '/things/1', None, 204, b'', None),
    ('GET', '/things/1', None, 204, b'{}', 'no body is documented'),
    ('GET', '/things/1', None, 404, b'{}', 'status 404'),
    ('GET', '/things/1', None, 400, b'{"badRequest": 1}', None),
    ('GET', '/things/1', None, 400, b'{}', 'required'),
    ('GET', '/things/best', None, 200, b'{"n": 1}', 'status 200'),
    ('POST', '/things/1/action', {'run': None}, 202, b'', None),
    ('POST', '/things/1/action', {'run': None}, 200, b'', 'status 200'),
    ('POST', '/things/1/action', {'walk': None}, 200, b'', None),
    ('PUT', '/things/1', {}, 405, b'', None),
    ('PUT', '/things/1', {}, 200, b'', 'no such operation'),
])
def test_an_answer_that_the_document_does_not_tell_of_is_found(
        method: str, path: str, sent: Any, status: int, body: bytes, wrong: str | None) -> None:
    found = contract.Document(DOCUMENT).check(method, path, sent, seen(status, body).answer)
    assert found is None if wrong is None else wrong in (found or 'nothing')


def test_profiles_speak_of_everybody() -> None:
    for profile, refused in people.PROFILES.items():
        assert set(refused) < set(people.EVERYBODY), profile
