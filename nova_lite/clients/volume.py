# SPDX-License-Identifier: Apache-2.0
"""The port to volumes: what the program asks of a volume service, and the twin that refuses where there is none."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, Protocol, cast

from oslo_config import cfg

from nova_lite import errors
from nova_lite.model.volumes import Attachment, Volume, VolumeSnapshot, VolumeWish

__all__ = ('Attachment', 'NoVolumes', 'Volume', 'VolumeClient', 'VolumeSnapshot', 'VolumeWish', 'no_volumes',
           'volume_client')


class VolumeClient(Protocol):
    """What the program asks of a volume service on behalf of ``context``.

    All raise ``VolumeNotFound``, ``VolumeSnapshotNotFound`` or ``VolumeAttachmentNotFound`` for what that project
    cannot see, ``Conflict`` when the state of the volume does not allow it, ``OverQuota`` when there is no room, and
    ``Unavailable`` when the service does not answer.  What takes its time (making a volume, deleting one) is only
    begun; ``show`` tells the state.  Never call one inside of a transaction.
    """

    @property
    def is_there(self) -> bool:
        """Whether there is a volume service at all."""

    @property
    def needs_owner(self) -> bool:
        """Whether it makes things for nobody but who shows a token of his own."""

    def take_up(self) -> None:
        """No other process works for the service now, so whatever one was at has to be done again."""

    def when_extended(self, told: Callable[[str, str], None]) -> None:
        """Have somebody told the server and the volume when one that a server has grew.

        That is for a service within this program; others send the event volume-extended.
        """

    def show(self, context: Any, volume_id: str) -> Volume: ...

    def list(self, context: Any, all_projects: bool = False, limit: int | None = None,
             offset: int = 0) -> Sequence[Volume]: ...

    def create(self, context: Any, wish: VolumeWish) -> Volume:
        """Begin to make a volume: ``creating`` until it is ``available`` or ``error``."""

    def update(self, context: Any, volume_id: str, name: str | None = None, description: str | None = None,
               metadata: Mapping[str, str] | None = None) -> Volume:
        """Change what is not None."""

    def delete(self, context: Any, volume_id: str) -> None:
        """Begin to delete a volume; one that is attached or has snapshots is a ``Conflict``."""

    def reimage(self, context: Any, volume_id: str, image_id: str) -> None:
        """Write the image over a volume: ``downloading``, then ``reserved`` or ``in-use`` as before, or ``error``."""

    def check_type(self, context: Any, volume_type: str) -> None:
        """``VolumeTypeNotFound`` unless there is such a type, by name or id."""

    def snapshot(self, context: Any, snapshot_id: str) -> VolumeSnapshot: ...

    def snapshots(self, context: Any, all_projects: bool = False, limit: int | None = None,
                  offset: int = 0) -> Sequence[VolumeSnapshot]: ...

    def create_snapshot(self, context: Any, volume_id: str, name: str = '', description: str | None = None,
                        force: bool = False, key: str | None = None) -> VolumeSnapshot:
        """Begin a snapshot; of a volume in use only by ``force``.  ``key`` makes it repeatable."""

    def delete_snapshot(self, context: Any, snapshot_id: str) -> None: ...

    def reserve(self, context: Any, volume_id: str, server_uuid: str, mode: str = 'rw',
                key: str | None = None) -> str:
        """Take the volume for a server and return the id of the attachment.

        The volume goes ``reserved``, or stays ``in-use`` if it is one that several servers may have; otherwise
        ``Conflict``.  The same ``key`` gives the same attachment again.
        """

    def connect(self, context: Any, attachment_id: str, connector: Mapping[str, Any]) -> dict[str, Any]:
        """Tell the service who connects; answers how (``driver_volume_type``, ``data``).  Repeatable."""

    def disconnect(self, context: Any, volume_id: str, server_uuid: str) -> str | None:
        """No host reads what the server has of the volume, but it keeps it: ``reserved`` until the next ``connect``.

        The id of the attachment from then on; None if the server has no part of the volume.  Repeatable.
        """

    def complete(self, context: Any, attachment_id: str, device: str | None = None) -> None:
        """The guest has it now: ``in-use``.  Repeatable."""

    def begin_detaching(self, context: Any, volume_id: str) -> None:
        """``in-use`` to ``detaching``; ``Conflict`` from any other state.  Repeatable while ``detaching``."""

    def roll_detaching(self, context: Any, volume_id: str) -> None:
        """``detaching`` back to ``in-use``; anything else stays."""

    def detach(self, context: Any, attachment_id: str) -> None:
        """Give the volume back; an attachment that is gone is a success."""

    def attachment(self, context: Any, attachment_id: str) -> Attachment: ...


class NoVolumes:
    """Where there is no volume service, every question about volumes has one answer."""

    is_there = needs_owner = False

    def take_up(self) -> None:
        """There is nothing to do."""

    def when_extended(self, told: Callable[[str, str], None]) -> None:
        """There is nothing that grows."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith('_'):
            raise AttributeError(name)
        return _refuse


def _refuse(*args: Any, **kwargs: Any) -> NoReturn:
    raise errors.NoVolumeService()


def no_volumes() -> VolumeClient:
    """The twin where there is no volume service."""
    return cast(VolumeClient, NoVolumes())


def volume_client(conf: cfg.ConfigOpts, db: Any, images: Any) -> VolumeClient:
    """The volume service that ``conf`` names."""
    if conf.embedded.volume:
        from nova_lite.clients.volume_embedded import EmbeddedVolumes

        return EmbeddedVolumes(conf, db, images)
    options = conf.cinder
    if not (options.auth_type or options.auth_section or options.endpoint_template or options.os_region_name):
        return no_volumes()
    from nova_lite.clients.cinder import CinderVolumes

    return CinderVolumes(conf)
