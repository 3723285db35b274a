# SPDX-License-Identifier: Apache-2.0
"""Limits: the keys of each version, and whose they are."""

import pytest

from nova_lite.db.queries import quotas
from tests.fixtures.rooms import ADMIN, LEGACY, MEMBER, rooms

__all__ = ('rooms',)

NETWORK = {'maxTotalFloatingIps', 'maxSecurityGroups', 'maxSecurityGroupRules', 'totalFloatingIpsUsed',
           'totalSecurityGroupsUsed'}
FILES = {'maxPersonality', 'maxPersonalitySize'}
KEPT = {'maxServerMeta', 'maxTotalInstances', 'maxTotalCores', 'maxTotalRAMSize', 'maxTotalKeypairs',
        'maxServerGroups', 'maxServerGroupMembers', 'totalInstancesUsed', 'totalCoresUsed', 'totalRAMUsed',
        'totalServerGroupsUsed'}


@pytest.mark.parametrize(('version', 'more'), [
    (LEGACY, NETWORK | FILES | {'maxImageMeta'}), ('2.35', NETWORK | FILES | {'maxImageMeta'}),
    ('2.36', FILES | {'maxImageMeta'}), ('2.38', FILES | {'maxImageMeta'}), ('2.39', FILES), ('2.56', FILES),
    ('2.57', set()), ('2.104', set())])
def test_the_keys_shrink(rooms, version, more):
    limits = rooms.ask('GET', '/limits', version=version, by=MEMBER)[1]['limits']
    assert limits['rate'] == []
    assert set(limits['absolute']) == KEPT | more


def test_an_administrator_sees_what_another_project_uses(rooms):
    rooms.db.transaction(quotas.use, MEMBER.project_id, {'instances': 1, 'cores': 2, 'ram': 3},
                         {'instances': -1, 'cores': -1, 'ram': -1})
    used = ('totalInstancesUsed', 'totalCoresUsed', 'totalRAMUsed')

    def seen(path, by):
        absolute = rooms.ask('GET', path, by=by)[1]['limits']['absolute']
        return [absolute[name] for name in used]

    other = f'/limits?tenant_id={MEMBER.project_id}'
    assert seen('/limits', MEMBER) == seen(other, ADMIN) == [1, 2, 3]
    assert seen('/limits', ADMIN) == [0, 0, 0]
    assert rooms.status('GET', other, by=MEMBER) == 403


def test_unknown_parameters_are_refused_from_2_75(rooms):
    assert [rooms.status('GET', '/limits?reserved=1', version=v) for v in ('2.56', '2.74', '2.75', '2.100')] == [
        200, 200, 400, 400]
