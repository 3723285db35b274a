# SPDX-License-Identifier: Apache-2.0
"""The port to images, and its embedded twin, which reads the store of this machine without HTTP."""

import contextlib
import os
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Protocol

from oslo_config import cfg

from nova_lite import errors
from nova_lite.embedded import imagebody, imagelist
from nova_lite.embedded.imagestore import CHUNK, ImageStore, Record, visible

PIECE = 4 << 20

# What is no property of an image, whoever keeps it.
FIXED = frozenset((
    'id', 'name', 'status', 'visibility', 'owner', 'protected', 'os_hidden', 'disk_format',
    'container_format', 'min_disk', 'min_ram', 'size', 'virtual_size', 'checksum', 'os_hash_algo',
    'os_hash_value', 'created_at', 'updated_at', 'tags', 'self', 'file', 'schema', 'direct_url',
    'locations', 'stores'))


@dataclass(frozen=True)
class Image:
    """An image as the rest of the program sees it; sizes are bytes, ``min_disk`` is GiB, ``min_ram`` MiB."""

    id: str
    name: str | None
    status: str
    visibility: str
    owner: str | None
    size: int | None
    min_disk: int
    min_ram: int
    checksum: str | None
    disk_format: str | None
    container_format: str | None
    created_at: str
    updated_at: str
    protected: bool = False
    tags: tuple[str, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)
    hash_algo: str | None = None
    hash_value: str | None = None

    @classmethod
    def from_wire(cls, body: Mapping[str, Any]) -> 'Image':
        """From the body that Image v2 shows."""
        known: dict[str, Any] = {name: body.get(name) for name in (
            'id', 'name', 'status', 'visibility', 'owner', 'size', 'checksum', 'disk_format',
            'container_format', 'created_at', 'updated_at')}
        properties = {key: value for key, value in body.items()
                      if key not in FIXED and isinstance(value, str)}
        return cls(min_disk=body.get('min_disk') or 0, min_ram=body.get('min_ram') or 0,
                   protected=bool(body.get('protected')), tags=tuple(body.get('tags') or ()),
                   properties=properties, hash_algo=body.get('os_hash_algo'), hash_value=body.get('os_hash_value'),
                   **known)


class ImageClient(Protocol):
    """What the program asks of an image service on behalf of ``context``.

    All raise ``ImageNotFound`` for what that project cannot see and ``Unavailable``
    when the service does not answer.
    """

    def show(self, context: Any, image_id: str) -> Image: ...

    def list(self, context: Any, **filters: str) -> Iterator[Image]: ...

    def download(self, context: Any, image_id: str, path: str) -> None:
        """Write the data to ``path``, which appears only when it is complete."""

    def create(self, context: Any, values: Mapping[str, Any]) -> Image:
        """Make a queued image; ``values`` are attributes and properties side by side, as in Image v2."""

    def update(self, context: Any, image_id: str, values: Mapping[str, Any],
               gone: Collection[str] = ()) -> Image:
        """Change attributes and properties, and remove the properties named in ``gone``."""

    def share(self, context: Any, image_id: str, project_id: str) -> None:
        """Let another project see an image whose visibility is ``shared``."""

    def upload(self, context: Any, image_id: str, data: BinaryIO) -> Image: ...

    def delete(self, context: Any, image_id: str) -> None: ...


class EmbeddedImages:
    """The store in the state directory."""

    def __init__(self, state_dir: str, size_cap: int = 1 << 40):
        self._store = ImageStore(state_dir)
        self._cap = size_cap

    def show(self, context: Any, image_id: str) -> Image:
        return _image(self._visible(context, image_id))

    def list(self, context: Any, **filters: str) -> Iterator[Image]:
        query = _Query(filters)
        query.setdefault('limit', str(imagelist.MOST))
        while True:
            shown, following = imagelist.page(self._store.all(), query, context.project_id, context.is_admin)
            yield from map(_image, shown)
            if not following:
                return
            query['marker'] = shown[-1]['id']

    def download(self, context: Any, image_id: str, path: str) -> None:
        record = self._visible(context, image_id)
        if record['status'] != 'active':
            raise errors.Conflict(reason=f'Image {image_id} is {record["status"]}, not active.')
        with replacing(path) as part:
            try:
                _copy(self._store.data_path(image_id), part)
            except FileNotFoundError:
                if os.path.isdir(os.path.dirname(part)):
                    raise errors.ImageNotFound(image=image_id) from None
                raise

    def create(self, context: Any, values: Mapping[str, Any]) -> Image:
        record = imagebody.creation(dict(values))
        record.setdefault('owner', context.project_id)
        if record.get('visibility') == 'public' and not context.is_admin:
            raise errors.Forbidden('Only an administrator makes an image public.')
        return _image(self._store.add(record))

    def update(self, context: Any, image_id: str, values: Mapping[str, Any],
               gone: Collection[str] = ()) -> Image:
        self._must_own(context, self._visible(context, image_id))
        changes = changes_of(values, gone)
        return _image(self._store.change(image_id, lambda record: imagebody.patch(record, changes)))

    def share(self, context: Any, image_id: str, project_id: str) -> None:
        self._must_own(context, self._visible(context, image_id))
        self._store.change(image_id, lambda record: {
            **record, 'members': {project_id: 'pending', **record['members']}})

    def upload(self, context: Any, image_id: str, data: BinaryIO) -> Image:
        self._must_own(context, self._visible(context, image_id))
        return _image(self._store.receive(image_id, pieces(data), self._cap))

    def delete(self, context: Any, image_id: str) -> None:
        def check(record: Record) -> None:
            self._must_own(context, record)
            if record['protected']:
                raise errors.Forbidden(f'Image {image_id} is protected and cannot be deleted.')

        self._visible(context, image_id)
        self._store.remove(image_id, check)

    def _visible(self, context: Any, image_id: str) -> Record:
        record = self._store.get(image_id)
        if not visible(record, context.project_id, context.is_admin):
            raise errors.ImageNotFound(image=image_id)
        return record

    @staticmethod
    def _must_own(context: Any, record: Record) -> None:
        if not context.is_admin and record['owner'] != context.project_id:
            raise errors.Forbidden(f'Image {record["id"]} belongs to another project.')


class _Query(dict[str, str]):
    """Filters in the form of a query string's values."""

    def getall(self, key: str) -> Any:
        return [self[key]] if key in self else []


def changes_of(values: Mapping[str, Any], gone: Collection[str]) -> list[dict[str, Any]]:
    """The JSON patch that sets and removes these; keys are escaped as RFC 6901 says."""
    def path(key: str) -> str:
        return '/' + key.replace('~', '~0').replace('/', '~1')

    return [*({'op': 'add', 'path': path(key), 'value': value} for key, value in values.items()),
            *({'op': 'remove', 'path': path(key)} for key in gone)]


def _image(record: Record) -> Image:
    return Image.from_wire({**record.get('properties', {}), **{
        key: value for key, value in record.items() if key not in ('properties', 'members')}})


def _copy(source: str, target: str) -> None:
    with open(source, 'rb') as reader, open(target, 'wb') as writer:
        while piece := reader.read(PIECE):
            writer.write(piece)
            # A big image would otherwise hold up all other green threads.
            time.sleep(0)


def pieces(data: BinaryIO) -> Iterable[bytes]:
    """A file in pieces of one size."""
    return iter(lambda: data.read(CHUNK), b'')


@contextlib.contextmanager
def replacing(path: str) -> Iterator[str]:
    """A name to write to that becomes ``path`` when all went well."""
    part = f'{path}.{os.getpid()}.part'
    try:
        yield part
        os.replace(part, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)


def image_client(conf: cfg.ConfigOpts) -> ImageClient:
    """The image service that ``conf`` names."""
    if conf.embedded.image:
        return EmbeddedImages(conf.state_path, conf.embedded.image_size_cap)
    from nova_lite.clients.glance import GlanceImages

    return GlanceImages(conf)
