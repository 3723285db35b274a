# SPDX-License-Identifier: Apache-2.0
"""Reads the microversion that a request asks for.

Two headers name it: ``OpenStack-API-Version: compute 2.x`` (since 2.27) and the older
``X-OpenStack-Nova-API-Version: 2.x``; the newer one wins.  Without either it is 2.1, and the word
``latest`` stands for the newest that is served.
"""

import re

from nova_lite import errors
from nova_lite.wsgi import window

HEADER = 'OpenStack-API-Version'
OLD_HEADER = 'X-OpenStack-Nova-API-Version'
SERVICE = 'compute'

_NUMBER = re.compile(r'([1-9]\d{0,3})\.(0|[1-9]\d{0,5})', re.ASCII)


class BadVersion(errors.Invalid):
    """The header is no version."""

    message = "API version {text!r} is not of the form MAJOR.MINOR, such as 2.1, nor the word 'latest'."


class UnknownVersion(errors.Error):
    """The version is well formed and not served (406)."""

    message = 'Version {text} is not supported by the API. Minimum is {lowest} and maximum is {highest}.'


class Versions:
    """The range 2.1 … 2.maximum."""

    def __init__(self, maximum: int) -> None:
        self.maximum = maximum
        self.lowest = f'2.{window.BASE}'
        self.highest = f'2.{maximum}'
        self._known: dict[str, int] = {f'2.{x}': x for x in range(window.BASE, maximum + 1)}
        self._known['latest'] = maximum

    def of(self, environ: dict[str, object]) -> int:
        """The minor version of a request; BadVersion (400) or UnknownVersion (406) when it has none."""
        header = environ.get('HTTP_OPENSTACK_API_VERSION')
        text = _for_compute(str(header)) if header else None
        if text is None:
            old = environ.get('HTTP_X_OPENSTACK_NOVA_API_VERSION')
            if not old:
                return window.BASE
            text = str(old).strip()
        minor = self._known.get(text)
        return minor if minor is not None else self._refuse(text)

    def _refuse(self, text: str) -> int:
        if not _NUMBER.fullmatch(text):
            raise BadVersion(text=text[:64])
        raise UnknownVersion(text=text, lowest=self.lowest, highest=self.highest)


def _for_compute(header: str) -> str | None:
    """The version of our service in a header that may hold several, separated by commas."""
    for part in header.split(','):
        words = part.split()
        if words and words[0].lower() == SERVICE:
            return words[1] if len(words) == 2 else ' '.join(words[1:])
    return None
