# SPDX-License-Identifier: Apache-2.0
"""Periods of the calendar after which usage is looked at."""

import datetime

from nova_lite import errors

Period = tuple[datetime.datetime, datetime.datetime]
#: unit: (lowest offset, highest offset)
UNITS = {'hour': (0, 59), 'day': (0, 23), 'month': (1, 31), 'year': (1, 12)}


def last_completed(unit_and_offset: str, before: datetime.datetime) -> Period:
    """Begin and end of the last period that was over at ``before``; the text is like ``month`` or ``day@6``.

    The offset moves the begin: minutes of an hour, hours of a day, days of a month, months of a year.
    """
    unit, offset = parse(unit_and_offset)
    end = _begin(unit, offset, before)
    return _begin(unit, offset, end - datetime.timedelta(microseconds=1)), end


def parse(text: str) -> tuple[str, int]:
    """Unit and offset; errors.Invalid if they are none."""
    unit, at, offset = text.partition('@')
    least, most = UNITS.get(unit, (0, -1))
    number = least if not at else int(offset) if offset.isascii() and offset.isdigit() else most + 1
    if not least <= number <= most:
        raise errors.Invalid(reason=f'{text!r} is not one of {", ".join(UNITS)} with an offset that it can have.')
    return unit, number


def _begin(unit: str, offset: int, moment: datetime.datetime) -> datetime.datetime:
    """The latest moment, not after ``moment``, at which a period begins."""
    whole = moment.replace(second=0, microsecond=0)
    if unit == 'hour':
        begin = whole.replace(minute=offset)
        return begin if begin <= moment else begin - datetime.timedelta(hours=1)
    whole = whole.replace(minute=0)
    if unit == 'day':
        begin = whole.replace(hour=offset)
        return begin if begin <= moment else begin - datetime.timedelta(days=1)
    whole = whole.replace(hour=0, day=1)
    if unit == 'year':
        begin = whole.replace(month=offset)
        return begin if begin <= moment else begin.replace(year=begin.year - 1)
    begin = _day(whole, offset)
    return begin if begin <= moment else _day(whole - datetime.timedelta(days=1), offset)


def _day(moment: datetime.datetime, day: int) -> datetime.datetime:
    """The day of the month of ``moment``, its last one if it has not so many."""
    after = (moment.replace(day=28) + datetime.timedelta(days=4)).replace(day=1)
    return moment.replace(day=min(day, (after - datetime.timedelta(days=1)).day))
