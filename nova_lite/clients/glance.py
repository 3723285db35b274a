# SPDX-License-Identifier: Apache-2.0
"""The port to images, over Glance's Image v2 API."""

import contextlib
import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any, BinaryIO

from oslo_config import cfg

from nova_lite import errors
from nova_lite.clients.image import Image, changes_of, replacing
from nova_lite.clients.session import Service

CHUNK = 1 << 20


class GlanceImages:
    """Glance, asked with the user's token, or with our own where that is gone."""

    def __init__(self, conf: cfg.ConfigOpts):
        self._service = Service(conf, 'glance', 'Glance', retries=conf.glance.num_retries)

    def show(self, context: Any, image_id: str) -> Image:
        path = f'/v2/images/{_segment(image_id)}'
        image = Image.from_wire(self._call(context, path, 'GET', image_id).json())
        self._check_visible(context, image)
        return image

    def list(self, context: Any, **filters: str) -> Iterator[Image]:
        path, query = '/v2/images', dict(filters)
        while path:
            body = self._call(context, path, 'GET', '', params=query).json()
            for one in body['images']:
                image = Image.from_wire(one)
                if self._listed(context, image):
                    yield image
            # Glance's next link repeats the query
            path, query = body.get('next') or '', {}

    def download(self, context: Any, image_id: str, path: str) -> None:
        self.show(context, image_id)
        response = self._call(context, f'/v2/images/{_segment(image_id)}/file', 'GET', image_id, stream=True,
                              headers={'Accept': 'application/octet-stream'})
        if response.status_code == 204:
            raise errors.Conflict(reason=f'Image {image_id} has no data.')
        try:
            with response, replacing(path) as part, open(part, 'xb') as file:
                for chunk in response.iter_content(CHUNK):
                    file.write(chunk)
        except OSError as error:
            # what requests raises when a transfer breaks off is an OSError too
            raise errors.Unavailable(reason=f'The download of image {image_id} broke off: {error}') from None

    def create(self, context: Any, values: Mapping[str, Any]) -> Image:
        body = {'owner': context.project_id, **values} if self._as_service(context) else dict(values)
        image_id = str(values.get('id', ''))
        return Image.from_wire(self._call(context, '/v2/images', 'POST', image_id, json=body).json())

    def update(self, context: Any, image_id: str, values: Mapping[str, Any],
               gone: Collection[str] = ()) -> Image:
        self._check_owned(context, image_id)
        changes = changes_of(values, gone)
        response = self._call(context, f'/v2/images/{_segment(image_id)}', 'PATCH', image_id, data=json.dumps(changes),
                              headers={'Content-Type': 'application/openstack-images-v2.1-json-patch'})
        return Image.from_wire(response.json())

    def share(self, context: Any, image_id: str, project_id: str) -> None:
        self._check_owned(context, image_id)
        with contextlib.suppress(errors.Conflict):
            self._call(context, f'/v2/images/{_segment(image_id)}/members', 'POST', image_id,
                       json={'member': project_id})

    def upload(self, context: Any, image_id: str, data: BinaryIO) -> Image:
        self._check_owned(context, image_id)
        self._call(context, f'/v2/images/{_segment(image_id)}/file', 'PUT', image_id, data=data,
                   headers={'Content-Type': 'application/octet-stream'})
        return self.show(context, image_id)

    def delete(self, context: Any, image_id: str) -> None:
        self._check_owned(context, image_id)
        self._call(context, f'/v2/images/{_segment(image_id)}', 'DELETE', image_id)

    # ------------------------------------------------------------------ access

    def _call(self, context: Any, path: str, method: str, image_id: str, **more: Any) -> Any:
        response = self._service.request(context, path, method, **more)
        if response.status_code == 401 and 'data' not in more and self._service.has_credentials():
            # the token expired while the request was being worked on
            response = self._service.request(context, path, method, own=True, **more)
        if response.status_code < 400:
            return response
        raise _error(response.status_code, image_id, response.text[:500])

    def _as_service(self, context: Any) -> bool:
        return not getattr(context, 'auth_token', None)

    def _check_visible(self, context: Any, image: Image) -> None:
        """Our own credentials see every image, so what the project may see is checked here."""
        if _open_to(context, image):
            return
        if image.visibility == 'shared':
            if not self._as_service(context):
                return
            path = f'/v2/images/{image.id}/members/{_segment(context.project_id or "-")}'
            if self._service.request(context, path, 'GET').status_code == 200:
                return
        raise errors.ImageNotFound(image=image.id)

    def _listed(self, context: Any, image: Image) -> bool:
        return not self._as_service(context) or _open_to(context, image)

    def _check_owned(self, context: Any, image_id: str) -> None:
        if not self._as_service(context) or context.is_admin:
            return
        if self.show(context, image_id).owner != context.project_id:
            raise errors.Forbidden(f'Image {image_id} belongs to another project.')


def _open_to(context: Any, image: Image) -> bool:
    return (context.is_admin or image.visibility in ('public', 'community')
            or image.owner == context.project_id)


def _segment(image_id: str) -> str:
    """The id as one segment of a path; what could lead elsewhere names no image."""
    if not image_id or not all(char.isalnum() or char in '-_' for char in image_id):
        raise errors.ImageNotFound(image=image_id)
    return image_id


def _error(status: int, image_id: str, text: str) -> errors.Error:
    if status == 404:
        return errors.ImageNotFound(image=image_id)
    if status == 401:
        return errors.Unauthenticated(f'Glance refuses the token: {text}')
    if status == 403:
        return errors.Forbidden(f'Glance refuses: {text}')
    if status == 409:
        return errors.Conflict(reason=f'Glance refuses: {text}')
    if status == 413:
        return errors.TooLarge(f'Glance refuses: {text}')
    return errors.Invalid(reason=f'Glance answered {status}: {text}')
