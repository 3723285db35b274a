# SPDX-License-Identifier: Apache-2.0
"""The document that the API gives of itself follows the standard and the tables."""

import openapi_spec_validator
import pytest

from nova_lite import api
from nova_lite.api import history, openapi
from tests.fixtures.rooms import Rooms, rooms

__all__ = ['rooms']


@pytest.mark.parametrize('minor', [0, history.MAXIMUM])
def test_document_is_valid(minor: int) -> None:
    openapi_spec_validator.validate(openapi.document(api.endpoints(), minor))


def test_every_operation_of_a_version_is_there() -> None:
    for minor in (1, history.MAXIMUM):
        document = openapi.document(api.endpoints(), minor)
        there = {(path, method) for path, methods in document['paths'].items() for method in methods}
        assert there == {(row.path, row.method.lower()) for row in api.endpoints() if minor in row.when}


def test_every_field_says_what_it_holds() -> None:
    silent = {f'{row.name}: {field.name}' for row in api.endpoints() for show in row.show
              for field in show.view.fields if not field.kind}
    assert not silent, '\n'.join(sorted(silent))


def test_an_action_has_an_operation_of_its_own() -> None:
    action = openapi.document(api.endpoints(), history.MAXIMUM)['paths']['/servers/{id}/action']['post']
    assert list(action['x-actions']['confirmResize']['responses'])[0] == '204'
    assert {'200', '202', '204', '410'} <= action['responses'].keys()
    assert len(action['requestBody']['content']['application/json']['schema']['oneOf']) > 30


def test_the_header_decides_about_the_version(rooms: Rooms) -> None:
    old = rooms.ask('GET', '/openapi.json', version='2.1')[1]
    new = rooms.ask('GET', '/openapi.json', version=f'2.{history.MAXIMUM}')[1]
    assert (old['info']['version'], new['info']['version']) == ('2.1', f'2.{history.MAXIMUM}')
    flavor = 'post', 'requestBody', 'content', 'application/json', 'schema', 'properties', 'flavor', 'properties'
    assert 'description' not in _look(old['paths']['/flavors'], *flavor)
    assert 'description' in _look(new['paths']['/flavors'], *flavor)


def _look(found: dict, *names: str) -> dict:
    for name in names:
        found = found[name]
    return found
