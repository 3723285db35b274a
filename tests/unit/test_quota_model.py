# SPDX-License-Identifier: Apache-2.0
"""Arithmetic of quotas."""

from nova_lite.model import quotas

FLAVOR = {'vcpus': 2, 'ram': 1024}
LIMITS = {'instances': 10, 'cores': 20, 'ram': 4096}


def test_use_of():
    assert quotas.use_of(FLAVOR, 3) == {'instances': 3, 'cores': 6, 'ram': 3072}


def test_most():
    assert quotas.most(FLAVOR, {}, LIMITS) == 4
    assert quotas.most(FLAVOR, {'cores': 19}, LIMITS) == 0
    assert quotas.most(FLAVOR, {'ram': 9999}, LIMITS) == 0
    assert quotas.most(FLAVOR, {}, {**LIMITS, 'ram': -1}) == 10
    assert quotas.most(FLAVOR, {}, dict.fromkeys(LIMITS, -1)) is None


def test_exceeded():
    assert quotas.exceeded(quotas.use_of(FLAVOR, 5), {'cores': 11}, LIMITS) == ['cores', 'ram']
