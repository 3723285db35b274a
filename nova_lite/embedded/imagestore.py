# SPDX-License-Identifier: Apache-2.0
"""The images of one machine: a directory with ``<id>.json`` and ``<id>.data`` for each.

The record is the truth.  Bytes arrive in a file of their own and the record turns
active only when they are complete, so an upload that breaks off, even with its
process, leaves the image queued.  Data never changes once it is there.
"""

import base64
import contextlib
import hashlib
import os
import re
import secrets
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from oslo_log import log as logging

from nova_lite import errors
from nova_lite.embedded import files

LOG = logging.getLogger(__name__)

Record = dict[str, Any]

HASH = 'sha512'
CHUNK = 64 * 1024
YIELD_EVERY = 16
ABANDONED_AFTER = 3600
_ID = re.compile(r'[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}')

DEFAULT_IMAGE = 'nova-lite-nano'
DEFAULT_SIZE = 64 * 1024
# A boot sector that prints one line on screen and serial port, then waits for the power button.
_BOOT_SECTOR = base64.b64decode(
    '+jHAjtiO0LwAfPu6Aga4AAHvvjt8rITAdA60DjHbUM0QWLr4A+7r7boABu32xAF0B7oEBrgAIO/06+1ub3ZhLWxpdGUgYm9vdC1z'
    'ZWN0b3IgZ3Vlc3QgUkVBRFkNCgA=')

# What every record has; whatever else an owner sets is in 'properties'.
BLANK: Record = {
    'name': None, 'status': 'queued', 'visibility': 'shared', 'owner': None, 'protected': False,
    'os_hidden': False, 'disk_format': None, 'container_format': None, 'min_disk': 0, 'min_ram': 0,
    'size': None, 'virtual_size': None, 'checksum': None, 'os_hash_algo': None, 'os_hash_value': None,
    'tags': [], 'properties': {}, 'members': {}, 'made': 0,
}


class ImageStore:
    """Records and data under one state directory, for any number of processes."""

    def __init__(self, state_dir: str):
        self._dir = files.private_dir(os.path.join(state_dir, 'images'))
        self._lock = os.path.join(self._dir, '.lock')
        self._read: dict[str, tuple[tuple[int, int, int], Record]] = {}

    def get(self, image_id: str) -> Record:
        """The record, which the caller must not change."""
        path = self._record_path(image_id)
        found = files.signature(path) if path else None
        if path is None or found is None:
            self._read.pop(image_id, None)
            raise errors.ImageNotFound(image=image_id)
        known = self._read.get(image_id)
        if known is None or known[0] != found:
            try:
                known = (found, {**BLANK, **files.read_json(path)})
            except FileNotFoundError:
                raise errors.ImageNotFound(image=image_id) from None
            self._read[image_id] = known
        return known[1]

    def all(self) -> Iterator[Record]:
        """Every record; one that cannot be read is skipped with an error in the log."""
        for entry in os.listdir(self._dir):
            image_id, dot, kind = entry.rpartition('.')
            if kind == 'json' and dot and _ID.fullmatch(image_id):
                try:
                    yield self.get(image_id)
                except errors.ImageNotFound:
                    continue
                except (ValueError, TypeError) as error:
                    LOG.error('The record of image %s cannot be read: %s', image_id, error)

    def add(self, values: Record) -> Record:
        """Make a queued image."""
        image_id = values.get('id') or str(uuid.uuid4())
        path = self._record_path(image_id)
        if path is None:
            raise errors.Invalid(reason=f'Image id {image_id!r} is not a UUID in lower case.')
        now = _now()
        # The times that clients see are whole seconds, in which many images can be made.
        record = {**BLANK, **values, 'id': image_id, 'created_at': now, 'updated_at': now, 'made': time.time_ns()}
        with files.locked(self._lock):
            if os.path.exists(path):
                raise errors.Conflict(reason=f'Image id {image_id} is taken.')
            files.write_json(path, record)
        return record

    def change(self, image_id: str, edit: Callable[[Record], Record]) -> Record:
        """Replace a record by what ``edit`` makes of a copy of it, with nobody in between."""
        with files.locked(self._lock):
            record = self.get(image_id)
            changed = edit({**record, 'properties': {**record['properties']}, 'tags': [*record['tags']],
                            'members': {**record['members']}})
            changed['updated_at'] = _now()
            files.write_json(self._record_path(image_id) or '', changed)
        return changed

    def receive(self, image_id: str, data: Iterable[bytes], cap: int) -> Record:
        """Take the bytes of a queued image, at most ``cap``, and make it active."""
        part = os.path.join(self._dir, f'{image_id}.{secrets.token_hex(6)}.part')
        target = self.data_path(image_id)

        def activate(record: Record) -> Record:
            _must_be_queued(record)
            os.replace(part, target)
            return {**record, **facts, 'status': 'active'}

        _must_be_queued(self.get(image_id))
        try:
            facts = _store(part, data, cap)
            record = self.change(image_id, activate)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(part)
        return record

    def remove(self, image_id: str, check: Callable[[Record], None]) -> None:
        """Delete an image that ``check`` lets go; a download under way still gets all of it."""
        with files.locked(self._lock):
            check(self.get(image_id))
            os.unlink(self._record_path(image_id) or '')
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.data_path(image_id))
            files.sync_dir(self._dir)
        self._read.pop(image_id, None)

    def data_path(self, image_id: str) -> str:
        return os.path.join(self._dir, f'{image_id}.data')

    def tidy(self) -> None:
        """Remove what processes that were killed in the middle of an upload or a deletion left."""
        for entry in os.listdir(self._dir):
            path = os.path.join(self._dir, entry)
            image_id, _, kind = entry.rpartition('.')
            orphan = kind == 'data' and not os.path.exists(os.path.join(self._dir, f'{image_id}.json'))
            if kind != 'part' and not orphan:
                continue
            with contextlib.suppress(FileNotFoundError):
                if os.stat(path).st_mtime < time.time() - ABANDONED_AFTER:
                    os.unlink(path)

    def mark(self, name: str) -> str:
        """The path of a file that remembers something about this store."""
        return os.path.join(self._dir, f'.{name}')

    def _record_path(self, image_id: str) -> str | None:
        return os.path.join(self._dir, f'{image_id}.json') if _ID.fullmatch(image_id) else None


def visible(record: Record, project_id: str | None, is_admin: bool) -> bool:
    """Whether a project may see an image that it names."""
    return (is_admin or record['visibility'] in ('public', 'community') or _owns(record, project_id)
            or (record['visibility'] == 'shared' and project_id in record['members']))


def listed(record: Record, project_id: str | None, is_admin: bool) -> bool:
    """Whether an image is in a project's ordinary list: not community images, nor unanswered offers."""
    return (is_admin or record['visibility'] == 'public' or _owns(record, project_id)
            or (record['visibility'] == 'shared' and record['members'].get(project_id) == 'accepted'))


def _owns(record: Record, project_id: str | None) -> bool:
    return project_id is not None and record['owner'] == project_id


def _must_be_queued(record: Record) -> None:
    if record['status'] != 'queued':
        raise errors.Conflict(
            reason=f'Image {record["id"]} is {record["status"]}; data is taken while it is queued.')
    for name in ('disk_format', 'container_format'):
        if record[name] is None:
            raise errors.Invalid(reason=f'Image {record["id"]} needs a {name} before its data.')


def _store(path: str, data: Iterable[bytes], cap: int) -> Record:
    size, md5, digest = 0, hashlib.md5(usedforsecurity=False), hashlib.new(HASH)
    with open(path, 'xb', opener=files.private_opener) as file:
        for number, chunk in enumerate(data):
            size += len(chunk)
            if size > cap:
                raise errors.TooLarge(limit=cap)
            md5.update(chunk)
            digest.update(chunk)
            try:
                file.write(chunk)
            except OSError as error:
                raise errors.Unavailable(
                    reason=f'The image store cannot take the data: {error.strerror}.') from None
            if number % YIELD_EVERY == 0:
                # a sender as fast as we are would otherwise keep a green worker for himself
                time.sleep(0)
        files.flush(file)
    return {'size': size, 'virtual_size': None, 'checksum': md5.hexdigest(), 'os_hash_algo': HASH,
            'os_hash_value': digest.hexdigest()}


def _now() -> str:
    return time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())


def ensure_default_image(state_dir: str, owner: str | None = None) -> None:
    """Make the small public image at the first start; who deletes it is rid of it.

    Each step may find that a start beside it, or one that broke off, has done it.
    """
    store = ImageStore(state_dir)
    made = store.mark('default-image-made')
    if os.path.exists(made):
        return
    image_id = str(uuid.uuid5(uuid.NAMESPACE_DNS, DEFAULT_IMAGE))
    sector = _BOOT_SECTOR.ljust(510, b'\0') + b'\x55\xaa'
    with contextlib.suppress(errors.Conflict):
        store.add({'id': image_id, 'name': DEFAULT_IMAGE, 'owner': owner, 'visibility': 'public',
                   'disk_format': 'raw', 'container_format': 'bare'})
    with contextlib.suppress(errors.Conflict):
        store.receive(image_id, [sector.ljust(DEFAULT_SIZE, b'\0')], DEFAULT_SIZE)
    files.write(made, b'')
