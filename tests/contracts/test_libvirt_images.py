# SPDX-License-Identifier: Apache-2.0
"""The images of a host: what is refused, and that one fetch serves all. The real qemu-img does the work."""

import hashlib
import os
import shutil
import threading
import time
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from nova_lite import conf as nova_conf
from nova_lite import errors
from nova_lite.virt.base import ImageRecord
from nova_lite.virt.libvirt import images, inspection, qemu_img
from tests.fixtures import hostile
from tests.fixtures.hostile import GIB, MIB

pytestmark = pytest.mark.skipif(not qemu_img.is_there(), reason='qemu-img is not installed (package qemu-utils)')

DAY = 86400


class Store:
    """An image service with files in a folder."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.records: dict[str, ImageRecord] = {}
        self.downloads = 0
        self.started = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()

    def add(self, write, disk_format: str | None = 'qcow2') -> str:
        image_id = str(uuid.uuid4())
        path = self._directory / image_id
        write(path)
        data = path.read_bytes()
        self.records[image_id] = ImageRecord(image_id, disk_format, len(data), hashlib.md5(data).hexdigest(), 'sha512',
                                          hashlib.sha512(data).hexdigest())
        return image_id

    def change(self, image_id: str, **values) -> None:
        self.records[image_id] = replace(self.records[image_id], **values)

    def describe(self, image_id: str) -> ImageRecord:
        if image_id not in self.records:
            raise errors.ImageNotFound(image=image_id)
        return self.records[image_id]

    def download(self, image_id: str, path: str) -> None:
        self.downloads += 1
        self.started.set()
        assert self.go_on.wait(30)
        shutil.copyfile(self._directory / image_id, path)


@pytest.fixture
def conf():
    conf = nova_conf.new()
    conf([], default_config_files=[], default_config_dirs=[])
    return conf


@pytest.fixture
def store(tmp_path):
    (tmp_path / 'store').mkdir()
    return Store(tmp_path / 'store')


@pytest.fixture
def disks(tmp_path):
    (tmp_path / 'disks').mkdir()
    return tmp_path / 'disks'


@pytest.fixture
def cache(conf, tmp_path, store, disks):
    return images.ImageCache(conf, tmp_path / 'base', store, disks.iterdir)


def files(cache) -> list[str]:
    return sorted(path.name for path in cache._files())


def fetch(cache, image_id: str, limit: int = 1) -> images.Base:
    with cache.use(image_id, limit) as base:
        return base


def boot_sector(path: Path) -> None:
    path.write_bytes(b'\xfa' * 510 + b'\x55\xaa' + b'\0' * (MIB - 512))


# -------------------------------------------------------------------- refused

@pytest.mark.parametrize('name', sorted(hostile.HOSTILE))
def test_a_hostile_image_is_refused_and_leaves_nothing(cache, store, name):
    disk_format, write = hostile.HOSTILE[name]
    image_id = store.add(write, disk_format)
    with pytest.raises(errors.ImageRefused, match=f'^Image {image_id} cannot be used: .*[.]$') as refused:
        fetch(cache, image_id)
    assert str(store._directory) not in str(refused.value)
    assert files(cache) == []


@pytest.mark.parametrize(('write', 'disk_format', 'words'), [
    (hostile.backing_file, 'qcow2', 'has a backing file'), (hostile.data_file, 'qcow2', 'has data_file set'),
    (hostile.disguised, 'raw', 'said to be raw, and has the head of qcow2'),
    (hostile.flat_vmdk, 'vmdk', 'Unsupported subformat'),
    (hostile.vmdk_with_outside_extent, 'vmdk', 'extent'), (hostile.raw, 'ploop', 'does not boot from the format ploop'),
])
def test_the_reason_is_said(cache, store, write, disk_format, words):
    image_id = store.add(write, disk_format)
    with pytest.raises(errors.ImageRefused, match=words):
        fetch(cache, image_id)


def test_qemu_has_the_last_word(tmp_path):
    # Should the inspector miss a way of naming another file, what qemu says of the file counts.
    hostile.backing_file(tmp_path / 'image')
    with pytest.raises(errors.ImageRefused, match='leans on another file'):
        inspection.content(tmp_path / 'image', 'x', 'qcow2')


def test_an_image_bigger_than_the_disk_is_refused_before_it_is_unpacked(cache, store):
    image_id = store.add(lambda path: hostile.qcow2(path, 5 * GIB))
    with pytest.raises(errors.ImageTooBig, match='needs a disk of 5 GiB, the flavor has 1 GiB'):
        fetch(cache, image_id, 1)
    assert files(cache) == []
    assert fetch(cache, image_id, 5).virtual_size == 5 * GIB
    with pytest.raises(errors.ImageTooBig):
        fetch(cache, image_id, 4)
    assert fetch(cache, image_id, 0).virtual_size == 5 * GIB


@pytest.mark.parametrize('change', [
    {'size': 5}, {'hash_value': '0' * 128}, {'hash_value': None, 'checksum': '0' * 32},
    {'hash_algo': 'no such', 'checksum': '0' * 32},
])
def test_bytes_that_are_not_those_of_the_record_are_refused(cache, store, change):
    image_id = store.add(hostile.qcow2)
    store.change(image_id, **change)
    with pytest.raises(errors.ImageRefused, match='record'):
        fetch(cache, image_id)
    assert files(cache) == []


@pytest.mark.parametrize('image_id', ['../../etc/passwd', '', 'a/b', '-rf', 'a.raw'])
def test_an_id_is_no_path(cache, image_id):
    with pytest.raises(errors.ImageNotFound):
        fetch(cache, image_id)


# ------------------------------------------------------------------------ kept

@pytest.mark.parametrize(('write', 'disk_format'), [
    (hostile.qcow2, 'qcow2'), (boot_sector, 'raw'), (boot_sector, 'ami'), (hostile.raw, 'raw'),
    *((lambda path, kind=kind: hostile.qemu_img('create', '-f', kind, str(path), '1M'), declared)
      for kind, declared in (('vmdk', 'vmdk'), ('vpc', 'vhd'), ('vdi', 'vdi'), ('vhdx', 'vhdx'))),
])
def test_every_format_becomes_raw(cache, store, write, disk_format):
    image_id = store.add(write, disk_format)
    base = fetch(cache, image_id)
    assert (base.disk_format, files(cache)) == ('raw', [f'{image_id}.raw'])
    assert MIB <= base.virtual_size <= 9 * MIB
    assert base.path.stat().st_mode & 0o777 == 0o600


def test_a_qcow2_image_stays_one_if_so_wished(cache, store, conf):
    conf.set_override('force_raw_images', False)
    image_id = store.add(hostile.qcow2)
    assert fetch(cache, image_id) == images.Base(cache._path(image_id, 'qcow2'), 'qcow2', MIB)


def test_a_disk_of_a_base_has_what_the_image_had(cache, store, disks):
    image_id = store.add(hostile.raw, 'raw')
    with cache.use(image_id, 1) as base:
        qemu_img.overlay(disks / 'disk', base.path, base.disk_format, GIB)
    found = qemu_img.info(disks / 'disk', 'qcow2')
    assert (found.virtual_size, found.backing_file) == (GIB, str(base.path))
    assert inspection.backing_file(disks / 'disk') == base.path
    qemu_img.convert(disks / 'disk', 'qcow2', disks / 'copy', 'raw')
    assert (disks / 'copy').read_bytes()[:MIB + 1] == b'x' * MIB + b'\0'
    qemu_img.rebase(disks / 'disk', None)
    assert qemu_img.info(disks / 'disk', 'qcow2').backing_file is None
    qemu_img.resize(disks / 'disk', 'qcow2', 2 * GIB)
    qemu_img.resize(disks / 'disk', 'qcow2', GIB)
    assert inspection.size_of(disks / 'disk', 'qcow2') == 2 * GIB


def test_who_wants_the_same_image_shares_one_download(cache, store):
    image_id = store.add(hostile.qcow2)
    store.go_on.clear()
    found: list[images.Base] = []
    threads = [threading.Thread(target=lambda: found.append(fetch(cache, image_id))) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert store.started.wait(30)
    store.go_on.set()
    for thread in threads:
        thread.join(30)
    assert (len(found), len(set(found)), store.downloads) == (8, 1, 1)
    fetch(cache, image_id)
    assert store.downloads == 1


def test_who_waits_for_a_download_that_fails_gets_its_error(cache, store):
    image_id = store.add(hostile.backing_file)
    store.go_on.clear()
    found: list[Exception] = []

    def use() -> None:
        try:
            fetch(cache, image_id)
        except errors.ImageRefused as error:
            found.append(error)

    threads = [threading.Thread(target=use) for _ in range(4)]
    threads[0].start()
    assert store.started.wait(30)
    for thread in threads[1:]:
        thread.start()
    store.go_on.set()
    for thread in threads:
        thread.join(30)
    assert len(found) == 4
    assert cache._flights == {}


def test_an_image_too_big_for_one_is_fetched_for_another(cache, store):
    image_id = store.add(lambda path: hostile.qcow2(path, 5 * GIB))
    store.go_on.clear()
    found: list[object] = []

    def use(limit: int) -> None:
        try:
            found.append(fetch(cache, image_id, limit).virtual_size)
        except errors.ImageTooBig as error:
            found.append(type(error))

    threads = [threading.Thread(target=use, args=(limit,)) for limit in (1, 5)]
    threads[0].start()
    assert store.started.wait(30)
    threads[1].start()
    store.go_on.set()
    for thread in threads:
        thread.join(30)
    assert sorted(map(str, found)) == sorted(map(str, [errors.ImageTooBig, 5 * GIB]))


# --------------------------------------------------------------------- removed

def age(base: images.Base, seconds: float) -> None:
    moment = time.time() - seconds
    os.utime(base.path, (moment, moment))


def test_images_that_nobody_needs_are_removed_when_they_are_old(cache, store, disks):
    old, young, needed = (fetch(cache, store.add(hostile.qcow2)) for _ in range(3))
    qemu_img.overlay(disks / 'disk', needed.path, needed.disk_format, GIB)
    age(old, 2 * DAY)
    age(needed, 2 * DAY)
    cache.sweep()
    assert files(cache) == sorted((young.path.name, needed.path.name))


def test_an_image_that_a_disk_is_made_of_is_not_removed(cache, store):
    image_id = store.add(hostile.qcow2)
    with cache.use(image_id) as base:
        age(base, 2 * DAY)
        cache.sweep()
        assert base.path.exists()
    cache.sweep()
    assert not base.path.exists()
    assert fetch(cache, image_id).path.exists()


def test_images_are_kept_if_so_wished(cache, store, conf):
    conf.set_override('remove_unused_base_images', False, 'image_cache')
    base = fetch(cache, store.add(hostile.qcow2))
    age(base, 2 * DAY)
    cache.sweep()
    assert base.path.exists()


def test_the_images_of_a_host_take_no_more_than_they_may(cache, store, conf, disks, monkeypatch):
    conf.set_override('size_limit_gb', 2, 'image_cache')
    monkeypatch.setattr(images, '_taken', lambda path: GIB)
    first, needed, third = (store.add(hostile.qcow2) for _ in range(3))
    age(fetch(cache, first), 10)
    qemu_img.overlay(disks / 'disk', fetch(cache, needed).path, 'raw', GIB)
    age(fetch(cache, needed), 20)
    fetch(cache, third)
    assert files(cache) == sorted((f'{needed}.raw', f'{third}.raw'))


def test_what_a_process_that_was_killed_left_is_removed(cache, store):
    fetch(cache, store.add(hostile.qcow2))
    left, new = cache._part('left'), cache._part('new')
    for path in (left, new):
        path.write_bytes(b'half')
    os.utime(left, (0, 0))
    cache.sweep()
    assert left.name not in files(cache)
    assert new.name in files(cache)


def test_what_is_no_disk_leans_on_nothing(tmp_path):
    (tmp_path / 'text').write_bytes(b'a')
    assert inspection.backing_file(tmp_path / 'text') is None
    assert inspection.backing_file(tmp_path / 'absent') is None
    with pytest.raises(errors.HypervisorError, match='damaged'):
        inspection.size_of(tmp_path / 'text', 'qcow2')


# -------------------------------------------------------------------- qemu-img

def test_a_file_that_is_not_there_is_named_without_its_folder(tmp_path):
    with pytest.raises(errors.HypervisorError, match='absent') as error:
        qemu_img.info(tmp_path / 'absent', 'raw')
    assert str(tmp_path) not in str(error.value)


def test_a_name_is_nothing_but_a_name(tmp_path):
    path = tmp_path / 'json:{"driver":"null-co"}'
    path.write_bytes(b'x' * MIB)
    assert qemu_img.info(path, 'raw').virtual_size == MIB


def test_an_overlong_copy_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(qemu_img, 'COPY_SECONDS', 0.001)
    hostile.qcow2(tmp_path / 'a')
    with pytest.raises(errors.HypervisorError, match='was not done after'):
        qemu_img.convert(tmp_path / 'a', 'qcow2', tmp_path / 'b', 'raw')


def test_only_plain_disks_grow(tmp_path):
    with pytest.raises(errors.HypervisorError, match='vmdk'):
        qemu_img.resize(tmp_path / 'a', 'vmdk', GIB)


def test_memory_is_limited(tmp_path, monkeypatch):
    monkeypatch.setattr(qemu_img, 'MEMORY', MIB)
    with pytest.raises(errors.HypervisorError, match='qemu-img create ended with'):
        qemu_img.create(tmp_path / 'a', 'raw', MIB)
