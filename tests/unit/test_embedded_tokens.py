# SPDX-License-Identifier: Apache-2.0
"""Tokens of the embedded identity: signature, expiry, revocation over restarts, pruning."""

import dataclasses
import os
import time

import pytest

from nova_lite.embedded.tokens import Claims, Tokens

KEY = b'k' * 32


@pytest.fixture
def tokens(tmp_path):
    return Tokens(str(tmp_path / 'revoked'), KEY, grace=100)


@pytest.fixture
def claims():
    now = time.time()
    return Claims('user', 'project', 'project', now, int(now) + 60, 'audit', ('password',))


def test_claims_survive_the_token(tokens, claims):
    assert tokens.read(tokens.sign(claims)) == claims


def test_any_changed_character_spoils_a_token(tokens, claims):
    token = tokens.sign(claims)
    for place in range(0, len(token) - 1, 7):
        changed = token[:place] + ('A' if token[place] != 'A' else 'B') + token[place + 1:]
        assert tokens.read(changed) is None


@pytest.mark.parametrize('token', ['', '.', 'a.b', 'é.é', 'x' * 5000, 'WzFd.', '=.='])
def test_nonsense_is_no_token(tokens, token):
    assert tokens.read(token) is None


def test_another_key_does_not_know_the_token(tokens, claims, tmp_path):
    assert Tokens(str(tmp_path / 'revoked'), b'o' * 32).read(tokens.sign(claims)) is None


def test_an_expired_token_is_read_only_in_the_grace_time(tokens, claims):
    late = tokens.sign(dataclasses.replace(claims, expires_at=int(time.time()) - 50))
    too_late = tokens.sign(dataclasses.replace(claims, expires_at=int(time.time()) - 150))
    assert tokens.read(late) is None
    assert tokens.read(late, allow_expired=True) is not None
    assert tokens.read(too_late, allow_expired=True) is None


def test_a_revocation_holds_for_other_processes_and_later_ones(tokens, claims, tmp_path):
    other = Tokens(str(tmp_path / 'revoked'), KEY)
    token = tokens.sign(claims)
    tokens.revoke(claims)
    assert other.read(token) is None
    assert Tokens(str(tmp_path / 'revoked'), KEY).read(token) is None


def test_pruning_forgets_only_what_nobody_can_use(tokens, claims, tmp_path):
    tokens.revoke(claims)
    tokens.revoke(dataclasses.replace(claims, expires_at=int(time.time()) - 50, audit_id='in-grace'))
    tokens.revoke(dataclasses.replace(claims, expires_at=int(time.time()) - 150, audit_id='gone'))
    tokens.prune()
    kept = os.listdir(tmp_path / 'revoked')
    assert len(kept) == 2
    assert not any(name.endswith('gone') for name in kept)
