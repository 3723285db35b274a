# SPDX-License-Identifier: Apache-2.0
"""The header Idempotency-Key, whatever room the request is for."""

import pytest

from tests.fixtures.rooms import ADMIN, LEGACY, MEMBER, caller, rooms

__all__ = ('rooms',)

KEY = 'f3a1'
PAIR = {'keypair': {'name': 'mine'}}
FLAVOR = {'flavor': {'name': 'small', 'id': 'small', 'ram': 64, 'vcpus': 1, 'disk': 1}}


def test_the_same_again(rooms):
    first = rooms.ask('POST', '/os-keypairs', PAIR, by=MEMBER, key=KEY)
    assert first[0] == 200 and 'Idempotent-Replayed' not in rooms.headers
    assert 'private_key' in first[1]['keypair']
    assert rooms.ask('POST', '/os-keypairs', PAIR, by=MEMBER, key=KEY) == first
    assert rooms.headers['Idempotent-Replayed'] == 'true' and rooms.headers['OpenStack-API-Version'] == 'compute 2.1'
    # Without the key, or with another one, it is a request like any other.
    assert rooms.status('POST', '/os-keypairs', PAIR, by=MEMBER) == 409
    assert rooms.status('POST', '/os-keypairs', PAIR, by=MEMBER, key='other') == 409
    # What was made may be gone by now.
    assert rooms.status('DELETE', '/os-keypairs/mine', by=MEMBER) == 202
    assert rooms.ask('POST', '/os-keypairs', PAIR, by=MEMBER, key=KEY) == first
    assert rooms.ask('GET', '/os-keypairs', by=MEMBER)[1] == {'keypairs': []}


@pytest.mark.parametrize('more', [
    {'body': {'keypair': {'name': 'other'}}}, {'version': '2.2'}, {'version': LEGACY},
    {'path': f'/{MEMBER.project_id}/os-keypairs'}, {'path': '/os-keypairs?a=b'},
    {'by': caller('ann', 'member', 'reader', project=MEMBER.project_id)},
])
def test_another_request_with_the_same_key(rooms, more):
    asked = {'path': '/os-keypairs', 'body': PAIR, 'by': MEMBER}
    assert rooms.status('POST', **asked, key=KEY) == 200
    status, fault = rooms.ask('POST', **{**asked, **more}, key=KEY)
    assert status == 409 and 'Idempotency-Key' in fault['conflictingRequest']['message']
    assert 'Retry-After' not in rooms.headers


def test_keys_of_other_projects_are_others(rooms):
    assert rooms.status('POST', '/os-keypairs', PAIR, by=MEMBER, key=KEY) == 200
    assert rooms.status('POST', '/os-keypairs', PAIR, by=ADMIN, key=KEY) == 200
    assert 'Idempotent-Replayed' not in rooms.headers


def test_actions_and_views(rooms):
    assert rooms.status('POST', '/flavors', FLAVOR) == 200
    access = {'addTenantAccess': {'tenant': 'c' * 32}}
    rooms.ask('PUT', '/flavors/small', {'flavor': {'description': 'x'}}, version='2.55')
    made = rooms.ask('POST', '/flavors', {'flavor': {**FLAVOR['flavor'], 'name': 'own', 'id': 'own',
                                                     'os-flavor-access:is_public': False}}, key='1')
    first = rooms.ask('POST', '/flavors/own/action', access, key='2')
    assert (made[0], first[0]) == (200, 200)
    assert rooms.ask('POST', '/flavors/own/action', access, key='2') == first
    assert rooms.status('POST', '/flavors/own/action', access) == 409
    assert rooms.status('DELETE', '/flavors/own') == 202
    # The path names nothing any more, and the answer is the first one all the same.
    assert rooms.ask('POST', '/flavors/own/action', access, key='2') == first


def test_what_fails_is_asked_anew(rooms):
    small = {'aggregate': {'name': 'a', 'availability_zone': 'z'}}
    assert rooms.status('POST', '/os-aggregates', small, by=MEMBER, key=KEY) == 403
    assert rooms.status('POST', '/os-aggregates', {'aggregate': {}}, key=KEY) == 400
    assert rooms.status('POST', '/os-aggregates', small, key=KEY) == 200
    assert rooms.status('POST', '/os-aggregates/1/action', {'add_host': {'host': 'h'}}, key='2') == 404
    rooms.add_host('h')
    assert rooms.status('POST', '/os-aggregates/1/action', {'add_host': {'host': 'h'}}, key='2') == 200
    assert rooms.status('POST', '/os-aggregates/1/action', {'add_host': {'host': 'h'}}, key='2') == 200


@pytest.mark.parametrize('key', ['', 'x' * 256, 'a\tb', 'ü'])
def test_keys_that_are_none(rooms, key):
    status, fault = rooms.ask('POST', '/os-keypairs', PAIR, by=MEMBER, key=key)
    assert status == 400 and 'Idempotency-Key' in fault['badRequest']['message']


@pytest.mark.parametrize('key', ['x' * 255, '"a b"', '~'])
def test_any_other_key_will_do(rooms, key):
    assert rooms.status('POST', '/os-keypairs', PAIR, by=MEMBER, key=key) == 200
    assert rooms.status('POST', '/os-keypairs', PAIR, by=MEMBER, key=key) == 200


def test_only_a_post_is_done_once(rooms):
    rooms.ask('POST', '/flavors', FLAVOR)
    rooms.ask('GET', '/flavors/small', key='\t')
    assert rooms.status('DELETE', '/flavors/small', key=KEY) == 202
    assert rooms.status('DELETE', '/flavors/small', key=KEY) == 404
