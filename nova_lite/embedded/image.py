# SPDX-License-Identifier: Apache-2.0
"""The embedded Image v2 API, for clients; our own processes read its store directly.

It stands behind the same token check as the compute API and takes the caller
from ``environ['nova.context']``.  Only the version documents are for everybody,
so they are a filter of their own that goes before the token check.
"""

from collections.abc import Callable, Iterator
from typing import Any

import webob
from oslo_config import cfg

from nova_lite import conf as nova_conf
from nova_lite import errors
from nova_lite.embedded import http, imagebody, imagelist
from nova_lite.embedded.imagestore import CHUNK, ImageStore, Record, visible

BODY_LIMIT = 1 << 20
PATCH_TYPES = ('application/openstack-images-v2.1-json-patch', 'application/openstack-images-v2.0-json-patch')
NEWEST_MINOR = 9
VERSION_PATHS = {'/': 300, '/versions': 200, '/v2': 200}
WRITERS = frozenset(('admin', 'manager', 'member'))
MEMBER_ANSWERS = ('pending', 'accepted', 'rejected')
SHOWN = ('id', 'name', 'status', 'visibility', 'owner', 'protected', 'os_hidden', 'disk_format',
         'container_format', 'min_disk', 'min_ram', 'size', 'virtual_size', 'checksum', 'os_hash_algo',
         'os_hash_value', 'created_at', 'updated_at', 'tags')


class ImageApp(http.App):
    """The WSGI callable."""

    def __init__(self, conf: cfg.ConfigOpts):
        self._cap = conf.embedded.image_size_cap
        self._store = ImageStore(conf.state_path)
        self._store.tidy()
        image = '/v2/images/{image_id}'
        self.routes = http.Routes(
            *(('GET', path, versions) for path in VERSION_PATHS),
            ('GET', '/v2/schemas/image', self.schema), ('GET', '/v2/schemas/images', self.schemas),
            ('GET', '/v2/images', self.list), ('POST', '/v2/images', self.create),
            ('GET', image, self.show), ('PATCH', image, self.update), ('DELETE', image, self.delete),
            ('GET', f'{image}/file', self.download), ('PUT', f'{image}/file', self.upload),
            ('GET', f'{image}/tasks', self.tasks),
            ('POST', f'{image}/actions/deactivate', self.deactivate),
            ('POST', f'{image}/actions/reactivate', self.reactivate),
            ('PUT', f'{image}/tags/{{tag}}', self.add_tag),
            ('DELETE', f'{image}/tags/{{tag}}', self.remove_tag),
            ('GET', f'{image}/members', self.members), ('POST', f'{image}/members', self.add_member),
            ('GET', f'{image}/members/{{member}}', self.member),
            ('PUT', f'{image}/members/{{member}}', self.answer_offer),
            ('DELETE', f'{image}/members/{{member}}', self.remove_member))

    def error_body(self, status: int, title: str, message: str) -> Any:
        return {'code': f'{status} {title}', 'title': title, 'message': message}

    # ----------------------------------------------------------------- images

    def list(self, request: webob.Request) -> webob.Response:
        context, query = caller(request), http.query(request)
        shown, following = imagelist.page(self._store.all(), query, context.project_id, context.is_admin)
        first = '/v2/images' + (f'?{request.query_string}' if request.query_string else '')
        body = {'images': [view(one) for one in shown], 'first': first, 'schema': '/v2/schemas/images'}
        if following:
            body['next'] = f'/v2/images?{following}'
        return http.answer(body)

    def show(self, request: webob.Request, image_id: str) -> webob.Response:
        return http.answer(view(self._visible(caller(request), image_id)))

    def tasks(self, request: webob.Request, image_id: str) -> webob.Response:
        """Nothing here is left for later, so nobody has to wait."""
        self._visible(caller(request), image_id)
        return http.answer({'tasks': []})

    def create(self, request: webob.Request) -> webob.Response:
        context = writer(request)
        values = imagebody.creation(http.read_json(request, BODY_LIMIT))
        if values.setdefault('owner', context.project_id) != context.project_id and not context.is_admin:
            raise errors.Forbidden('Only an administrator gives an image to another project.')
        if values['owner'] is None:
            raise errors.Forbidden('An image needs a project; the token has none.')
        _check_publicity(context, values)
        record = self._store.add(values)
        return http.answer(view(record), 201, (('Location', f'{request.path_url}/{record["id"]}'),))

    def update(self, request: webob.Request, image_id: str) -> webob.Response:
        context = writer(request)
        if request.content_type not in PATCH_TYPES:
            raise http.Refused(415, f'Content-Type must be one of {", ".join(PATCH_TYPES)}.')
        operations = http.read_json(request, BODY_LIMIT)
        self._owned(context, image_id)

        def edit(record: Record) -> Record:
            before = record['visibility'], record['owner']
            _must_own(context, record)
            record = imagebody.patch(record, operations)
            if record['visibility'] != before[0]:
                _check_publicity(context, record)
            if record['owner'] != before[1] and not context.is_admin:
                raise errors.Forbidden('Only an administrator gives an image to another project.')
            return record

        return http.answer(view(self._store.change(image_id, edit)))

    def delete(self, request: webob.Request, image_id: str) -> webob.Response:
        context = writer(request)
        self._owned(context, image_id)

        def check(record: Record) -> None:
            _must_own(context, record)
            if record['protected']:
                raise errors.Forbidden(f'Image {image_id} is protected and cannot be deleted.')

        self._store.remove(image_id, check)
        return http.empty()

    # ------------------------------------------------------------------- data

    def upload(self, request: webob.Request, image_id: str) -> webob.Response:
        context = writer(request)
        self._owned(context, image_id)
        if request.content_type != 'application/octet-stream':
            raise http.Refused(415, 'Content-Type must be application/octet-stream.')
        if (request.content_length or 0) > self._cap:
            raise errors.TooLarge(limit=self._cap)
        self._store.receive(image_id, http.chunks(request.environ), self._cap)
        return http.empty()

    def download(self, request: webob.Request, image_id: str) -> webob.Response:
        context = caller(request)
        record = self._visible(context, image_id)
        if record['status'] == 'deactivated' and not context.is_admin:
            raise errors.Forbidden(f'Image {image_id} is deactivated.')
        if record['size'] is None:
            return http.empty()
        try:
            file = open(self._store.data_path(image_id), 'rb')
        except FileNotFoundError:
            raise errors.ImageNotFound(image=image_id) from None
        response = webob.Response(
            app_iter=_FileChunks(file), content_type='application/octet-stream', charset=None)
        response.content_length = record['size']
        response.headers['Content-MD5'] = record['checksum']
        return response

    def deactivate(self, request: webob.Request, image_id: str) -> webob.Response:
        return self._switch(request, image_id, 'active', 'deactivated')

    def reactivate(self, request: webob.Request, image_id: str) -> webob.Response:
        return self._switch(request, image_id, 'deactivated', 'active')

    def _switch(self, request: webob.Request, image_id: str, before: str, after: str) -> webob.Response:
        context = writer(request)
        self._owned(context, image_id)
        if not context.is_admin:
            raise errors.Forbidden('Only an administrator switches an image off or on.')

        def edit(record: Record) -> Record:
            if record['status'] not in (before, after):
                raise errors.Forbidden(f'Image {image_id} is {record["status"]}, not {before}.')
            return {**record, 'status': after}

        self._store.change(image_id, edit)
        return http.empty()

    # ------------------------------------------------------------------- tags

    def add_tag(self, request: webob.Request, image_id: str, tag: str) -> webob.Response:
        imagebody.tag(tag)

        def edit(record: Record) -> Record:
            return imagebody.patch(record, [{'op': 'add', 'path': '/tags/-', 'value': tag}])
        return self._edit(request, image_id, edit)

    def remove_tag(self, request: webob.Request, image_id: str, tag: str) -> webob.Response:
        def edit(record: Record) -> Record:
            if tag not in record['tags']:
                raise errors.NotFound(f'Image {image_id} has no tag {tag}.')
            record['tags'].remove(tag)
            return record
        return self._edit(request, image_id, edit)

    def _edit(self, request: webob.Request, image_id: str,
              edit: Callable[[Record], Record]) -> webob.Response:
        self._owned(writer(request), image_id)
        self._store.change(image_id, edit)
        return http.empty()

    # ---------------------------------------------------------------- members

    def members(self, request: webob.Request, image_id: str) -> webob.Response:
        context = caller(request)
        record = self._visible(context, image_id)
        mine = owns(context, record)
        shown = [_member(record, one) for one in record['members'] if mine or one == context.project_id]
        return http.answer({'members': shown, 'schema': '/v2/schemas/members'})

    def member(self, request: webob.Request, image_id: str, member: str) -> webob.Response:
        context = caller(request)
        record = self._visible(context, image_id)
        if member not in record['members'] or not (owns(context, record) or member == context.project_id):
            raise errors.NotFound(f'Image {image_id} has no member {member}.')
        return http.answer(_member(record, member))

    def add_member(self, request: webob.Request, image_id: str) -> webob.Response:
        self._owned(writer(request), image_id)
        body = http.read_json(request, BODY_LIMIT)
        project = body.get('member') if isinstance(body, dict) else None
        if not isinstance(project, str) or not 0 < len(project) <= imagebody.LONGEST_NAME:
            raise errors.Invalid(reason='member must be a project id.')

        def edit(record: Record) -> Record:
            if record['visibility'] != 'shared':
                raise errors.Forbidden(f'Image {image_id} is {record["visibility"]}, not shared.')
            if project in record['members']:
                raise errors.Conflict(reason=f'Project {project} is a member of image {image_id} already.')
            record['members'][project] = 'pending'
            return record

        return http.answer(_member(self._store.change(image_id, edit), project))

    def answer_offer(self, request: webob.Request, image_id: str, member: str) -> webob.Response:
        context = writer(request)
        self._visible(context, image_id)
        body = http.read_json(request, BODY_LIMIT)
        status = body.get('status') if isinstance(body, dict) else None
        if status not in MEMBER_ANSWERS:
            raise errors.Invalid(reason=f'status must be one of {", ".join(MEMBER_ANSWERS)}.')
        if member != context.project_id and not context.is_admin:
            raise errors.Forbidden('Only the project to which an image is offered answers.')

        def edit(record: Record) -> Record:
            if member not in record['members']:
                raise errors.NotFound(f'Image {image_id} has no member {member}.')
            record['members'][member] = status
            return record

        return http.answer(_member(self._store.change(image_id, edit), member))

    def remove_member(self, request: webob.Request, image_id: str, member: str) -> webob.Response:
        def edit(record: Record) -> Record:
            if record['members'].pop(member, None) is None:
                raise errors.NotFound(f'Image {image_id} has no member {member}.')
            return record
        return self._edit(request, image_id, edit)

    # ---------------------------------------------------------------- schemas

    def schema(self, request: webob.Request) -> webob.Response:
        return http.answer(SCHEMA)

    def schemas(self, request: webob.Request) -> webob.Response:
        return http.answer({'name': 'images', 'properties': {
            'images': {'type': 'array', 'items': SCHEMA}, 'first': {'type': 'string'},
            'next': {'type': 'string'}, 'schema': {'type': 'string'}}})

    # ----------------------------------------------------------------- access

    def _visible(self, context: Any, image_id: str) -> Record:
        record = self._store.get(image_id)
        if not visible(record, context.project_id, context.is_admin):
            raise errors.ImageNotFound(image=image_id)
        return record

    def _owned(self, context: Any, image_id: str) -> Record:
        """The image if the caller may change it; whether it exists is told only to who may see it."""
        record = self._visible(context, image_id)
        _must_own(context, record)
        return record


class _FileChunks:
    """The file in pieces, closed by the WSGI server whatever becomes of the client."""

    def __init__(self, file: Any):
        self._file = file

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self._file.read(CHUNK):
            yield chunk

    def close(self) -> None:
        self._file.close()


def caller(request: webob.Request) -> Any:
    context = request.environ.get('nova.context')
    if context is None:
        raise errors.Unauthenticated()
    return context


def writer(request: webob.Request) -> Any:
    """The caller, if he has more than the reader's role; without Keystone nobody has a role."""
    context = caller(request)
    roles = {role.lower() for role in context.roles or ()}
    if not context.is_admin and roles and not roles & WRITERS:
        raise errors.Forbidden(f'Changing images needs one of the roles {", ".join(sorted(WRITERS))}.')
    return context


def owns(context: Any, record: Record) -> bool:
    return context.is_admin or (context.project_id is not None and record['owner'] == context.project_id)


def _must_own(context: Any, record: Record) -> None:
    if not owns(context, record):
        raise errors.Forbidden(f'Image {record["id"]} belongs to another project.')


def _check_publicity(context: Any, values: Record) -> None:
    if values.get('visibility') == 'public' and not context.is_admin:
        raise errors.Forbidden('Only an administrator makes an image public.')


def view(record: Record) -> dict[str, Any]:
    """An image as the wire shows it: properties beside the fixed attributes."""
    own = f'/v2/images/{record["id"]}'
    return {**record['properties'], **{name: record[name] for name in SHOWN},
            'self': own, 'file': f'{own}/file', 'schema': '/v2/schemas/image'}


def _member(record: Record, project: str) -> dict[str, Any]:
    return {'image_id': record['id'], 'member_id': project, 'status': record['members'][project],
            'created_at': record['created_at'], 'updated_at': record['updated_at'],
            'schema': '/v2/schemas/member'}


def _schema() -> dict[str, Any]:
    kinds = {'protected': 'boolean', 'os_hidden': 'boolean', 'tags': 'array', 'min_disk': 'integer',
             'min_ram': 'integer', 'size': ['null', 'integer'], 'virtual_size': ['null', 'integer']}
    choices = {'visibility': imagebody.VISIBILITIES, 'disk_format': (None, *imagebody.DISK_FORMATS),
               'container_format': (None, *imagebody.CONTAINER_FORMATS),
               'status': ('queued', 'active', 'deactivated')}
    properties: dict[str, Any] = {}
    for name in (*SHOWN, 'self', 'file', 'schema'):
        properties[name] = {'type': kinds.get(name, ['null', 'string'])}
        if name in choices:
            properties[name]['enum'] = list(choices[name])
        if name not in imagebody.FIELDS and name != 'id':
            properties[name]['readOnly'] = True
    return {'name': 'image', 'properties': properties, 'additionalProperties': {'type': 'string'}}


SCHEMA = _schema()


def versions(request: webob.Request) -> webob.Response:
    """The version document."""
    link = {'rel': 'self', 'href': f'{request.application_url.rstrip("/")}/v2/'}
    found = [{'id': f'v2.{minor}', 'status': 'SUPPORTED', 'links': [link]}
             for minor in range(NEWEST_MINOR, -1, -1)]
    found[0]['status'] = 'CURRENT'
    return http.answer({'versions': found}, VERSION_PATHS[http.path_of(request.environ)])


def build(conf: cfg.ConfigOpts) -> http.App:
    """The API as ``conf`` wants it; with ``[embedded] image`` off, an app that says so."""
    return ImageApp(conf) if conf.embedded.image else http.Off('[embedded] image')


def image_factory(global_conf: dict[str, str], **local_conf: str) -> http.App:
    """Paste's app factory."""
    return build(nova_conf.current())


def versions_factory(global_conf: dict[str, str], **local_conf: str) -> Callable[[Any], Any]:
    """Paste's filter factory: answers for the version documents, hands everything else on."""
    enabled = nova_conf.current().embedded.image

    def wrap(app: Any) -> Any:
        def filtered(environ: dict[str, Any], start_response: Any) -> Any:
            about_versions = (environ.get('PATH_INFO', '').rstrip('/') or '/') in VERSION_PATHS
            if enabled and about_versions and environ['REQUEST_METHOD'] in ('GET', 'HEAD'):
                return versions(webob.Request(environ))(environ, start_response)
            return app(environ, start_response)
        return filtered
    return wrap
