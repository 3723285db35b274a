# SPDX-License-Identifier: Apache-2.0
"""Confirm a resize or a migration: what was set aside on the old host goes, and what the server had there."""

import datetime
import uuid
from typing import Any

from oslo_context import context as oslo_context

from nova_lite.conductor import moving
from nova_lite.conductor.steps import SOURCE, Step, Stepwise
from nova_lite.conductor.work import Deps, Work
from nova_lite.db.queries import actions, migrations, operations, servers
from nova_lite.model import moves, states
from nova_lite.model.power import Power

#: How many are begun at a time.
MOST = 100


class ConfirmResize(Stepwise):
    """Of a server that is RESIZED."""

    steps = (Step('move_forget', SOURCE, sure=True),)

    def finish(self, work: Work) -> None:
        """The server is where it is, for good."""
        moving.over(work, moves.CONFIRMED)
        moving.fits(work)
        off = work.server.power_state == Power.SHUTDOWN
        work.change(vm_state=states.STOPPED if off else states.ACTIVE, task_state=None)
        work.done()


def begin_overdue(deps: Deps, now: datetime.datetime) -> None:
    """Confirm what its owner has left alone for ``[DEFAULT] resize_confirm_window`` seconds."""
    window = deps.conf.resize_confirm_window
    if not window:
        return
    with deps.db.read() as conn:
        rows = migrations.waiting(conn, states.RESIZED, now - datetime.timedelta(seconds=window), MOST)
    for row in rows:
        deps.db.transaction(_begin, row, now)


def _begin(conn: Any, row: Any, now: datetime.datetime) -> None:
    expect = {'vm_state': states.RESIZED, 'task_state': None, 'deleted': False}
    if not servers.update_if(conn, row.server_uuid, expect, task_state=states.RESIZE_CONFIRMING):
        return
    migration = migrations.get(conn, row.id)
    if migration is None or not migrations.update_if(conn, row.id, moves.FINISHED, status=moves.CONFIRMING):
        # It was another one that made the server what it is.
        servers.update(conn, row.server_uuid, task_state=None)
        return
    request = {'request_id': oslo_context.generate_request_id(), 'user_id': row.user_id,
               'project_id': row.project_id}
    action_id = actions.insert(conn, {'server_uuid': row.server_uuid, 'action': 'confirmResize', **request})
    operations.insert(conn, [{
        'id': str(uuid.uuid4()), 'kind': 'confirm_resize', 'server_uuid': row.server_uuid, **request,
        'action_id': action_id, 'state': operations.PENDING, 'step': '', 'attempt': 0, 'owner': None,
        'lease_until': now - datetime.timedelta(seconds=1), 'error': None, 'created_at': now, 'updated_at': now,
        'params': {moving.MIGRATION: row.id, SOURCE: migration.source_compute}}])
