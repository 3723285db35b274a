# SPDX-License-Identifier: Apache-2.0
"""The screen of a fake guest: its console's text as a picture, in letters of three by five dots."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

COLUMNS, ROWS = 80, 25
#: Dots of the picture for each dot of a letter.
_SCALE = 2
WIDTH, HEIGHT = COLUMNS * 4 * _SCALE, ROWS * 6 * _SCALE

_FOREGROUND, _BACKGROUND = (170, 220, 170), (10, 10, 20)

# The five rows of each letter, each an octal digit: 4 is the left dot, 2 the middle one, 1 the right one.
_LETTERS = {letter: tuple(map(int, rows)) for letter, rows in zip(
    'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,:;-_/\\()[]!?\'"#=+*<>%|@', (
        '25755 65656 34443 65556 74647 74644 34553 55755 72227 11152 55655 44447 57755 65555 25552 65644 25563 65655 '
        '34216 72222 55557 55552 55775 55255 55222 71247 75557 26227 71747 71317 55711 74717 74757 71122 75757 75717 '
        '00000 00002 00024 02020 02024 00700 00007 11244 44211 12221 42224 64446 31113 22202 71202 22000 55000 57575 '
        '07070 02720 05250 12421 42124 51245 22222 75743').split(), strict=True)}
_UNKNOWN = (7, 7, 7, 7, 7)


@dataclass(frozen=True)
class PixelFormat:
    """How a client of VNC wants its pixels, as on the wire."""

    bits: int = 32
    depth: int = 24
    big_endian: int = 0
    true_colour: int = 1
    maxima: tuple[int, int, int] = (255, 255, 255)
    shifts: tuple[int, int, int] = (16, 8, 0)

    @classmethod
    def unpack(cls, data: bytes) -> 'PixelFormat':
        """As it comes: 16 bytes."""
        bits, depth, big, true_colour, *numbers = struct.unpack('!BBBBHHHBBBxxx', data)
        return cls(bits, depth, big, true_colour, (numbers[0], numbers[1], numbers[2]),
                   (numbers[3], numbers[4], numbers[5]))

    def pack(self) -> bytes:
        """As it goes."""
        return struct.pack('!BBBBHHHBBBxxx', self.bits, self.depth, self.big_endian, self.true_colour, *self.maxima,
                           *self.shifts)

    def pixel(self, colour: tuple[int, int, int]) -> bytes:
        """A colour of three bytes. Bits that mean nothing are set: noVNC 1.3 takes some of them for opacity."""
        value = (1 << self.bits) - 1
        for level, most, shift in zip(colour, self.maxima, self.shifts, strict=True):
            value += (level * most // 255 - most) << shift
        return value.to_bytes(self.bits // 8, 'big' if self.big_endian else 'little')


def draw(lines: Sequence[str], wanted: PixelFormat = PixelFormat()) -> bytes:
    """The last lines as a picture, row by row."""
    on, off = (wanted.pixel(colour) for colour in (_FOREGROUND, _BACKGROUND))
    cells = [b''.join((on if dots & dot else off) * _SCALE for dot in (4, 2, 1)) + off * _SCALE for dots in range(8)]
    empty = cells[0] * COLUMNS
    shown = [*lines[-ROWS:], *[''] * ROWS][:ROWS]
    picture = bytearray()
    for line in shown:
        letters = [_LETTERS.get(letter, _UNKNOWN) for letter in line.upper()[:COLUMNS].ljust(COLUMNS)]
        for row in range(5):
            picture += b''.join(cells[letter[row]] for letter in letters) * _SCALE
        picture += empty * _SCALE
    return bytes(picture)
