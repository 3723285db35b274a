# SPDX-License-Identifier: Apache-2.0
"""Periods of the calendar."""

import datetime

import pytest

from nova_lite import errors
from nova_lite.model import periods


@pytest.mark.parametrize(('text', 'before', 'begin', 'end'), [
    ('hour', '2026-03-01T00:30', '2026-02-28T23:00', '2026-03-01T00:00'),
    ('hour@30', '2026-03-01T00:29', '2026-02-28T22:30', '2026-02-28T23:30'),
    ('day', '2026-03-01T00:00', '2026-02-28T00:00', '2026-03-01T00:00'),
    ('day@6', '2026-03-01T05:59', '2026-02-27T06:00', '2026-02-28T06:00'),
    ('month', '2026-01-15T00:00', '2025-12-01T00:00', '2026-01-01T00:00'),
    ('month@15', '2026-03-14T23:00', '2026-01-15T00:00', '2026-02-15T00:00'),
    ('month@31', '2026-03-01T00:00', '2026-01-31T00:00', '2026-02-28T00:00'),
    ('year', '2026-01-01T00:00', '2025-01-01T00:00', '2026-01-01T00:00'),
    ('year@4', '2026-03-31T23:00', '2024-04-01T00:00', '2025-04-01T00:00')])
def test_last_completed(text, before, begin, end):
    when = datetime.datetime.fromisoformat
    assert periods.last_completed(text, when(before)) == (when(begin), when(end))


@pytest.mark.parametrize('text', ['week', 'hour@60', 'day@24', 'month@0', 'year@13', 'day@', 'day@x', 'day@-1', ''])
def test_what_is_none(text):
    with pytest.raises(errors.Invalid):
        periods.parse(text)
