# SPDX-License-Identifier: Apache-2.0
"""What a flavor and an image wish of a guest's machine: ``hw:NAME`` of the one, ``hw_NAME`` of the other.

What a flavor says goes first, because whoever makes flavors owns the hosts.  A value that means nothing is an error and
not a default: somebody wanted something.  Source: "Useful image properties" and "Extra Specs" in the documentation of
OpenStack.
"""

from collections.abc import Collection, Mapping
from typing import Any

from nova_lite import errors

_TRUE = frozenset(('1', 't', 'true', 'on', 'y', 'yes'))
_FALSE = frozenset(('0', 'f', 'false', 'off', 'n', 'no'))


class Wishes:
    """The properties of an image and the extra specs of a flavor."""

    def __init__(self, image: Mapping[str, Any], specs: Mapping[str, Any]) -> None:
        self._image = image
        self._specs = specs

    def text(self, name: str) -> str | None:
        """What ``hw:NAME`` or ``hw_NAME`` says."""
        return self.spec(f'hw:{name}') or self.image(f'hw_{name}')

    def spec(self, name: str) -> str | None:
        """An extra spec by its whole name."""
        return _word(self._specs.get(name))

    def image(self, name: str) -> str | None:
        """A property of the image by its whole name."""
        return _word(self._image.get(name))

    def choice(self, name: str, allowed: Collection[str]) -> str | None:
        """Like ``text``, one of ``allowed``."""
        return one_of(f'hw_{name}', self.text(name), allowed)

    def truth(self, name: str) -> bool | None:
        """Like ``text``, as yes or no."""
        return truth(f'hw_{name}', self.text(name))

    def number(self, name: str) -> int | None:
        """Like ``text``, as a whole number."""
        return number(f'hw_{name}', self.text(name))


def one_of(name: str, value: str | None, allowed: Collection[str]) -> str | None:
    """The value, which has to be one of these."""
    if value is None or value in allowed:
        return value
    raise errors.HypervisorError(reason=f'{name} is {value!r}; it has to be one of {", ".join(sorted(allowed))}.')


def truth(name: str, value: str | None) -> bool | None:
    """The value as yes or no."""
    if value is None:
        return None
    word = value.lower()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise errors.HypervisorError(reason=f'{name} is {value!r}; it has to be true or false.')


def number(name: str, value: str | None) -> int | None:
    """The value as a whole number."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return int(value)
    raise errors.HypervisorError(reason=f'{name} is {value!r}; it has to be a whole number.')


def _word(value: Any) -> str | None:
    text = '' if value is None else str(value).strip()
    return text or None
