# SPDX-License-Identifier: Apache-2.0
"""Whose groups and addresses a request is about: those of its project, or for an administrator those of all."""

from collections.abc import Mapping
from typing import Any


def within(project: str | None, filters: Mapping[str, Any] | None) -> dict[str, Any]:
    """The filters, narrowed down to a project if one is given; who asks for another project's finds nothing."""
    wanted = dict(filters or {})
    if project is not None:
        wanted['project_id'] = [project] if project in (asked(filters) or (project,)) else []
    return wanted


def asked(filters: Mapping[str, Any] | None) -> list[str]:
    """The projects that a filter names."""
    named = (filters or {}).get('project_id') or []
    return [named] if isinstance(named, str) else list(named)
