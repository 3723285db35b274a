# SPDX-License-Identifier: Apache-2.0
"""Which regular expressions of a client are taken, and that a taken one never takes long."""

import time

import pytest

from nova_lite import errors
from nova_lite.db import patterns
from nova_lite.db.queries.server_filters import address_pattern


@pytest.mark.parametrize('pattern', [
    '', 'web', '^web-[0-9]+$', 'a|b', '(web|db)', '(?:web|db)-.*', r'10\.0\.0\.\d+', 'x{2,3}', 'a.*b.*c', 'ö+?',
    '[]a]', '[^]a]', r'[\w.-]+', 'a{', '(ab)?c', '{', '-'])
def test_taken(pattern):
    assert ''.join(patterns.check('name', pattern)) == pattern


@pytest.mark.parametrize('pattern', [
    '(', ')', '[', '*', 'a**', 'a*+', 'a++', '(?i)a', '(?=a)', '(?P<n>a)', r'\bweb', r'(a)\1', r'\Aa', '\\',
    '(a+)+', '(a|a)*', '((a*)b)*', '(a{1,9}){9}', 'a*' * 7, '.*.*.*.*x', 'x' * 256])
def test_refused(pattern):
    with pytest.raises(errors.Invalid, match='name'):
        patterns.check('name', pattern)


def test_the_slowest_that_is_taken_is_fast_enough():
    pattern = '.*.*.*x'
    patterns.check('name', pattern)
    begin = time.perf_counter()
    assert patterns.matches(pattern, 'a' * 255) is False
    assert time.perf_counter() - begin < 2


def test_null_matches_nothing():
    assert patterns.matches('', None) is None


TEXT = '{"net":[{"addr":"10.0.0.5","version":4,"mac":"fa:16"},{"addr":"fd00::5","version":6}]}'


@pytest.mark.parametrize(('pattern', 'version', 'found'), [
    ('10.0', 4, True), ('^10.0.0.5$', 4, True), ('^0', 4, False), ('0$', 4, False), ('fa:16', 4, False),
    ('net', 4, False), ('fd00', 4, False), ('fd00', 6, True), ('^fd00::5$', 6, True), ('10', 6, False),
    ('^11|0.5$', 4, True), ('^(11|10)[.]', 4, True), ('5.*4', 4, False), (r'5\D*4', 4, False),
    ('5[^x]*4', 4, False), ('', 6, True), (r'\$', 4, False)])
def test_an_address_pattern_matches_addresses_only(pattern, version, found):
    assert patterns.matches(address_pattern('ip', pattern, version), TEXT) is found
