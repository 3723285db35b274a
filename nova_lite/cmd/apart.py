# SPDX-License-Identifier: Apache-2.0
"""Work in a process of its own, so that what it imports and builds is not kept by those that are forked later."""

import os
import sys
import traceback
from collections.abc import Callable

from nova_lite import errors


def run(work: Callable[[], object]) -> None:
    """Do ``work`` in a forked process; ``StartError`` with its reason if that went wrong.

    The caller has one thread only and holds no connection that must not cross a fork.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        _do(work, writer)
    os.close(writer)
    with open(reader, encoding='utf-8') as pipe:
        reason = pipe.read()
    _, status = os.waitpid(child, 0)
    if status:
        raise errors.StartError(reason or f'A process of the start ended with status '
                                          f'{os.waitstatus_to_exitcode(status)}.')


def begin(work: Callable[[], object]) -> None:
    """Have ``work`` done in a process that nobody waits for; whatever becomes of it is its own business.

    It is nobody's child, so that no launcher takes it for one of its workers.
    """
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    if os.fork():
        os._exit(0)
    _do(work, os.open(os.devnull, os.O_WRONLY))


def _do(work: Callable[[], object], writer: int) -> None:
    status = 1
    try:
        work()
        status = 0
    except errors.Error as error:
        os.write(writer, str(error).encode())
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
