# SPDX-License-Identifier: Apache-2.0
"""Times as the database holds them: UTC without a zone, to the microsecond."""

import datetime


def utcnow() -> datetime.datetime:
    """Now."""
    return datetime.datetime.now(datetime.UTC).replace(tzinfo=None)


def parse(text: str) -> datetime.datetime:
    """A time of ISO 8601; without a zone it is UTC."""
    moment = datetime.datetime.fromisoformat(text)
    return moment.astimezone(datetime.UTC).replace(tzinfo=None) if moment.tzinfo else moment


def through(moment: datetime.datetime) -> datetime.datetime:
    """The end of the second that a time names: whoever saw it on the wire may not know the rest of it."""
    return moment if moment.microsecond else moment.replace(microsecond=999_999)


def isoformat(moment: datetime.datetime) -> str:
    """The time to the second, with the Z that the wire shows."""
    return moment.strftime('%Y-%m-%dT%H:%M:%SZ')
