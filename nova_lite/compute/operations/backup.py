# SPDX-License-Identifier: Apache-2.0
"""Backup: a snapshot, and the end of older ones of its type."""

import logging
from collections.abc import Callable

from nova_lite.compute.operations import snapshot
from nova_lite.compute.procedure import Job, Procedure, Step
from nova_lite.model.snapshots import BACKUP

LOG = logging.getLogger(__name__)


def if_kept(do: Callable[[Job], None]) -> Callable[[Job], None]:
    """A step that has nothing to do where no backup at all is to be kept."""
    def step(job: Job) -> None:
        if 'image_id' in job.operation.params:
            do(job)

    return step


def rotate(job: Job) -> None:
    """Delete all but the latest; one that cannot be deleted keeps the others from nothing."""
    params = job.operation.params
    newest = params.get('image_id')
    found = list(job.image_service.list(
        job.context, image_type=BACKUP, backup_type=params['backup_type'], instance_uuid=job.server.uuid))
    # Where times are the same the order of the list, newest first, remains; this one is known to be the last.
    found.sort(key=lambda image: (image.id == newest, image.created_at), reverse=True)
    for image in found[params['rotation']:]:
        try:
            job.image_service.delete(job.context, image.id)
        except Exception:
            LOG.exception('Backup %s of server %s, which is one too many, could not be deleted.', image.id,
                          job.server.uuid)


PROCEDURE = Procedure('compute_backup_instance', (
    *(Step(if_kept(step.do), undo=if_kept(step.undo) if step.undo else None) for step in snapshot.STEPS),
    Step(rotate),
))
