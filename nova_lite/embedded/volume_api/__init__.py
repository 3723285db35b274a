# SPDX-License-Identifier: Apache-2.0
"""The embedded Block Storage v3 API, for clients; our own processes use the same parts of the service directly.

It stands behind the same token check as the compute API and takes the caller from ``environ['nova.context']``.
Paths begin with ``/v3``, with or without a project after it.  Only the version documents are for everybody, so they
are a filter of their own that goes before the token check.
"""

from collections.abc import Callable
from typing import Any

import webob

from nova_lite import conf as nova_conf
from nova_lite import errors
from nova_lite.embedded import http
from nova_lite.embedded.volume_api import asking
from nova_lite.embedded.volume_api.actions import VolumeActions
from nova_lite.embedded.volume_api.attachments import AttachmentRows
from nova_lite.embedded.volume_api.quotas import QuotaRows
from nova_lite.embedded.volume_api.snapshots import SnapshotRows
from nova_lite.embedded.volume_api.types import TypeRows
from nova_lite.embedded.volume_api.volumes import VolumeRows
from nova_lite.embedded.volume_service import VolumeService
from nova_lite.wsgi import faults, provided

ROOT = '/v3'
VERSION_PATHS = {'/': 300, ROOT: 200}


class VolumeApp(http.App):
    """The WSGI callable."""

    def __init__(self, service: VolumeService) -> None:
        parts = (VolumeRows, VolumeActions, SnapshotRows, AttachmentRows, TypeRows, QuotaRows)
        rows = [row for part in parts for row in part(service).rows()]
        # The segment after the root is a project, unless something of ours has this name.
        self._names = {row.path.split('/')[1] for row in rows}
        self.routes = http.Routes(*((row.method, ROOT + row.path, row) for row in rows))

    def prepare(self, environ: dict[str, Any]) -> None:
        """Read the version, and take the project out of the path."""
        asking.set_minor(environ)
        first, *rest = http.path_of(environ).removeprefix(f'{ROOT}/').split('/')
        if first in self._names or not rest:
            return
        context = environ.get('nova.context')
        if context is not None and first != context.project_id:
            raise errors.Invalid(reason=f'The path is of project {first[:64]!r}, the token of another.')
        environ['PATH_INFO'] = '/'.join((ROOT, *rest))

    def status_of(self, error: errors.Error) -> int:
        """As the volume service has always answered: a state that does not allow it is a bad request."""
        if isinstance(error, (errors.InvalidVolume, errors.InvalidVolumeSnapshot, errors.VolumeTypeInUse)):
            return 400
        return 413 if isinstance(error, errors.OverQuota) else super().status_of(error)

    def error_body(self, status: int, title: str, message: str) -> Any:
        return {faults.NAMES.get(status, faults.OTHER): {'code': status, 'message': message}}

    def decorate(self, environ: dict[str, Any], response: webob.Response) -> None:
        """Every answer tells the version that it is of."""
        response.headers['OpenStack-API-Version'] = f'volume 3.{asking.minor_of(environ)}'
        response.headers['Vary'] = 'OpenStack-API-Version'


def document(request: webob.Request) -> dict[str, Any]:
    """Which versions there are."""
    return {'versions': [{
        'id': 'v3.0', 'status': 'CURRENT', 'version': f'3.{asking.NEWEST}', 'min_version': '3.0',
        'updated': '2026-01-01T00:00:00Z',
        'links': [{'rel': 'self', 'href': f'{request.application_url.rstrip("/")}{ROOT}/'}],
        'media-types': [{'base': 'application/json', 'type': 'application/vnd.openstack.volume+json;version=3'}]}]}


def volume_factory(global_conf: dict[str, str], **local_conf: str) -> http.App:
    """Paste's app factory; with ``[embedded] volume`` off, an app that says so."""
    if not nova_conf.current().embedded.volume:
        return http.Off('[embedded] volume')
    return VolumeApp(provided.get('services').volumes.service)


def versions_factory(global_conf: dict[str, str], **local_conf: str) -> Callable[[Any], Any]:
    """Paste's filter factory: answers for the version documents, hands everything else on."""
    enabled = nova_conf.current().embedded.volume

    def wrap(app: Any) -> Any:
        def filtered(environ: dict[str, Any], start_response: Any) -> Any:
            status = VERSION_PATHS.get(environ.get('PATH_INFO', '').rstrip('/') or '/')
            if enabled and status and environ['REQUEST_METHOD'] in ('GET', 'HEAD'):
                return http.answer(document(webob.Request(environ)), status)(environ, start_response)
            return app(environ, start_response)
        return filtered
    return wrap
