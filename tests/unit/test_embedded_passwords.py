# SPDX-License-Identifier: Apache-2.0
"""Password hashes: what matches, what does not, and that nothing in a file can make a check hang."""

import pytest

from nova_lite.embedded import passwords


def test_only_the_password_itself_matches():
    hashed = passwords.hash_password('swordfish')
    assert passwords.matches('swordfish', hashed)
    assert not passwords.matches('Swordfish', hashed)
    assert 'swordfish' not in hashed


def test_two_hashes_of_one_password_differ():
    assert passwords.hash_password('swordfish', 10) != passwords.hash_password('swordfish', 10)


@pytest.mark.parametrize('hashed', [
    '', 'x', 'pbkdf2-sha256$x$AA==$AA==', 'pbkdf2-sha256$0$AA==$AA==', 'pbkdf2-sha256$99999999999$AA==$AA==',
    'md5$1$AA==$AA==', 'pbkdf2-sha256$10$*$A'])
def test_a_hash_that_cannot_be_read_matches_nothing(hashed):
    assert not passwords.matches('swordfish', hashed)


def test_a_huge_password_is_not_hashed():
    assert not passwords.matches('x' * (passwords.LONGEST + 1), passwords.hash_password('x', 10))
