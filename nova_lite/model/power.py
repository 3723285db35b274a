# SPDX-License-Identifier: Apache-2.0
"""What a guest does now, in the numbers that clients of the API know."""

import enum


class Power(enum.IntEnum):
    """Power states; the missing numbers were given up long ago."""

    NOSTATE = 0
    RUNNING = 1
    PAUSED = 3
    SHUTDOWN = 4
    CRASHED = 6
    SUSPENDED = 7
