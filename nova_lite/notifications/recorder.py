# SPDX-License-Identifier: Apache-2.0
"""Writes notifications down: what is said of an operation follows from its kind, its step and the table of families."""

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from oslo_config import cfg
from oslo_context import context as oslo_context

from nova_lite.db.queries import outbox, servers, tags
from nova_lite.db.queries.outbox import Notification
from nova_lite.model import periods, times
from nova_lite.notifications import families, flat, payloads, things
from nova_lite.notifications.families import END, ERROR, START, Family
from nova_lite.notifications.payloads import enveloped
from nova_lite.notifications.port import Notifications, Prepare

#: The parameter of an operation that says which families have begun, and whether they go on.
SAID = 'said'

# What a payload tells of, in the parameters of its operation. A backup may only remove older ones, and an operation of
# an earlier release may not say.
_IDS: dict[str, dict[str, Callable[[Mapping[str, Any]], Any]]] = {
    families.SNAPSHOT: {'snapshot_image_id': lambda params: params.get('image_id')},
    families.VOLUME: {'volume_id': lambda params: (params.get('known') or {}).get('volume_id')},
    families.SWAP: {'old_volume_id': lambda params: params.get('old_volume'),
                    'new_volume_id': lambda params: (params.get('other') or {}).get('volume_id')},
}
_VM_STATE, _BOTH = 'vm_state', 'vm_and_task_state'
_NOBODY = SimpleNamespace(request_id=None, user_id=None, project_id=None)


class Recorder(Notifications):
    """Somebody listens."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        options = conf.notifications
        self._versioned = options.notification_format in ('versioned', 'both')
        self._flat = options.notification_format in ('unversioned', 'both')
        self._level = options.default_level
        self._updates = options.notify_on_state_change
        self._with_volumes = options.bdms_in_notifications

    # ------------------------------------------------------------ from the API

    def accepting(self, context: Any, server: Any, kind: str, prepare: Prepare | None) -> Prepare | None:
        """Say what the acceptance changed, once it is complete."""
        event = families.ACCEPTED.get(kind)
        if event is None and self._updates is None:
            return prepare

        def prepared(conn: Any, row: Any) -> Mapping[str, Any]:
            more = prepare(conn, row) if prepare else {}
            self.updated(conn, context, server)
            if event:
                self.server(conn, context, event, row.uuid)
            return more

        return prepared

    def created(self, conn: Any, context: Any, rows: Sequence[Mapping[str, Any]]) -> None:
        """They came from nothing."""
        if self._updates is None:
            return
        before = SimpleNamespace(vm_state=None, task_state=None)
        said: list[Notification] = []
        for row in rows:
            said += self._update(conn, context, before, SimpleNamespace(**row), self._publisher('nova-api'))
        self._write(conn, said)

    def updated(self, conn: Any, context: Any, before: Any) -> None:
        """One that is asked for by its owner is told whatever it changes, but a change of the task alone may not be."""
        if self._updates is None:
            return
        row = servers.get(conn, before.uuid, deleted=None)
        if self._updates == _VM_STATE and row.vm_state == before.vm_state and row.task_state != before.task_state:
            return
        self._write(conn, self._update(conn, context, before, row, self._publisher('nova-api')))

    def server(self, conn: Any, context: Any, event: str, uuid: str) -> None:
        """The server as it is at this moment."""
        row = servers.get(conn, uuid, deleted=None)
        publisher = self._publisher('nova-api')
        said = []
        if self._versioned:
            said.append(self._note(context, event, publisher, self._payload(context, row, families.ACTION, {})))
        known = families.BY_API.get(event)
        if self._flat and known:
            said.append(self._note(context, known, publisher, flat.server(row), versioned=False))
        self._write(conn, said)

    def thing(self, conn: Any, event: str, *key: Any) -> None:
        """There are no unversioned ones that anybody reads."""
        if self._versioned:
            who = oslo_context.get_current() or _NOBODY
            payload = things.BUILDERS[event.partition('.')[0]](conn, *key)
            self._write(conn, [self._note(who, event, self._publisher('nova-api'), payload)])

    # ------------------------------------------------------- from a conductor

    def begun(self, work: Any, step: str, host: str) -> None:
        """Families that begin with the operation or with this step."""
        known = work.params.get(SAID) or {}
        new = [family for family in families.of_kind(work.operation.kind)
               if family.name not in known and (not family.steps or step in family.steps)]
        if not new:
            return
        work.params[SAID] = {**known, **{family.name: True for family in new}}
        said: list[Notification] = []
        for family in new:
            said += self._of_family(work, family, START, host)
        self._write(work.conn, said)

    def passed(self, work: Any) -> None:
        """Families that end with this step."""
        self._close(work, [family for family in families.of_kind(work.operation.kind)
                           if work.operation.step in family.steps])

    def over(self, work: Any, error: Mapping[str, Any] | None = None) -> None:
        """All families end, some of them badly."""
        every = families.of_kind(work.operation.kind)
        known = work.params.get(SAID) or {}
        self._close(work, [family for family in every if error is None or family.back])
        if error is None:
            return
        said: list[Notification] = []
        for family in every:
            if family.fails:
                said += self._of_family(work, family, ERROR, self._host(work), error)
        if self._versioned:
            said += self._exceptions(work, error, bool(known))
        self._write(work.conn, said)

    def changing(self, work: Any, values: Mapping[str, Any]) -> None:
        """Only if the states do."""
        server = work.server
        if self._updates is None or not (
                values.get('vm_state', server.vm_state) != server.vm_state or self._updates == _BOTH
                and values.get('task_state', server.task_state) != server.task_state):
            return
        after = SimpleNamespace(**{**vars(server), **values, 'updated_at': work.now})
        self._write(work.conn, self._update(work.conn, work.operation, server, after, self._compute(self._host(work))))

    # ------------------------------------------------------------------ inside

    def _close(self, work: Any, ending: Sequence[Family]) -> None:
        known = work.params.get(SAID) or {}
        ended = [family for family in ending if known.get(family.name)]
        if not ended:
            return
        work.params[SAID] = {**known, **{family.name: False for family in ended}}
        said: list[Notification] = []
        for family in ended:
            said += self._of_family(work, family, END, self._host(work))
        self._write(work.conn, said)

    def _of_family(self, work: Any, family: Family, phase: str, host: str,
                   error: Mapping[str, Any] | None = None) -> list[Notification]:
        publisher = self._compute(host or work.server.host or self._conf.host)
        more = self._more(work, family, error)
        if more is None:
            return []
        said = []
        priority = 'ERROR' if phase == ERROR else None
        if self._versioned:
            payload = self._payload(work.operation, work.server, family.payload, more)
            said.append(self._note(work.operation, family.event(phase), publisher, payload, priority))
        known = family.flat_event(phase) if self._flat else None
        if known:
            payload = {**flat.server(work.server), **flat.about(family, phase, more)}
            said.append(self._note(work.operation, known, publisher, payload, priority, versioned=False))
        return said

    def _more(self, work: Any, family: Family, error: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """What a family's payload has beside the server; None if the operation has no such thing."""
        params, server = work.params, work.server
        more: dict[str, Any] = {'fault': payloads.failure(error, work.operation.kind) if error is not None else None}
        if family.payload == families.CREATE:
            more |= {'keypairs': payloads.keypairs_of(server), 'tags': tags.page(work.conn, server.uuid),
                     'trusted_image_certificates': server.trusted_image_certificates,
                     'instance_name': self._conf.instance_name_template % server.id}
        elif family.payload == families.REBUILD:
            more['trusted_image_certificates'] = server.trusted_image_certificates
        elif family.payload == families.RESCUE:
            more['rescue_image_ref'] = params.get('image')
        elif family.payload == families.RESIZE_PREP:
            more['new_flavor'] = payloads.flavor(params['flavor']) if params.get('flavor') else None
        elif family.payload in _IDS:
            ids = {field: find(params) for field, find in _IDS[family.payload].items()}
            return {**more, **ids} if all(ids.values()) else None
        return more

    def _exceptions(self, work: Any, error: Mapping[str, Any], placed: bool) -> list[Notification]:
        kind = work.operation.kind
        if kind in families.UNPLACED and not placed:
            return [self._note(work.operation, families.UNPLACED[kind], self._publisher('nova-conductor'),
                               payloads.compute_task(work.server, error, kind), 'ERROR')]
        return [self._note(work.operation, families.EXCEPTION, self._compute(self._host(work)),
                           payloads.failure(error, kind), 'ERROR')]

    def _update(self, conn: Any, who: Any, before: Any, row: Any, publisher: str) -> list[Notification]:
        period = periods.last_completed(self._conf.instance_usage_audit_period, times.utcnow())
        # What is going on began where the last one ended.
        period = period[1], times.utcnow()
        known = tags.page(conn, row.uuid)
        said = []
        if self._versioned:
            renamed = before.name if getattr(before, 'name', row.name) != row.name else None
            said.append(self._note(who, families.INSTANCE_UPDATE, publisher, self._payload(
                who, row, families.UPDATE, {
                    'state_update': payloads.state_update(before, row), 'audit_period': payloads.audit_period(*period),
                    'old_display_name': renamed, 'tags': known})))
        if self._flat:
            said.append(self._note(who, families.FLAT_UPDATE, publisher, flat.update(before, row, period, known),
                                   versioned=False))
        return said

    def _payload(self, who: Any, row: Any, name: str, more: Mapping[str, Any]) -> dict[str, Any]:
        fault = {} if name == families.UPDATE else {'fault': None}
        return enveloped(name, {**payloads.server(row, who, self._with_volumes), **fault, **more})

    def _note(self, who: Any, event: str, publisher: str, payload: Mapping[str, Any], priority: str | None = None,
              versioned: bool = True) -> Notification:
        context = {name: getattr(who, name) for name in ('request_id', 'user_id', 'project_id')}
        return Notification(event, priority or self._level, publisher, payload, context, versioned)

    def _host(self, work: Any) -> str:
        """The host that is at the operation, or where the server is."""
        owner = work.operation.owner
        return str(work.server.host or self._conf.host) if owner in (None, work.deps.name) else str(owner)

    def _publisher(self, binary: str) -> str:
        return f'{binary}:{self._conf.host}'

    @staticmethod
    def _compute(host: str) -> str:
        return f'nova-compute:{host}'

    @staticmethod
    def _write(conn: Any, said: Sequence[Notification]) -> None:
        outbox.insert(conn, said, times.utcnow())
