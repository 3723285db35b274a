# SPDX-License-Identifier: Apache-2.0
"""The disks of servers: what a request may wish, what an image brings along, and how they are recorded.

A *wish* is a disk as a request or an image describes it.  A *device* is an entry of ``servers.block_devices``:
plain JSON that the driver, the views and the steps of operations share.  A server that has only what its
image and flavor say has no devices at all.
"""

import json
import string
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from nova_lite import errors

IMAGE, VOLUME, SNAPSHOT, BLANK = 'image', 'volume', 'snapshot', 'blank'
LOCAL = 'local'
SWAP = 'swap'
ROOT = '/dev/vda'

# What becomes of a device: on its way to the server, there, on its way back.
WISHED, MAKING, ATTACHING, ATTACHED, DETACHING = 'wished', 'making', 'attaching', 'attached', 'detaching'

_TOGETHER = frozenset(((IMAGE, LOCAL), (BLANK, LOCAL), (IMAGE, VOLUME), (VOLUME, VOLUME), (SNAPSHOT, VOLUME),
                       (BLANK, VOLUME)))
_DEFAULT_PLACE = {IMAGE: LOCAL, BLANK: LOCAL, VOLUME: VOLUME, SNAPSHOT: VOLUME}
_FIRST_DISKS = frozenset(('vda', 'sda', 'hda', 'xvda'))
_NOT_IN_SEQUENCE = 'The boot sequence is wrong: one disk has boot_index 0, and the others go on from there by ones.'

Json = Mapping[str, Any]
Device = dict[str, Any]


@dataclass(frozen=True)
class Wish:
    """One disk: made of ``source`` (``source_id`` unless blank), kept on the host or in a volume of ``size`` GiB.

    ``boot_index`` -1: nothing boots from it.  ``absent``: an image's disk of this name is not wanted.
    """

    source: str
    destination: str
    source_id: str | None = None
    boot_index: int = -1
    size: int | None = None
    device: str | None = None
    delete_on_termination: bool = False
    guest_format: str | None = None
    device_type: str | None = None
    disk_bus: str | None = None
    tag: str | None = None
    volume_type: str | None = None
    absent: bool = False

    @property
    def is_volume(self) -> bool:
        """Whether it is kept in a volume."""
        return self.destination == VOLUME

    @property
    def is_swap(self) -> bool:
        """Whether the guest swaps to it."""
        return (self.source, self.destination, self.guest_format) == (BLANK, LOCAL, SWAP)

    @property
    def is_ephemeral(self) -> bool:
        """Whether it is an empty disk on the host."""
        return (self.source, self.destination) == (BLANK, LOCAL) and self.guest_format != SWAP


@dataclass(frozen=True)
class Plan:
    """The disks of new servers.  ``is_special``: they are not just what image and flavor say."""

    wishes: tuple[Wish, ...]

    @property
    def root(self) -> Wish:
        """What the servers boot from."""
        return next(wish for wish in self.wishes if wish.boot_index == 0)

    @property
    def is_special(self) -> bool:
        """Whether there is anything to be recorded."""
        return any((wish.source, wish.destination, wish.boot_index) != (IMAGE, LOCAL, 0) or wish.tag
                   for wish in self.wishes)


# ------------------------------------------------------------ from a request

def plan(image_ref: str | None, entries: Sequence[Json], legacy: Sequence[Json],
         properties: Json | None = None) -> Plan:
    """What ``imageRef``, ``block_device_mapping_v2`` and ``block_device_mapping`` say together.

    ``properties`` are those of the image: one that was made of a server on volumes brings disks along.
    """
    if legacy and entries:
        raise errors.Invalid(reason='block_device_mapping and block_device_mapping_v2 cannot be given together.')
    own = of_image(properties or {})
    wishes = [_legacy(entry) for entry in legacy] if legacy else [_wish(entry, image_ref) for entry in entries]
    if any(wish.boot_index == 0 for wish in own):
        # The image stands for its disks.
        wishes = [wish for wish in wishes if (wish.source, wish.boot_index) != (IMAGE, 0)]
    wishes = _merged(own, wishes)
    if legacy or not entries:
        wishes = _with_root(wishes, image_ref)
    _check_boot_sequence(wishes)
    return Plan(tuple(wishes))


def _wish(entry: Json, image_ref: str | None) -> Wish:
    """An entry of block_device_mapping_v2."""
    if _truth(entry.get('no_device')):
        return Wish(BLANK, LOCAL, device=_name(entry.get('device_name')), absent=True)
    source = entry.get('source_type')
    if source not in _DEFAULT_PLACE:
        raise errors.Invalid(reason=f'The source_type of a block device is {source!r}; it has to be one of '
                                    f'{", ".join(sorted(_DEFAULT_PLACE))}.')
    source_id = entry.get('uuid') or None
    if (source == BLANK) is not (source_id is None):
        said = f'names {source_id}' if source_id else 'names none'
        raise errors.Invalid(reason=f'A block device of source_type {source} {said}; it needs '
                                    f'{"no uuid" if source == BLANK else "a uuid"}.')
    wish = Wish(
        source, entry.get('destination_type') or _DEFAULT_PLACE[source], source_id, _boot_index(entry),
        _size(entry.get('volume_size')), _name(entry.get('device_name')), _truth(entry.get('delete_on_termination')),
        entry.get('guest_format') or None, entry.get('device_type') or None, entry.get('disk_bus') or None,
        entry.get('tag'), entry.get('volume_type') or None)
    _check_wish(wish, image_ref)
    return replace(wish, volume_type=None) if source == VOLUME else wish


def _check_wish(wish: Wish, image_ref: str | None) -> None:
    kind = (wish.source, wish.destination)
    if kind not in _TOGETHER:
        raise errors.Invalid(reason=f'A block device cannot come from {wish.source} and go to {wish.destination}.')
    if kind == (IMAGE, LOCAL) and not (image_ref and wish.boot_index == 0):
        raise errors.Invalid(reason='An image goes to a local disk only as the disk to boot from (boot_index 0) of a '
                                    'server with imageRef.')
    if kind == (IMAGE, LOCAL) and wish.source_id != image_ref:
        raise errors.Invalid(reason=f'The disk to boot from is made of image {wish.source_id}, imageRef is '
                                    f'{image_ref}; they have to be the same.')
    if wish.volume_type and not wish.is_volume:
        raise errors.Invalid(reason=f'volume_type {wish.volume_type} was given for a disk that is no volume.')


def _boot_index(entry: Json) -> int:
    value = entry.get('boot_index')
    return -1 if value is None else max(int(value), -1)


def _size(value: Any) -> int | None:
    return int(value) if value not in (None, '') else None


def _truth(value: Any) -> bool:
    return value is True or str(value).strip().lower() in ('true', '1', 'on', 'yes', 't', 'y')


def _name(name: str | None) -> str | None:
    if not name:
        return None
    return name if name.startswith('/') else f'/dev/{name}'


def _legacy(entry: Json) -> Wish:
    """An entry of block_device_mapping."""
    device = _name(entry.get('device_name'))
    if _truth(entry.get('no_device')):
        return Wish(BLANK, LOCAL, device=device, absent=True)
    size, ends = _size(entry.get('volume_size')), _truth(entry.get('delete_on_termination'))
    virtual = entry.get('virtual_name') or ''
    if entry.get('volume_id'):
        return Wish(VOLUME, VOLUME, entry['volume_id'], size=size, device=device, delete_on_termination=ends)
    if entry.get('snapshot_id'):
        return Wish(SNAPSHOT, VOLUME, entry['snapshot_id'], size=size, device=device, delete_on_termination=ends)
    if virtual == SWAP or virtual.removeprefix('ephemeral').isdecimal():
        return Wish(BLANK, LOCAL, size=size, device=device, delete_on_termination=True,
                    guest_format=SWAP if virtual == SWAP else None)
    raise errors.Invalid(reason='An entry of block_device_mapping names neither volume_id nor snapshot_id.')


def of_image(properties: Json) -> list[Wish]:
    """The disks that an image brings along; one that cannot be read brings none."""
    text = properties.get('block_device_mapping')
    try:
        entries = json.loads(text) if isinstance(text, str) else text or []
        new = _truth(properties.get('bdm_v2'))
        found = [_recorded(entry) if new else _legacy(entry) for entry in entries]
    except (TypeError, ValueError, AttributeError, LookupError, errors.Invalid):
        raise errors.Invalid(reason='The property block_device_mapping of the image cannot be understood.') from None
    if new or not found:
        return found
    root = _name(properties.get('root_device_name')) or ROOT
    return [replace(wish, boot_index=0) if wish.device == root else wish for wish in found]


def _recorded(entry: Json) -> Wish:
    """An entry as ``image_entry`` writes it."""
    source = entry['source_type']
    source_id = entry.get(f'{source}_id')
    wish = Wish(
        source, entry.get('destination_type') or _DEFAULT_PLACE[source], source_id, _boot_index(entry),
        _size(entry.get('volume_size')), _name(entry.get('device_name')), _truth(entry.get('delete_on_termination')),
        entry.get('guest_format'), entry.get('device_type'), entry.get('disk_bus'), entry.get('tag'),
        entry.get('volume_type'))
    _check_wish(wish, wish.source_id)
    return wish


def _merged(own: Sequence[Wish], wishes: Sequence[Wish]) -> list[Wish]:
    """The request's disks, and those of the image in whose places it has none."""
    taken = {wish.device for wish in wishes if wish.device}
    kept = [wish for wish in own if wish.device not in taken]
    return [wish for wish in (*kept, *wishes) if not wish.absent]


def _with_root(wishes: list[Wish], image_ref: str | None) -> list[Wish]:
    """The old form has no boot sequence: the image boots, or else the disk whose name says so, or the first one."""
    if any(wish.boot_index == 0 for wish in wishes):
        return wishes
    if image_ref:
        return [Wish(IMAGE, LOCAL, image_ref, 0, delete_on_termination=True), *wishes]
    volumes = [wish for wish in wishes if wish.is_volume]
    if not volumes:
        raise errors.Invalid(reason='The request names no image and no volume to boot from (imageRef).')
    named = [wish for wish in volumes if (wish.device or '').removeprefix('/dev/') in _FIRST_DISKS]
    first = (named or volumes)[0]
    return [replace(wish, boot_index=0) if wish is first else wish for wish in wishes]


def _check_boot_sequence(wishes: Sequence[Wish]) -> None:
    order = sorted(wish.boot_index for wish in wishes if wish.boot_index >= 0)
    if not order or order != list(range(len(order))):
        raise errors.Invalid(reason=_NOT_IN_SEQUENCE)


# --------------------------------------------------------------- what may be

def check(wishes: Sequence[Wish], flavor: Any, most_local: int, count: int = 1) -> None:
    """``Invalid`` for disks that no server of the flavor may have, whatever the services say of their sources."""
    for wish in wishes:
        if wish.is_volume and wish.source in (IMAGE, BLANK) and not wish.size:
            raise errors.Invalid(reason=f'A volume made of source_type {wish.source} needs a volume_size.')
        if wish.source == VOLUME and count > 1:
            raise errors.Invalid(reason=f'Volume {wish.source_id} cannot be attached to {count} servers at once.')
    local = sum(not wish.is_volume for wish in wishes)
    if 0 <= most_local < local:
        raise errors.Invalid(reason=f'A server has at most {most_local} local disks; the request asks for {local}.')
    names = [wish.device for wish in wishes if wish.device]
    if len(names) != len(set(names)):
        raise errors.Invalid(reason=f'Two block devices have one device_name among {", ".join(sorted(names))}.')
    _check_local_sizes(wishes, flavor)


def _check_local_sizes(wishes: Sequence[Wish], flavor: Any) -> None:
    ephemeral = sum(wish.size or flavor.ephemeral for wish in wishes if wish.is_ephemeral)
    if ephemeral > flavor.ephemeral:
        raise errors.Invalid(reason=f'The ephemeral disks have {ephemeral} GiB together; flavor {flavor.name} has '
                                    f'{flavor.ephemeral} GiB. One without a size has all of it.')
    swap = [wish for wish in wishes if wish.is_swap]
    if len(swap) > 1:
        raise errors.Invalid(reason='A server has at most one swap disk.')
    if swap and (swap[0].size or 0) > flavor.swap:
        raise errors.Invalid(reason=f'The swap disk has {swap[0].size} MiB; flavor {flavor.name} has {flavor.swap} '
                                    'MiB.')


# ------------------------------------------------------------------- devices

def devices(wishes: Sequence[Wish], root_name: str) -> list[Device]:
    """New entries of ``servers.block_devices``."""
    found = [device(wish) for wish in wishes]
    for one in sorted(found, key=lambda one: (one['boot_index'] < 0, one['boot_index'])):
        if one['device'] is None:
            taken = root_name if one['boot_index'] == 0 else None
            one['device'] = taken or next_name(found, root_name)
    return found


def device(wish: Wish) -> Device:
    """A new entry of ``servers.block_devices``."""
    return {
        'id': str(uuid.uuid4()), 'source': wish.source, 'destination': wish.destination, 'source_id': wish.source_id,
        'volume_id': wish.source_id if wish.source == VOLUME else None, 'boot_index': wish.boot_index,
        'size': wish.size, 'device': wish.device, 'delete_on_termination': wish.delete_on_termination,
        'guest_format': wish.guest_format, 'device_type': wish.device_type or 'disk',
        'disk_bus': wish.disk_bus or 'virtio', 'tag': wish.tag, 'volume_type': wish.volume_type,
        'attachment_id': None, 'connection': None, 'status': WISHED}


def next_name(known: Iterable[Json], root_name: str | None) -> str:
    """The first name after that of the root disk which no device has."""
    stem = (root_name or ROOT).rstrip(string.digits)
    prefix, taken = stem[:-1] or '/dev/vd', {one['device'] for one in known} | {stem}
    for name in _names(prefix):
        if name not in taken:
            return name
    raise errors.Invalid(reason='The server has no device name left.')


def _names(prefix: str) -> Iterable[str]:
    letters = string.ascii_lowercase
    yield from (f'{prefix}{letter}' for letter in letters)
    yield from (f'{prefix}{first}{second}' for first in letters for second in letters)


def of_server(server: Any) -> list[Device]:
    """The devices of a row of ``servers``, as a list of their own."""
    return [dict(one) for one in server.block_devices or ()]


def volumes(server: Any) -> list[Device]:
    """The devices that are volumes, in the order in which they came; those that exist already."""
    return [one for one in of_server(server) if one['destination'] == VOLUME and one['volume_id']]


def find(server: Any, volume_id: str) -> Device | None:
    """The device that is this volume."""
    return next((one for one in volumes(server) if one['volume_id'] == volume_id), None)


def replaced(known: Iterable[Json], changed: Json) -> list[Device]:
    """The devices with one of them changed; one that is not among them is left out."""
    return [{**one, **changed} if one['id'] == changed['id'] else dict(one) for one in known]


def without(known: Iterable[Json], device_id: str) -> list[Device] | None:
    """The devices without one of them; None for none at all."""
    return [dict(one) for one in known if one['id'] != device_id] or None


def root_of(server: Any) -> Device | None:
    """The volume that the server boots from, if it is one."""
    return next((one for one in of_server(server) if one['boot_index'] == 0 and one['destination'] == VOLUME), None)


def is_on_volume(server: Any) -> bool:
    """Whether the server's root disk is a volume; its flavor remembers it, because every claim asks for that."""
    return bool(server.flavor.get(ON_VOLUME))


#: Beside the words of the flavor in ``servers.flavor``: the root disk takes nothing of the host.
ON_VOLUME = 'root_on_volume'


def image_entry(one: Json, snapshot_id: str, size: int) -> dict[str, Any]:
    """A device as the property block_device_mapping of an image names it, by the snapshot of its volume."""
    return {
        'source_type': SNAPSHOT, 'destination_type': VOLUME, 'snapshot_id': snapshot_id, 'volume_size': size,
        'boot_index': one['boot_index'] if one['boot_index'] >= 0 else None, 'device_name': one['device'],
        'delete_on_termination': one['delete_on_termination'], 'device_type': one['device_type'],
        'disk_bus': one['disk_bus'], 'guest_format': one['guest_format'], 'tag': one['tag'],
        'volume_type': one['volume_type'], 'no_device': None, 'volume_id': None, 'image_id': None}
