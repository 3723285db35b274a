# SPDX-License-Identifier: Apache-2.0
"""The metadata API: a guest asks, without a login, and is told about itself and nobody else.

Which server asks is known in one of two ways.  Behind Neutron's metadata agent, which sees the port
that a request comes from, headers name the server and a signature proves that the agent wrote them.
Without it the address that a request comes from has to be the fixed address of exactly one server.
"""

import hashlib
import hmac
import ipaddress
import logging
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from nova_lite import errors
from nova_lite.db.queries import servers
from nova_lite.metadata import document, gather
from nova_lite.metadata.document import Facts
from nova_lite.wsgi import faults, provided

LOG = logging.getLogger(__name__)

CACHED = 1000

_ID = 'HTTP_X_INSTANCE_ID'
_TENANT = 'HTTP_X_TENANT_ID'
_SIGNATURE = 'HTTP_X_INSTANCE_ID_SIGNATURE'
_NAMES = {_ID: 'X-Instance-ID', _TENANT: 'X-Tenant-ID'}
_METHODS = 'GET, HEAD'
_COLUMNS = frozenset((
    'id', 'uuid', 'name', 'hostname', 'project_id', 'flavor', 'availability_zone', 'launch_index', 'reservation_id',
    'image_ref', 'kernel_id', 'ramdisk_id', 'root_device_name', 'key_name', 'public_key', 'key_type', 'metadata',
    'user_data', 'addresses', 'interfaces', 'block_devices'))


def factory(global_conf: dict[str, str], **local_conf: str) -> 'Metadata':
    """Paste application factory."""
    services = provided.get('services')
    return Metadata(services.conf, services.db)


class Metadata:
    """The WSGI application."""

    def __init__(self, conf: Any, db: Any) -> None:
        self._conf = conf
        self._db = db
        self._cache = Cache()
        self._vendor_data = gather.read_vendor_data(conf.api.vendordata_jsonfile_path)
        if conf.neutron.service_metadata_proxy and not conf.neutron.metadata_proxy_shared_secret:
            raise errors.StartError(reason='[neutron] service_metadata_proxy needs metadata_proxy_shared_secret: '
                                           'anybody could sign without it.')

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        method = environ['REQUEST_METHOD']
        if method not in ('GET', 'HEAD'):
            return _send(start_response, 405, document.Content(b''), [('Allow', _METHODS)])
        try:
            content = self._answer(environ)
        except errors.Error as error:
            status = faults.status_of(error)
            if status == 500:
                raise
            return _send(start_response, status, document.Content(str(error).encode()), faults.headers_of(error))
        return _send(start_response, 200, content, with_body=method == 'GET')

    def _answer(self, environ: Mapping[str, Any]) -> document.Content:
        path = environ.get('PATH_INFO', '')
        if not path.strip('/'):
            return document.versions()
        facts = self._server_of_headers(environ) if self._conf.neutron.service_metadata_proxy else \
            self._server_of_address(environ.get('REMOTE_ADDR', ''))
        found = document.find(facts, path, os.urandom)
        if found is None:
            raise errors.NotFound(f'There is no metadata at {path}.')
        return found

    # ------------------------------------------------------- who asks

    def _server_of_headers(self, environ: Mapping[str, Any]) -> Facts:
        for header, name in _NAMES.items():
            value = environ.get(header)
            if not value:
                raise errors.Invalid(reason=f'The request has no header {name}.')
            if ',' in value:
                raise errors.Invalid(reason=f'The request has the header {name} more than once.')
        uuid = environ[_ID]
        if not self._is_signed(uuid, environ.get(_SIGNATURE, '')):
            LOG.warning('A request for the metadata of server %s, from %s, bears a wrong signature: the secrets of '
                        'this service and of the metadata agent differ, or somebody else asks.',
                        ascii(uuid), environ.get('REMOTE_ADDR'))
            raise errors.Forbidden('The signature of the request is wrong.')
        facts = self._cache.get(uuid, self._conf.api.metadata_cache_expiration, lambda: self._load(uuid))
        if facts.project_id != environ[_TENANT]:
            LOG.warning('A request for the metadata of server %s names project %s, whose it is not.', uuid,
                        ascii(environ[_TENANT]))
            raise errors.ServerNotFound(server=uuid)
        return facts

    def _is_signed(self, uuid: str, signature: str) -> bool:
        secret = self._conf.neutron.metadata_proxy_shared_secret.encode()
        expected = hmac.new(secret, uuid.encode(), hashlib.sha256).hexdigest()
        return hmac.compare_digest(expected.encode(), signature.encode())

    def _server_of_address(self, text: str) -> Facts:
        try:
            address = ipaddress.ip_address(text.partition('%')[0])
        except ValueError:
            raise errors.NotFound(f'No server has the address {text}.') from None
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            # What a socket for both versions calls an IPv4 address.
            address = address.ipv4_mapped
        return self._cache.get(str(address), self._conf.api.metadata_cache_expiration,
                               lambda: self._load_by_address(str(address), address.version))

    def _load(self, uuid: str) -> Facts:
        with self._db.read() as conn:
            return self._facts(servers.get(conn, uuid, _COLUMNS))

    def _load_by_address(self, address: str, version: int) -> Facts:
        with self._db.read() as conn:
            rows = servers.by_address(conn, address, version, _COLUMNS)
        if len(rows) > 1:
            LOG.warning('Servers %s and %s both have the address %s: neither is told its metadata without '
                        '[neutron] service_metadata_proxy.', rows[0].uuid, rows[1].uuid, address)
        facts = self._facts(rows[0]) if len(rows) == 1 else None
        # A floating address is on the other side of a router; nobody asks from it.
        if facts is None or address not in facts.addresses(version):
            raise errors.NotFound(f'No server has the address {address}.')
        return facts

    def _facts(self, row: Any) -> Facts:
        return gather.of_server(row, self._conf.api.dhcp_domain, self._vendor_data)


class Cache:
    """The facts of the servers that asked last."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[float, Facts]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str, seconds: int, load: Callable[[], Facts]) -> Facts:
        """What ``load`` gave within the last ``seconds``, or gives now."""
        now = time.monotonic()
        with self._lock:
            loaded_at, facts = self._known.get(key, (0.0, None))
        if facts is not None and now - loaded_at < seconds:
            return facts
        facts = load()
        with self._lock:
            self._known[key] = (now, facts)
            self._known.move_to_end(key)
            while len(self._known) > CACHED:
                self._known.popitem(last=False)
        return facts


def _send(start_response: Any, status: int, content: document.Content,
          headers: faults.Headers | None = None, with_body: bool = True) -> list[bytes]:
    data = content.data or (HTTPStatus(status).phrase.encode() if status != 200 else b'')
    start_response(faults.line(status), [('Content-Type', content.kind), ('Content-Length', str(len(data))),
                                         *(headers or ())])
    return [data] if with_body else []
