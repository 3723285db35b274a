# SPDX-License-Identifier: Apache-2.0
"""Volume types of the embedded volume service, and what projects may have of it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nova_lite import errors
from nova_lite.db import paging
from nova_lite.db.queries import volume_quotas, volume_types
from nova_lite.embedded.volume_store import limits_of
from nova_lite.embedded.volume_work import Tools
from nova_lite.model.volumes import DEFAULT_TYPE


class Types:
    """The types; who is no administrator does not see those that are not public."""

    def __init__(self, tools: Tools) -> None:
        self._db = tools.db

    def show(self, context: Any, name_or_id: str) -> Any:
        """One type."""
        if name_or_id == DEFAULT_TYPE:
            self._ensure_default()
        with self._db.read() as conn:
            row = volume_types.find(conn, name_or_id)
        if not row.is_public and not context.is_admin:
            raise errors.VolumeTypeNotFound(type=name_or_id)
        return row

    def page(self, filters: Mapping[str, Any], paged: paging.Page, offset: int = 0) -> Sequence[Any]:
        """One page of types."""
        self._ensure_default()
        with self._db.read() as conn:
            return volume_types.page(conn, filters, paged, offset)

    def _ensure_default(self) -> None:
        try:
            with self._db.read() as conn:
                volume_types.find(conn, DEFAULT_TYPE)
        except errors.VolumeTypeNotFound:
            self._db.transaction(volume_types.ensure_default)

    def create(self, context: Any, values: Mapping[str, Any]) -> Any:
        """Make a type of name, description, is_public and extra_specs."""
        return self.show(context, self._db.transaction(volume_types.insert, values))

    def change(self, context: Any, name_or_id: str, edit: Callable[[Any], Mapping[str, Any]]) -> Any:
        """Set what ``edit`` makes of the type as it is."""
        def apply(conn: Any) -> str:
            row = volume_types.find(conn, name_or_id)
            volume_types.update(conn, row.uuid, **edit(row))
            return str(row.uuid)

        return self.show(context, self._db.transaction(apply))

    def delete(self, name_or_id: str) -> None:
        """Remove a type that no volume has."""
        def apply(conn: Any) -> None:
            row = volume_types.find(conn, name_or_id)
            if row.name == DEFAULT_TYPE:
                raise errors.VolumeTypeInUse(type=row.name)
            volume_types.delete(conn, row)

        self._db.transaction(apply)


class Quotas:
    """What projects may have, and what they have."""

    def __init__(self, tools: Tools) -> None:
        self._db = tools.db
        self._tools = tools

    def limits(self, project_id: str | None = None) -> dict[str, int]:
        """What counts for a project, or for everybody who has no limits of his own."""
        with self._db.read() as conn:
            return volume_quotas.limits(conn, limits_of(self._tools), project_id)

    def usage(self, project_id: str) -> dict[str, int]:
        """What a project has."""
        with self._db.read() as conn:
            return volume_quotas.usage(conn, project_id)

    def set(self, project_id: str | None, values: Mapping[str, int]) -> None:
        """Set limits of a project, or of everybody."""
        self._db.transaction(volume_quotas.store, project_id, values)

    def forget(self, project_id: str) -> None:
        """Let the limits of everybody count again for a project."""
        self._db.transaction(volume_quotas.forget, project_id)
