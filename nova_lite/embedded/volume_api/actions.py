# SPDX-License-Identifier: Apache-2.0
"""``POST /volumes/{id}/action``: what is done to a volume by naming it in the body."""

from collections.abc import Callable
from typing import Any

import webob

from nova_lite import errors
from nova_lite.embedded import http
from nova_lite.embedded.volume_api import asking
from nova_lite.embedded.volume_api.asking import WRITE, Ask, Row
from nova_lite.embedded.volume_service import VolumeService
from nova_lite.model import volumes as model

STATUSES = frozenset((
    model.AVAILABLE, model.CREATING, model.DELETING, model.ERROR, model.ERROR_DELETING, model.ATTACHING,
    model.DETACHING, model.IN_USE, model.RESERVED, model.ERROR_EXTENDING, 'error_managing', 'managing', 'maintenance'))
_REFUSED = ('os-retype', 'os-migrate_volume', 'os-volume_upload_image', 'revert', 'os-unmanage')

Action = Callable[[Ask, str, Any], Any]


class VolumeActions:
    """The actions by their names; an answer that is not None is the body."""

    def __init__(self, service: VolumeService) -> None:
        self._volumes = service.volumes
        self._attachments = service.attachments
        self._actions: dict[str, tuple[Action, int]] = {
            'os-extend': (self.extend, 202), 'os-reset_status': (self.reset, 202),
            'os-force_delete': (self.force_delete, 202), 'os-set_bootable': (self.set_bootable, 200),
            'os-update_readonly_flag': (self.set_readonly, 202), 'os-reimage': (self.reimage, 202),
            'os-set_image_metadata': (self.set_image_metadata, 200),
            'os-unset_image_metadata': (self.unset_image_metadata, 200),
            'os-show_image_metadata': (self.show_image_metadata, 200),
            'os-reserve': (self.reserve, 202), 'os-unreserve': (self.unreserve, 202),
            'os-attach': (self.attach, 202), 'os-detach': (self.detach, 202),
            'os-force_detach': (self.force_detach, 202), 'os-terminate_connection': (self.terminate_connection, 202),
            'os-begin_detaching': (self.begin_detaching, 202), 'os-roll_detaching': (self.roll_detaching, 202)}

    def rows(self) -> tuple[Row, ...]:
        """The one operation."""
        return (Row('POST', '/volumes/{id}/action', WRITE, self.act),)

    def act(self, ask: Ask) -> webob.Response:
        """Do what the one key of the body says."""
        body = ask.json()
        if len(body) != 1:
            raise errors.Invalid(reason=f'The body must name one action, not {len(body)}.')
        (name, given), = body.items()
        if name in _REFUSED:
            raise errors.Invalid(reason=f'{name} is not possible here: there is one kind of storage on one machine.')
        if name not in self._actions:
            raise errors.Invalid(reason=f'There is no action {name[:64]!r}.')
        action, status = self._actions[name]
        answer = action(ask, ask.args['id'], {} if given is None else given)
        return http.empty(status) if answer is None else http.answer(answer, status)

    def extend(self, ask: Ask, volume: str, given: Any) -> None:
        """Make it bigger; while a server has it from 3.42 on."""
        size = asking.number('new_size', _object(given).get('new_size'), 1)
        row = self._volumes.show(ask.context, volume)
        if row.status == model.IN_USE and ask.minor < 42:
            raise errors.InvalidVolume(reason=f'volume {volume} is in use; version 3.42 extends it all the same.')
        self._volumes.extend(ask.context, volume, size)

    def reset(self, ask: Ask, volume: str, given: Any) -> None:
        """Say by force in which state it is."""
        _need_admin(ask)
        status, others = given.get('status'), {'attach_status', 'migration_status'} & given.keys()
        if status is None and not others:
            raise errors.Invalid(reason='Give a status.')
        if status is not None:
            status = str(status).lower()
            if status not in STATUSES:
                raise asking.wrong('status', status, f'one of {", ".join(sorted(STATUSES))}')
            self._volumes.reset(ask.context, volume, status)

    def force_delete(self, ask: Ask, volume: str, given: Any) -> None:
        """Delete it, whatever state it is in."""
        _need_admin(ask)
        self._volumes.delete(ask.context, volume, force=True)

    def set_bootable(self, ask: Ask, volume: str, given: Any) -> None:
        """Say whether a server can boot from it."""
        value = asking.boolean('bootable', _object(given).get('bootable'))
        self._volumes.change(ask.context, volume, lambda row: {'bootable': value})

    def set_readonly(self, ask: Ask, volume: str, given: Any) -> None:
        """Say whether it may be written to."""
        value = asking.boolean('readonly', _object(given).get('readonly'))

        def edit(row: Any) -> dict[str, Any]:
            if row.status != model.AVAILABLE:
                raise errors.InvalidVolume(reason=f'volume {volume} is {row.status}, not available.')
            return {'readonly': value}
        self._volumes.change(ask.context, volume, edit)

    def reimage(self, ask: Ask, volume: str, given: Any) -> None:
        """Write an image over it."""
        image = asking.uuid_of(_object(given), 'image_id')
        if image is None or ask.minor < 68:
            raise errors.Invalid(reason='os-reimage needs an image_id and version 3.68.')
        if not given.get('reimage_reserved') and self._volumes.show(ask.context, volume).status == model.RESERVED:
            raise errors.InvalidVolume(reason=f'volume {volume} is reserved; reimage_reserved is needed for it.')
        self._volumes.reimage(ask.context, volume, image)

    # ----------------------------------------------------------- image metadata

    def set_image_metadata(self, ask: Ask, volume: str, given: Any) -> Any:
        """Change what it says of the image it was made of."""
        more = asking.strings('metadata', _object(given).get('metadata'))
        row = self._volumes.change(ask.context, volume, lambda row: {'image_metadata': {**row.image_metadata, **more}})
        return {'metadata': row.image_metadata}

    def unset_image_metadata(self, ask: Ask, volume: str, given: Any) -> None:
        """Forget one entry of that."""
        key = _object(given).get('key')

        def edit(row: Any) -> dict[str, Any]:
            if key not in row.image_metadata:
                raise errors.NotFound(f'The image metadata have no {str(key)[:64]!r}.')
            return {'image_metadata': {name: value for name, value in row.image_metadata.items() if name != key}}
        self._volumes.change(ask.context, volume, edit)

    def show_image_metadata(self, ask: Ask, volume: str, given: Any) -> Any:
        """All of that."""
        return {'metadata': self._volumes.show(ask.context, volume).image_metadata}

    # -------------------------------------------- attachments, as they were before 3.27

    def reserve(self, ask: Ask, volume: str, given: Any) -> None:
        """Take it, for whom will be said later."""
        self._attachments.reserve(ask.context, volume, None)

    def unreserve(self, ask: Ask, volume: str, given: Any) -> None:
        """Give it back before a server had it."""
        for row in self._of(ask, volume):
            if row.status == model.RESERVED and row.server_uuid is None:
                self._attachments.detach(ask.context, row.uuid)
                return

    def attach(self, ask: Ask, volume: str, given: Any) -> None:
        """Say that a server has it."""
        server = asking.uuid_of(_object(given), 'instance_uuid')
        device = asking.text(given, 'mountpoint')
        waiting = [row.uuid for row in self._of(ask, volume) if row.server_uuid is None]
        for attachment in waiting:
            self._attachments.detach(ask.context, attachment)
        attachment = self._attachments.reserve(ask.context, volume, server, given.get('mode') or 'rw')
        self._attachments.complete(ask.context, attachment, device)

    def detach(self, ask: Ask, volume: str, given: Any) -> None:
        """Say that a server does not have it any more."""
        self._end(ask, volume, asking.uuid_of(_object(given), 'attachment_id'))

    def force_detach(self, ask: Ask, volume: str, given: Any) -> None:
        """The same by force: whatever was wrong with the volume, one that nobody has is available."""
        _need_admin(ask)
        self._end(ask, volume, asking.uuid_of(_object(given), 'attachment_id'))
        if not self._of(ask, volume):
            self._volumes.reset(ask.context, volume, model.AVAILABLE)

    def terminate_connection(self, ask: Ask, volume: str, given: Any) -> None:
        """Say that a host has let go; the file needs nobody to close it."""
        if not isinstance(_object(given).get('connector'), dict):
            raise asking.wrong('connector', given.get('connector'), 'an object')
        self._attachments.check_unheld(ask.context, self._of(ask, volume))

    def _end(self, ask: Ask, volume: str, attachment: str | None) -> None:
        rows = [row for row in self._of(ask, volume) if attachment in (None, row.uuid)]
        if attachment is None and len(rows) > 1:
            raise errors.InvalidVolume(reason=f'volume {volume} has {len(rows)} attachments: name one.')
        if attachment is not None and not rows:
            raise errors.InvalidVolume(reason=f'volume {volume} has no attachment {attachment}.')
        self._attachments.check_unheld(ask.context, rows)
        for row in rows:
            self._attachments.detach(ask.context, row.uuid)

    def _of(self, ask: Ask, volume: str) -> Any:
        row = self._volumes.show(ask.context, volume)
        return self._volumes.attachments([row])[row.id]

    def begin_detaching(self, ask: Ask, volume: str, given: Any) -> None:
        """Say that a server is about to lose it."""
        self._attachments.begin_detaching(ask.context, volume)

    def roll_detaching(self, ask: Ask, volume: str, given: Any) -> None:
        """Take that back."""
        self._attachments.roll_detaching(ask.context, volume)


def _object(given: Any) -> Any:
    if not isinstance(given, dict):
        raise errors.Invalid(reason='What an action is told must be an object.')
    return given


def _need_admin(ask: Ask) -> None:
    if not ask.context.is_admin:
        raise errors.Forbidden('Only an administrator does this.')
