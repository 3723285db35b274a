# SPDX-License-Identifier: Apache-2.0
"""Key pairs: kinds, names, owners, pages, quota."""

import base64

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from nova_lite.model import keys
from tests.fixtures.rooms import ADMIN, HOMELESS, LEGACY, MEMBER, rooms

__all__ = ('rooms',)

PUBLIC = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJDvvz6KyAEIXYP/ls0v1VRFsO1WN3M6i8C3N5n5V1sW joe@laptop\n'
PATH = '/os-keypairs'


def body(name='key', **more):
    return {'keypair': {'name': name, 'public_key': PUBLIC, **more}}


def names(answer):
    return [entry['keypair']['name'] for entry in answer[1]['keypairs']]


@pytest.mark.parametrize(('version', 'created', 'deleted', 'typed'), [
    (LEGACY, 200, 202, False), ('2.1', 200, 202, False), ('2.2', 201, 204, True), ('2.92', 201, 204, True)])
def test_import_show_delete(rooms, version, created, deleted, typed):
    kind = {'type': 'ssh'} if typed else {}
    short = {'name': 'key', 'public_key': PUBLIC, **kind, 'fingerprint': keys.fingerprint('ssh', PUBLIC)}
    assert rooms.ask('POST', PATH, body(), version) == (created, {'keypair': {**short, 'user_id': 'root'}})
    assert rooms.ask('GET', PATH, version=version)[1] == {'keypairs': [{'keypair': short}]}
    shown = rooms.ask('GET', f'{PATH}/key', version=version)[1]['keypair']
    assert shown.pop('created_at').count(':') == 2
    assert shown == {**short, 'user_id': 'root', 'id': 1, 'deleted': False, 'updated_at': None, 'deleted_at': None}
    assert rooms.ask('DELETE', f'{PATH}/key', version=version) == (deleted, None)
    assert rooms.status('DELETE', f'{PATH}/key', version=version) == 404


@pytest.mark.parametrize(('given', 'version', 'status'), [
    (body(type='ssh'), '2.1', 400), (body(type='ssh'), LEGACY, 200), (body(type='dsa'), '2.2', 400),
    (body(user_id='x'), '2.9', 400), (body(user_id='x'), '2.10', 201),
    (body('a@b.c'), '2.91', 400), (body('a@b.c'), '2.92', 201), (body('a/b'), '2.92', 400),
    (body(' a '), '2.1', 400), (body(' a '), LEGACY, 200), (body('a\n'), '2.1', 400), (body('a' * 256), '2.1', 400),
    ({'keypair': {'name': 'a'}}, '2.92', 400),
    (body(public_key='ssh-rsa AAAA'), '2.1', 400), (body(public_key=''), '2.1', 400),
    (body(public_key='ssh-ed25519'), '2.1', 400), (body(type='x509'), '2.2', 400), ({}, '2.1', 400),
])
def test_bodies_are_checked(rooms, given, version, status):
    assert rooms.status('POST', PATH, given, version) == status


def test_a_pair_is_made_and_its_private_half_shown_once(rooms):
    status, answer = rooms.ask('POST', PATH, {'keypair': {'name': 'made'}}, '2.91')
    made = answer['keypair']
    private = serialization.load_pem_private_key(made['private_key'].encode(), None)
    public = private.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    assert status == 201 and private.key_size == 2048
    assert made['public_key'].startswith(public.decode())
    shown = rooms.ask('GET', f'{PATH}/made')[1]['keypair']
    assert 'private_key' not in shown and shown['fingerprint'] == made['fingerprint']


def test_a_certificate_is_made_and_can_be_imported(rooms):
    made = rooms.ask('POST', PATH, {'keypair': {'name': 'made', 'type': 'x509'}}, '2.2')[1]['keypair']
    certificate = x509.load_pem_x509_certificate(made['public_key'].encode())
    bundle = pkcs12.load_pkcs12(base64.b64decode(made['private_key']), None)
    alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value[0]
    assert bundle.cert.certificate == certificate
    assert alternative.value == b'\x0c\x0eroot@localhost'
    assert made['fingerprint'].count(':') == 19
    again = rooms.ask('POST', PATH, body('again', type='x509', public_key=made['public_key']), '2.2')[1]['keypair']
    assert again['fingerprint'] == made['fingerprint'] and 'private_key' not in again


def test_a_long_user_name_fits_into_a_certificate():
    certificate = x509.load_pem_x509_certificate(keys.generate(keys.X509, 'u' * 255).public_key.encode())
    alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value[0]
    assert alternative.value == b'\x0c\x82\x01\x09' + b'u' * 255 + b'@localhost'


def test_the_fingerprint_is_the_one_that_ssh_keygen_shows():
    # ssh-keygen -E md5 -lf FILE
    assert keys.fingerprint('ssh', PUBLIC) == '6a:e1:60:11:f8:05:7c:3c:9d:84:93:91:5e:ce:6b:0e'


def test_each_user_has_a_list_and_only_an_administrator_sees_others(rooms):
    rooms.ask('POST', PATH, body('mine'), by=MEMBER)
    rooms.ask('POST', PATH, body('roots'))
    assert names(rooms.ask('GET', f'{PATH}?user_id=joe', version='2.10')) == ['mine']
    assert names(rooms.ask('GET', f'{PATH}?user_id=joe', version='2.9')) == ['roots']
    assert names(rooms.ask('GET', f'{PATH}?user_id=joe', version='2.10', by=MEMBER)) == ['mine']
    assert rooms.status('POST', PATH, body('theirs', user_id='root'), '2.10', by=MEMBER) == 403
    for by in (MEMBER, HOMELESS):
        for method, path in (('GET', PATH), ('GET', f'{PATH}/roots'), ('DELETE', f'{PATH}/roots'),
                             ('GET', f'{PATH}/none')):
            assert rooms.status(method, f'{path}?user_id=root', version='2.10', by=by) == 403
    assert rooms.status('DELETE', f'{PATH}/mine?user_id=joe', version='2.10', by=ADMIN) == 204


def test_pages_begin_at_2_35(rooms):
    for name in 'cab':
        rooms.ask('POST', PATH, body(name))
    status, first = rooms.ask('GET', f'{PATH}?limit=2', version='2.35')
    assert names((status, first)) == ['a', 'b']
    assert first['keypairs_links'] == [
        {'rel': 'next', 'href': 'http://api:8774/v2.1/os-keypairs?limit=2&marker=b'}]
    assert rooms.ask('GET', f'{PATH}?limit=2&marker=b', version='2.35')[1]['keypairs'][0]['keypair']['name'] == 'c'
    assert list(rooms.ask('GET', f'{PATH}?limit=2', version='2.34')[1]) == ['keypairs']
    assert rooms.status('GET', f'{PATH}?marker=z', version='2.35') == 400
    assert rooms.status('GET', f'{PATH}?limit=-1', version='2.35') == 400
    assert [rooms.status('GET', f'{PATH}?x=1', version=v) for v in ('2.74', '2.75')] == [200, 400]


def test_the_quota_counts_what_a_user_has(rooms):
    rooms.conf.set_override('key_pairs', 1, 'quota')
    assert rooms.status('POST', PATH, body('one')) == 200
    assert rooms.status('POST', PATH, body('one')) == 403
    assert rooms.status('POST', PATH, {'keypair': {'name': 'two'}}) == 403
    assert rooms.status('POST', PATH, body('two'), by=MEMBER) == 200
    rooms.conf.set_override('key_pairs', -1, 'quota')
    assert rooms.status('POST', PATH, body('one')) == 409
    assert rooms.status('POST', PATH, body('two')) == 200
