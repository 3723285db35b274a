# SPDX-License-Identifier: Apache-2.0
"""The commands: the only place where parts are wired together and the global configuration is read."""

import sys

from nova_lite import concurrency


def choose_backend(prog: str) -> None:
    """Green or native threads, as the environment says; to be called before anything takes what it patches."""
    try:
        concurrency.start()
    except ValueError as error:
        sys.exit(f'{prog}: {error}')
