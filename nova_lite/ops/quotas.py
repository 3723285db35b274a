# SPDX-License-Identifier: Apache-2.0
"""Limits: what an administrator sets, and booking what servers use against what counts.

Where limits are kept elsewhere, setting them here sets nothing and is no error: that is what Nova does, and
tools that set quotas go on working.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nova_lite import errors
from nova_lite.db.queries import quota_limits, quotas, server_groups
from nova_lite.model import moves
from nova_lite.model import quotas as model
from nova_lite.model.quotas import UNLIMITED
from nova_lite.ops.limits import Known


@dataclass(frozen=True)
class SetLimits:
    """Set limits of a project, or of one of its users.

    Without ``force`` none may be below what is in use, and none of a user above that of the project.
    """

    project_id: str
    values: Mapping[str, int]
    user_id: str | None = None
    force: bool = False


def set_limits(deps: Any, command: SetLimits) -> dict[str, int]:
    """Store the limits; what counts afterwards."""
    known = deps.limits.of(command.project_id)
    if not deps.limits.is_ours:
        with deps.db.read() as conn:
            return known.effective(conn, command.user_id).user
    counts: dict[str, int] = deps.db.transaction(_set, known, command)
    return counts


def _set(conn: Any, known: Known, command: SetLimits) -> dict[str, int]:
    if not command.force:
        # Nothing is booked between the look at what is used and the end of this.
        quotas.usage_locked(conn, command.project_id)
        used = usage(conn, command.project_id, command.user_id)
        most = known.effective(conn).project if command.user_id else {}
        for resource, value in command.values.items():
            _check(resource, value, used.get(resource, 0), most.get(resource, UNLIMITED))
    quota_limits.store(conn, quota_limits.PROJECT, command.project_id, command.user_id or quota_limits.NOBODY,
                       command.values)
    return known.effective(conn, command.user_id).user


def _check(resource: str, value: int, used: int, most: int) -> None:
    if value != UNLIMITED and value < used:
        raise errors.Invalid(reason=f'Invalid limit for {resource}: {value} is less than the {used} in use; '
                                    'force sets it all the same.')
    if most != UNLIMITED and (value == UNLIMITED or value > most):
        raise errors.Invalid(reason=f'Invalid limit for {resource}: {value} is more than the {most} of the project; '
                                    'force sets it all the same.')


def usage(conn: Any, project_id: str, user_id: str | None = None) -> dict[str, int]:
    """What a project uses, or one of its users, of everything that is counted for projects."""
    used = quotas.usage_of_user(conn, project_id, user_id) if user_id else quotas.usage(conn, project_id)
    return {**used, 'server_groups': server_groups.count(conn, project_id, user_id)}


def forget(deps: Any, project_id: str, user_id: str | None) -> None:
    """Let the default limits count again for a user in a project, or for the project and everybody in it."""
    if deps.limits.is_ours:
        deps.db.transaction(quota_limits.forget, project_id, user_id)


def set_class(deps: Any, name: str, values: Mapping[str, int]) -> dict[str, int]:
    """Store the limits of a class; all of them afterwards."""
    known = deps.limits.of(None)
    if not deps.limits.is_ours:
        with deps.db.read() as conn:
            return known.of_class(conn, name)

    def store(conn: Any) -> dict[str, int]:
        quota_limits.store(conn, quota_limits.CLASS, name, quota_limits.NOBODY, values)
        return known.of_class(conn, name)

    limits: dict[str, int] = deps.db.transaction(store)
    return limits


@dataclass(frozen=True)
class Owner:
    """Whose quota is used, and what counts for him."""

    project_id: str
    user_id: str
    limits: model.Limits


def how_many(conn: Any, owner: Owner, flavor: Mapping[str, Any], counts: tuple[int, int]) -> int:
    """How many servers of ``flavor`` fit, at most ``counts[1]``; ``counts[0]`` if fewer do.

    Nobody else books anything for the project from here to the end of the transaction.
    """
    least, most = counts
    used = quotas.usage_locked(conn, owner.project_id)
    own = owner.limits.own_of_servers()
    fits = [model.most(flavor, used, owner.limits.project)]
    if own:
        fits.append(model.most(flavor, quotas.usage_of_user(conn, owner.project_id, owner.user_id), own))
    each = moves.amounts(flavor)['local_gb']
    if owner.limits.disk != UNLIMITED and each:
        fits.append(max(0, owner.limits.disk - quotas.disk_of_project(conn, owner.project_id)) // each)
    return max(least, min([most, *(number for number in fits if number is not None)]))


def book(conn: Any, owner: Owner, flavor: Mapping[str, Any], count: int) -> None:
    """Book new servers, whose rows are stored already, or raise ``OverQuota``."""
    wanted = model.use_of(flavor, count)
    quotas.use(conn, owner.project_id, wanted, owner.limits.project)
    check_disk(conn, owner.project_id, owner.limits, count * moves.amounts(flavor)['local_gb'])
    own = owner.limits.own_of_servers()
    if not own:
        return
    # Whoever books for this project at the same time waits for the row that was changed above.
    used = quotas.usage_of_user(conn, owner.project_id, owner.user_id)
    before = {resource: used[resource] - wanted[resource] for resource in wanted}
    if model.exceeded(wanted, before, own):
        raise quotas.over_quota(before, wanted, {**dict.fromkeys(wanted, UNLIMITED), **own})


def check_disk(conn: Any, project_id: str, limits: model.Limits, wanted: int) -> None:
    """``OverQuota`` if the disks of a project are too large, with the ``wanted`` GiB in the rows that were stored.

    It holds only where the books of the project are locked.
    """
    if limits.disk == UNLIMITED or wanted <= 0:
        return
    used = quotas.disk_of_project(conn, project_id)
    if used > limits.disk:
        raise errors.OverQuota(resource=model.DISK, requested=wanted, used=used - wanted, limit=limits.disk)
