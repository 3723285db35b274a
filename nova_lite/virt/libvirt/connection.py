# SPDX-License-Identifier: Apache-2.0
"""The way to libvirt: the only module that imports its library, and the only one that knows its errors' numbers.

The library blocks whoever calls it, for minutes if a daemon hangs, so every use of it is a function that runs in a
native thread: ``run(work)`` calls ``work(conn)`` there.  Such a function uses nothing of the program's that is not
plain data, and may be called twice: if a connection turns out to be broken, it is called again on a new one.
"""

import importlib
import json
import os
import re
import tempfile
import urllib.parse
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from oslo_config import cfg

from nova_lite import concurrency, errors

T = TypeVar('T')

EMBED, TEST = 'embed', 'test'
KVM_DEVICE = '/dev/kvm'
# Short, as a path of a socket has to be.
_AGENTS = 'agents'

# Nothing may lean on daemons that are not there; a user who is not root cannot choose another one. QEMU's sandbox is
# asked for with each guest's network, because the one that libvirt asks for lets no guest reach its metadata.
_QEMU_CONF = """# Written by nova-compute at each start.
stdio_handler = "file"
security_driver = "none"
dynamic_ownership = 0
remember_owner = 0
namespaces = []
seccomp_sandbox = 0
cgroup_controllers = []
"""
_AS_ROOT = 'user = "root"\ngroup = "root"\n'

_event_loop: list[bool] = []
# The library can begin the embedded driver only some ten times in a process, so what was opened stays open.
_embedded: dict[str, Any] = {}


def uri_of(conf: cfg.ConfigOpts) -> str:
    """The URI that ``conf`` names or stands for."""
    return conf.libvirt.connection_uri or f'qemu:///embed?root={urllib.parse.quote(_embed_root(conf))}'


def _embed_root(conf: cfg.ConfigOpts) -> str:
    return str(Path(conf.state_path, 'libvirt').absolute())


def kind_of(uri: str) -> str:
    """``embed`` and ``test`` live in the process; of all others the path says whose the daemon is."""
    parts = urllib.parse.urlsplit(uri)
    return TEST if parts.scheme == 'test' else parts.path.strip('/')


def has_kvm(cpuinfo: str = '/proc/cpuinfo', device: str = KVM_DEVICE) -> bool:
    """Whether guests can run on the processor itself.

    A device that opens is no proof: some kernels give one that runs only guests which know of it.
    """
    try:
        flags = set(re.findall(r'\b(?:vmx|svm)\b', Path(cpuinfo).read_text()))
        if not flags and os.uname().machine in ('x86_64', 'i686'):
            return False
        os.close(os.open(device, os.O_RDWR | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def library() -> Any:
    """The module ``libvirt``; ``StartError`` says how to get it."""
    try:
        module = importlib.import_module('libvirt')
    except ImportError as error:
        raise errors.StartError(reason=f'The libvirt driver needs libvirt-python, which cannot be imported ({error}): '
                                       'pip install "nova-lite[libvirt]", which needs the packages libvirt-dev, '
                                       'pkgconf and gcc.') from error
    return module


class Unreachable(Exception):
    """Nobody answers at the URI; the text is libvirt's."""


class Connection:
    """A connection that comes back."""

    def __init__(self, conf: cfg.ConfigOpts, host: str) -> None:
        self.uri = uri_of(conf)
        self.kind = kind_of(self.uri)
        self._host = host
        self._lib: Any = None
        self._conn: Any = None
        self._watched: int | None = None
        self._closing = False
        #: Set whenever a guest has started, stopped or crashed.
        self.changed = concurrency.Signal()

    @property
    def lib(self) -> Any:
        """The library, for the names in it."""
        return self._lib

    def open(self) -> None:
        """Connect; ``StartError`` says why not."""
        if self.kind == EMBED:
            self._prepare_root()
        self._lib = library()
        self._closing = False
        try:
            concurrency.run_in_thread(self._start)
        except Unreachable as error:
            raise errors.StartError(reason=f'libvirt cannot be reached at {self.uri}: {error}') from error

    def _start(self) -> None:
        # What went wrong is raised, so it need not stand on stderr as well.
        self._lib.registerErrorHandler(lambda context, error: None, None)
        if not _event_loop:
            self._lib.virEventRegisterDefaultImpl()
            _event_loop.append(True)
            concurrency.start_native_thread(self._run_events, 'libvirt-events')
        self._connect()

    def close(self) -> None:
        """Let go."""
        conn, self._conn, self._closing = self._conn, None, True
        if conn is not None:
            concurrency.run_in_thread(self._leave, conn)

    def run(self, work: Callable[[Any], T], server_uuid: str | None = None) -> T:
        """What ``work(conn)`` returns; libvirt's errors become ours, about that server."""
        try:
            result: T = concurrency.run_in_thread(self._attempt, work)
        except Unreachable as error:
            raise errors.Unavailable(reason=f'The hypervisor of host {self._host} does not answer: '
                                            f'{_plain(str(error))}') from error
        except self._lib.libvirtError as error:
            raise self._translated(error, server_uuid) from error
        return result

    def find(self, conn: Any, server_uuid: str) -> Any:
        """The domain of a server, inside of ``run``; ``GuestNotFound`` if there is none."""
        try:
            uuid.UUID(server_uuid)
            return conn.lookupByUUIDString(server_uuid)
        except ValueError:
            pass
        except self._lib.libvirtError as error:
            if error.get_error_code() != self._lib.VIR_ERR_NO_DOMAIN:
                raise
        raise errors.GuestNotFound(server=server_uuid, host=self._host)

    def monitor(self, domain: Any, command: str, **arguments: Any) -> Any:
        """What QEMU itself answers, inside of ``run``."""
        module = importlib.import_module('libvirt_qemu')
        text = json.dumps({'execute': command, 'arguments': arguments})
        return json.loads(module.qemuMonitorCommand(domain, text, 0)).get('return')

    @contextmanager
    def ignoring(self, *names: str) -> Iterator[None]:
        """Inside of ``run``: errors with these names, such as ``VIR_ERR_OPERATION_INVALID``, mean that it is so."""
        try:
            yield
        except self._lib.libvirtError as error:
            if error.get_error_code() not in {getattr(self._lib, name) for name in names}:
                raise

    # ------------------------------------------------------------ in native threads

    def _attempt(self, work: Callable[[Any], T]) -> T:
        conn = self._conn or self._connect()
        try:
            return work(conn)
        except self._lib.libvirtError as error:
            if not self._is_broken(conn, error):
                raise
        self._quietly(conn.close)
        return work(self._connect())

    def _connect(self) -> Any:
        if self._closing:
            raise Unreachable('the service ends')
        try:
            conn = _embedded.get(self.uri) or self._lib.open(self.uri)
        except self._lib.libvirtError as error:
            raise Unreachable(self._why_not(error)) from error
        if self.kind == EMBED:
            _embedded[self.uri] = conn
        elif self.kind != TEST:
            self._quietly(conn.setKeepAlive, 5, 3)
        self._watched = self._quietly(conn.domainEventRegisterAny, None, self._lib.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                      self._on_event, None)
        self._conn = conn
        self.changed.set()
        return conn

    def _leave(self, conn: Any) -> None:
        if self._watched is not None:
            self._quietly(conn.domainEventDeregisterAny, self._watched)
        if self.kind != EMBED:
            self._quietly(conn.close)

    def _on_event(self, conn: Any, domain: Any, event: int, detail: int, opaque: Any) -> None:
        self.changed.set()

    def _run_events(self) -> None:
        while True:
            self._quietly(self._lib.virEventRunDefaultImpl)

    def _quietly(self, call: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return call(*arguments)
        except self._lib.libvirtError:
            return None

    def _is_broken(self, conn: Any, error: Any) -> bool:
        lib = self._lib
        if error.get_error_code() == lib.VIR_ERR_INVALID_CONN:
            return True
        if error.get_error_domain() not in (lib.VIR_FROM_REMOTE, lib.VIR_FROM_RPC):
            return False
        try:
            return not conn.isAlive()
        except lib.libvirtError:
            return True

    # --------------------------------------------------------------------- errors

    def _translated(self, error: Any, server_uuid: str | None) -> errors.Error:
        if error.get_error_code() == self._lib.VIR_ERR_NO_DOMAIN and server_uuid is not None:
            return errors.GuestNotFound(server=server_uuid, host=self._host)
        return errors.HypervisorError(reason=f'libvirt refused: {_plain(error.get_error_message() or str(error))}.')

    def _why_not(self, error: Any) -> str:
        text = str(error.get_error_message() or error)
        if self.kind == EMBED and 'driver.pid' in text:
            return 'another process uses the same directory; each nova-compute needs a state_path of its own'
        if self.kind == EMBED and ('no connection driver' in text or 'embedded' in text):
            return f'{text}; the package libvirt-daemon-driver-qemu brings what is needed'
        return text

    # ---------------------------------------------------------------------- embed

    @property
    def root(self) -> Path:
        """The directory of a libvirt inside of this process."""
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.uri).query)
        return Path(query.get('root', [''])[0])

    def agent_socket(self, guest: str) -> str | None:
        """Where the agent in a guest is reached; None leaves it to libvirt, whose own path may be too long here."""
        return str(self.root / _AGENTS / guest) if self.kind == EMBED else None

    def _prepare_root(self) -> None:
        root = self.root
        if not root.is_absolute():
            raise errors.StartError(reason=f'[libvirt] connection_uri {self.uri!r} needs a root, an absolute path.')
        # Read by the library when it is loaded; what it tells of each guest would fill a terminal.
        os.environ.setdefault('LIBVIRT_LOG_OUTPUTS', f'4:file:{root}/libvirt.log')
        try:
            for name in ('etc', _AGENTS):
                (root / name).mkdir(mode=0o700, parents=True, exist_ok=True)
            root.chmod(0o700)
            _replace(root / 'etc' / 'qemu.conf', _QEMU_CONF + (_AS_ROOT if os.geteuid() == 0 else ''))
        except OSError as error:
            raise errors.StartError(reason=f'The directory {root} for libvirt cannot be written: {error.strerror}.'
                                    ) from error


def _replace(path: Path, text: str) -> None:
    if path.exists() and path.read_text() == text:
        return
    with tempfile.NamedTemporaryFile('w', dir=path.parent, delete=False) as file:
        file.write(text)
    os.replace(file.name, path)


def _plain(text: str) -> str:
    """An error for the owner of a server, who need not know the folders of a host."""
    return re.sub(r"(?<![\w.])/[^\s':]*/", '', text).strip().rstrip('.')
