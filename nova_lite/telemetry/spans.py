# SPDX-License-Identifier: Apache-2.0
"""Spans for OpenTelemetry; imported only where it is on.

Each process makes its tracer when it has its first span: the exporter has a thread, and threads do
not survive the fork of a worker.
"""

import contextlib
import functools
import os
import re
import threading
from collections.abc import Iterator, Mapping
from typing import IO, Any

from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from nova_lite import errors, telemetry

SCOPE = 'nova_lite'
REQUEST_ID = 'openstack.request_id'

_PROPAGATOR = TraceContextTextMapPropagator()
# A collector that is away must not hold up the end of a service.
_FLUSH_SECONDS = 2.0
_TABLE = re.compile(r'\b(?:FROM|INTO|UPDATE)\s+"?(\w+)')


class Spans:
    """One trace for each request, with a span for each message and each statement."""

    def __init__(self, conf: Any, exporter: Any = None) -> None:
        self._conf = conf
        self._options = conf.opentelemetry
        self._given = exporter
        self._lock = threading.Lock()
        self._flushing = threading.Thread()
        self._pid = 0
        self._provider: Any = None
        self._tracer: Any = None
        if exporter is None:
            _check(self._options)

    @property
    def tracer(self) -> Any:
        """The tracer of this process."""
        if self._pid != os.getpid():
            with self._lock:
                if self._pid != os.getpid():
                    self._provider = self._make_provider()
                    self._tracer = self._provider.get_tracer(SCOPE)
                    self._pid = os.getpid()
        return self._tracer

    @contextlib.contextmanager
    def request(self, carrier: Mapping[str, str], name: str, attributes: Mapping[str, Any]) -> Iterator['Request']:
        """An HTTP request, current during the block; the caller ends it unless the block raises."""
        parent = _PROPAGATOR.extract(carrier)
        span = self.tracer.start_span(name, context=parent, kind=trace.SpanKind.SERVER, attributes=attributes)
        with _current(span):
            try:
                yield Request(span)
            except BaseException as error:
                _fail(span, error)
                span.end()
                raise

    @contextlib.contextmanager
    def sending(self, topic: str, method: str) -> Iterator[None]:
        """A message is on its way during the block."""
        if not trace.get_current_span().get_span_context().is_valid:
            yield
            return
        with self._block(f'{topic}/{method}', trace.SpanKind.CLIENT, None, _rpc(topic, method)):
            yield

    def carry(self, message_context: dict[str, Any]) -> None:
        """Put ``traceparent`` into a message."""
        _PROPAGATOR.inject(message_context)

    @contextlib.contextmanager
    def receiving(self, message_context: Mapping[str, Any], topic: str, method: str) -> Iterator[None]:
        """A message is worked on during the block."""
        parent = _PROPAGATOR.extract(message_context)
        if not trace.get_current_span(parent).get_span_context().is_valid:
            yield
            return
        attributes = _rpc(topic, method)
        if message_context.get('request_id'):
            attributes[REQUEST_ID] = message_context['request_id']
        with self._block(f'{topic}/{method}', trace.SpanKind.SERVER, parent, attributes):
            yield

    def statement(self, text: str, database: str) -> telemetry.End | None:
        """A statement of a request that is traced begins. Its text has places for values, and no values."""
        if not trace.get_current_span().is_recording():
            return None
        verb, name = _summary(text)
        span = self.tracer.start_span(name, kind=trace.SpanKind.CLIENT, attributes={
            'db.system.name': database, 'db.operation.name': verb, 'db.query.text': text})

        def end(error: BaseException | None) -> None:
            if error is not None:
                _fail(span, error)
            span.end()
        return end

    def flush(self) -> None:
        """Send what waits for the next batch."""
        if self._provider is None or self._pid != os.getpid() or self._flushing.is_alive():
            return
        # The library's own limit is not kept.
        self._flushing = threading.Thread(target=self._provider.force_flush, name='flush spans', daemon=True)
        self._flushing.start()
        self._flushing.join(_FLUSH_SECONDS)

    def close(self) -> None:
        """End the exporter of this process."""
        if self._provider is not None and self._pid == os.getpid():
            self._provider.shutdown()

    @contextlib.contextmanager
    def _block(self, name: str, kind: trace.SpanKind, parent: Any, attributes: Mapping[str, Any]) -> Iterator[None]:
        span = self.tracer.start_span(name, context=parent, kind=kind, attributes=attributes)
        with _current(span):
            try:
                yield
            except BaseException as error:
                _fail(span, error)
                raise
            finally:
                span.end()

    def _make_provider(self) -> Any:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
        from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
        name = '-'.join(filter(None, (self._options.service_name, telemetry.role())))
        provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(self._options.sample_ratio)),
            resource=Resource.create({'service.name': name, 'host.name': self._conf.host, 'process.pid': os.getpid()}))
        if self._given is not None:
            provider.add_span_processor(SimpleSpanProcessor(self._given))
        elif self._options.exporter != 'none':
            provider.add_span_processor(BatchSpanProcessor(_exporter(self._options)))
        return provider


class Request:
    """The span of one HTTP request."""

    def __init__(self, span: Any) -> None:
        self._span = span

    def rename(self, name: str) -> None:
        """Call it what it turned out to be."""
        self._span.update_name(name)

    def note(self, name: str, value: Any) -> None:
        """Add an attribute."""
        self._span.set_attribute(name, value)

    def end(self, status: int | None) -> None:
        """The answer, with this HTTP status, is sent."""
        if status is not None:
            self._span.set_attribute('http.response.status_code', status)
            if status >= 500:
                self._span.set_attribute('error.type', str(status))
                self._span.set_status(trace.StatusCode.ERROR)
        self._span.end()


def _fail(span: Any, error: BaseException) -> None:
    """Mark a span as failed. Only our own errors are quoted: the text of another may hold values."""
    # What a server raises for an error that the caller is to get as it is.
    cause = error.__cause__ if isinstance(error.__cause__, errors.Error) else error
    span.set_attribute('error.type', type(cause).__name__)
    span.set_status(trace.StatusCode.ERROR, str(cause) if isinstance(cause, errors.Error) else None)


def _current(span: Any) -> Any:
    return trace.use_span(span, end_on_exit=False, record_exception=False, set_status_on_exception=False)


def _rpc(topic: str, method: str) -> dict[str, Any]:
    return {'rpc.system': 'oslo_messaging', 'rpc.service': topic, 'rpc.method': method}


@functools.lru_cache(512)
def _summary(text: str) -> tuple[str, str]:
    """The verb of a statement, and the verb with its first table."""
    verb = text.split(None, 1)[0].upper() if text.strip() else 'SQL'
    table = _TABLE.search(text)
    return verb, f'{verb} {table.group(1)}' if table else verb


def _check(options: Any) -> None:
    """Find out now, in the memory that all workers share, what a worker will need."""
    try:
        import opentelemetry.sdk.trace.export
        if options.exporter == 'otlp-http':
            import opentelemetry.exporter.otlp.proto.http.trace_exporter  # noqa: F401
    except ImportError as error:
        raise errors.StartError(reason=f'[opentelemetry] enabled needs a package that is missing ({error.name}): '
                                       'pip install nova-lite[telemetry]') from error
    if options.exporter == 'file':
        try:
            _open(options.file).close()
        except OSError as error:
            raise errors.StartError(reason=f'[opentelemetry] file {options.file} cannot be written: '
                                           f'{error.strerror}.') from error


def _exporter(options: Any) -> Any:
    if options.exporter == 'otlp-http':
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        return OTLPSpanExporter(endpoint=options.endpoint)
    from opentelemetry.sdk.trace.export import ConsoleSpanExporter
    if options.exporter == 'console':
        return ConsoleSpanExporter(formatter=_line)
    # Each span is one write at the end of the file, so processes can share it.
    return ConsoleSpanExporter(out=_open(options.file), formatter=_line)


def _line(span: Any) -> str:
    return str(span.to_json(indent=None)) + '\n'


def _open(path: str) -> IO[str]:
    return open(path, 'a', opener=lambda name, flags: os.open(name, flags, 0o600))
