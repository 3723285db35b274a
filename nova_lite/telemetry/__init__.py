# SPDX-License-Identifier: Apache-2.0
"""Follows a request through HTTP, messages and SQL, for OpenTelemetry and for OSprofiler.

``start`` decides once for the process.  Whoever can be traced asks ``is_on`` when it is made and
hooks itself in only then, so that a process that traces nothing neither imports a tracing library
nor pays for a call.  What no traced request caused (heartbeats, sweeps) is in no trace.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

from oslo_config import cfg

if TYPE_CHECKING:
    from nova_lite.telemetry.profiles import Profiles
    from nova_lite.telemetry.spans import Spans

#: Called at the end of something, with the error it ended with.
End = Callable[[BaseException | None], None]


class Tracer(Protocol):
    """One way to trace. Every method belongs to the thread of the request."""

    def sending(self, topic: str, method: str) -> AbstractContextManager[Any]:
        """A message is on its way during the block."""

    def carry(self, message_context: dict[str, Any]) -> None:
        """Put into a message what the receiver needs to go on with the trace."""

    def receiving(self, message_context: Mapping[str, Any], topic: str, method: str) -> AbstractContextManager[Any]:
        """A message is worked on during the block."""

    def statement(self, text: str, database: str) -> End | None:
        """An SQL statement begins; what to call at its end, None if it is not traced."""

    def flush(self) -> None:
        """Send what is held back, before the process ends."""

    def close(self) -> None:
        """Trace nothing more."""


_LIBRARY = 'opentelemetry'

_tracers: list[Tracer] = []
_spans: 'Spans | None' = None
_profiles: 'Profiles | None' = None
_role: tuple[int, str] = (0, '')


def start(conf: Any, exporter: Any = None) -> None:
    """Trace what ``[opentelemetry]`` and ``[profiler]`` ask for, from now on and in processes forked from this.

    ``exporter`` takes the finished spans at once, in place of the one that the options name.
    errors.StartError says what is missing.
    """
    global _spans, _profiles
    stop()
    if conf.opentelemetry.enabled:
        from nova_lite.telemetry.spans import Spans
        _spans = Spans(conf, exporter)
        _tracers.append(_spans)
    if conf.profiler.enabled:
        from nova_lite.telemetry.profiles import Profiles
        _profiles = Profiles(conf)
        _tracers.append(_profiles)


def stop() -> None:
    """Trace nothing more."""
    global _spans, _profiles
    for tracer in _tracers:
        tracer.close()
    _tracers.clear()
    _spans = _profiles = None


def is_on() -> bool:
    """Whether this process traces anything."""
    return bool(_tracers)


def open_telemetry() -> 'Spans | None':
    """OpenTelemetry, where it is on."""
    return _spans


def os_profiler() -> 'Profiles | None':
    """OSprofiler, where it is on."""
    return _profiles


def name_process(role: str) -> None:
    """Say what this process is (api, conductor …); the first word counts."""
    global _role
    if _role[0] != os.getpid():
        _role = (os.getpid(), role)


def role() -> str:
    """What this process is, as far as it was said."""
    return _role[1] if _role[0] == os.getpid() else ''


def sending(topic: str, method: str) -> AbstractContextManager[Any]:
    """A message is on its way during the block."""
    return _all([tracer.sending(topic, method) for tracer in _tracers])


def carry(message_context: dict[str, Any]) -> dict[str, Any]:
    """The same context, with what the receiver needs to go on with the trace."""
    for tracer in _tracers:
        tracer.carry(message_context)
    return message_context


def receiving(message_context: Mapping[str, Any], topic: str, method: str) -> AbstractContextManager[Any]:
    """A message is worked on during the block."""
    return _all([tracer.receiving(message_context, topic, method) for tracer in _tracers])


def statement(text: str, database: str) -> list[End]:
    """An SQL statement begins; what to call at its end."""
    begun = [tracer.statement(text, database) for tracer in _tracers]
    return [end for end in begun if end is not None]


def flush() -> None:
    """Send what is held back; a worker that ends calls no exit handlers."""
    for tracer in _tracers:
        tracer.flush()


@contextlib.contextmanager
def unseen(conf: Any) -> Iterator[None]:
    """Imports in the block find no OpenTelemetry, unless somebody uses it.

    oslo.middleware would load all of it (3 MiB in each process) wherever it is installed, for a filter of its own
    that an operator may put into the paste file.
    """
    if is_on() or _LIBRARY in sys.modules or _has_filter_of_oslo(conf):
        yield
        return
    sys.modules[_LIBRARY] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[_LIBRARY]


def _has_filter_of_oslo(conf: Any) -> bool:
    probe = cfg.ConfigOpts()
    probe.register_opt(cfg.BoolOpt('enabled', default=False), group='oslo_middleware_tracing')
    probe([], default_config_files=conf.config_file or [], default_config_dirs=conf.config_dir or [])
    return bool(probe.oslo_middleware_tracing.enabled)


@contextlib.contextmanager
def _all(blocks: list[AbstractContextManager[Any]]) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for block in blocks:
            stack.enter_context(block)
        yield
