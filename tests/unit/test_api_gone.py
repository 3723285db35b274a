# SPDX-License-Identifier: Apache-2.0
"""What was removed answers 410, at every version and whatever is sent."""

import pytest

from nova_lite.api import gone
from tests.fixtures.rooms import LEGACY, MEMBER, rooms

__all__ = ('rooms',)


def ask(rooms, row, version, by=MEMBER):
    path = row.path.replace('{id}', '1').replace('{server_id}', '1').replace('{domain_id}', 'x')
    return rooms.ask(row.method, path, {row.action: {}} if row.action else None, version, by)


def test_every_row_at_the_first_and_the_last_version(rooms):
    assert len(gone.ENDPOINTS) == 54
    for row in gone.ENDPOINTS:
        for version in (LEGACY, '2.1', '2.104'):
            status, body = ask(rooms, row, version)
            wanted = 404 if row.action == 'os-getRDPConsole' and version == '2.104' else 410
            assert (status, row.name, version) == (wanted, row.name, version)
            assert wanted == 404 or body['computeFault']['message'].startswith('This API was removed: ')


@pytest.mark.parametrize(('version', 'status'), [('2.5', 410), ('2.6', 404)])
def test_one_of_them_is_not_even_there_from_2_6(rooms, version, status):
    assert rooms.status('POST', '/servers/1/action', {'os-getRDPConsole': {'type': 'rdp-html5'}},
                        version=version) == status
