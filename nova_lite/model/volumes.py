# SPDX-License-Identifier: Apache-2.0
"""Volumes, their snapshots and attachments as every part of the program sees them, and the rules of their states."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

CREATING, DOWNLOADING, AVAILABLE, RESERVED = 'creating', 'downloading', 'available', 'reserved'
ATTACHING, IN_USE, DETACHING = 'attaching', 'in-use', 'detaching'
DELETING, EXTENDING, ERROR = 'deleting', 'extending', 'error'
ERROR_DELETING, ERROR_EXTENDING = 'error_deleting', 'error_extending'
#: The state of an attachment whose server has the volume.
ATTACHED = 'attached'

#: It will change by itself: ask again.
BUSY = frozenset((CREATING, DOWNLOADING, DELETING, EXTENDING))
#: What a volume is follows from its attachments.
SETTLED = frozenset((AVAILABLE, RESERVED, ATTACHING, IN_USE, DETACHING))
DELETABLE = frozenset((AVAILABLE, ERROR, ERROR_EXTENDING, 'error_restoring', 'error_managing'))
SNAPSHOT_DELETABLE = frozenset((AVAILABLE, ERROR))

#: What projects have limits of; gigabytes are of volumes and snapshots together.
RESOURCES = ('volumes', 'snapshots', 'gigabytes')
DEFAULT_TYPE = '__DEFAULT__'


@dataclass(frozen=True)
class Attachment:
    """The tie of a volume to one server; ``id`` names it for the volume service."""

    id: str
    volume_id: str
    server_uuid: str | None
    device: str | None = None
    mode: str = 'rw'
    status: str = RESERVED


@dataclass(frozen=True)
class Volume:
    """A volume; ``size`` is GiB."""

    id: str
    name: str
    description: str | None
    size: int
    status: str
    bootable: bool
    multiattach: bool
    volume_type: str | None
    availability_zone: str | None
    project_id: str
    user_id: str
    snapshot_id: str | None
    source_image_id: str | None
    image_metadata: Mapping[str, str] = field(default_factory=dict)
    attachments: Sequence[Attachment] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    created_at: datetime | None = None
    encrypted: bool = False


@dataclass(frozen=True)
class VolumeSnapshot:
    """The state of a volume at one moment; ``size`` is that of the volume in GiB."""

    id: str
    volume_id: str
    size: int
    status: str
    name: str
    description: str | None
    project_id: str
    created_at: datetime | None = None


@dataclass(frozen=True)
class VolumeWish:
    """A volume to make; at most one of ``snapshot_id``, ``image_id``, ``source_volume_id``.

    Without ``size`` it is as big as its source.  ``key`` makes it repeatable: the same key of the same project names
    the same volume.
    """

    size: int | None
    name: str = ''
    description: str | None = None
    snapshot_id: str | None = None
    image_id: str | None = None
    source_volume_id: str | None = None
    volume_type: str | None = None
    availability_zone: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    key: str | None = None


def status_of(attachments: Collection[str]) -> str:
    """What a volume is whose attachments are in these states."""
    for of_attachment, of_volume in ((ATTACHED, IN_USE), (ATTACHING, ATTACHING), (RESERVED, RESERVED)):
        if of_attachment in attachments:
            return of_volume
    return AVAILABLE
