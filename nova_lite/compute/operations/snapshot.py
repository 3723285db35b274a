# SPDX-License-Identifier: Apache-2.0
"""Snapshot: the disk of a guest is copied to a file, and that is uploaded into an image which waits for it."""

import contextlib
import pathlib

from oslo_config import cfg

from nova_lite import errors
from nova_lite.compute.procedure import Job, Procedure, Step

DIRECTORY = 'snapshots'


def path_of(job: Job) -> pathlib.Path:
    """The file of this operation, the same in each attempt."""
    return _directory(job.conf) / job.operation.id


def _directory(conf: cfg.ConfigOpts) -> pathlib.Path:
    return pathlib.Path(conf.state_path, DIRECTORY, conf.host)


def remove_leftovers(conf: cfg.ConfigOpts) -> None:
    """Remove the copies that a process which was killed left; what is still wanted is made again."""
    for path in _directory(conf).glob('*'):
        path.unlink(missing_ok=True)


def take(job: Job) -> None:
    """Copy the disk, and tell the image its format."""
    path = path_of(job)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    taken = job.port('snapshot').snapshot(job.server.uuid, path)
    image = job.image_service.show(job.context, job.operation.params['image_id'])
    if image.status == 'queued' and image.disk_format != taken.disk_format:
        job.image_service.update(job.context, image.id, {'disk_format': taken.disk_format})


def upload(job: Job) -> None:
    """Give the image its data, unless an attempt whose report was lost has done so."""
    image_id = job.operation.params['image_id']
    if job.image_service.show(job.context, image_id).status == 'active':
        return
    with path_of(job).open('rb') as data:
        job.image_service.upload(job.context, image_id, data)


def remove_file(job: Job) -> None:
    """Nothing of the copy is left here."""
    path_of(job).unlink(missing_ok=True)


def delete_image(job: Job) -> None:
    """An image that is not wanted does not stay."""
    with contextlib.suppress(errors.ImageNotFound):
        job.image_service.delete(job.context, job.operation.params['image_id'])


STEPS = (
    Step(take, undo=remove_file),
    Step(upload, undo=delete_image),
    Step(remove_file),
)
PROCEDURE = Procedure('compute_snapshot_instance', STEPS)
