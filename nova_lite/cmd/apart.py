# SPDX-License-Identifier: Apache-2.0
"""Work in a process of its own, so that what it imports and builds is not kept by those that are forked later."""

import contextlib
import os
import select
import signal
import sys
import traceback
from collections.abc import Callable, Iterator

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
    if _is_begun():
        _do(work, os.open(os.devnull, os.O_WRONLY))


@contextlib.contextmanager
def beside(work: Callable[[Callable[[float], bool]], object]) -> Iterator[None]:
    """Have ``work(ended)`` done in a process that lives no longer than the block, and then is waited for.

    ``ended(seconds)`` waits for the end of the block, and says whether it has come.  Ctrl-C is the caller's business.
    """
    stop, stopper = os.pipe()
    alive, life = os.pipe()
    if _is_begun():
        # All who have the other ends are the caller and what it forks, so they close with the last of these.
        os.close(stopper)
        os.close(alive)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _do(lambda: work(lambda seconds: bool(select.select([stop], [], [], seconds)[0])), os.dup(life))
    os.close(stop)
    os.close(life)
    try:
        yield
    finally:
        os.close(stopper)
        select.select([alive], [], [])
        os.close(alive)


def _is_begun() -> bool:
    """True in a new process that is nobody's child."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return False
    if os.fork():
        os._exit(0)
    return True


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
