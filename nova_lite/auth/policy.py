# SPDX-License-Identifier: Apache-2.0
"""May this caller do this? oslo.policy with Nova's rule names, and a memory for answers.

A decision depends on the rule, the caller and the owner of the target, and on nothing else, so it
is remembered for that triple until a policy file changes.  Files are looked at once a second.
"""

import logging
import time
from collections.abc import Iterable
from typing import Any

from oslo_policy import policy

from nova_lite import errors
from nova_lite.auth.context import RequestContext

LOG = logging.getLogger(__name__)

ADMIN = 'rule:context_is_admin'
ANYBODY = '@'
READER = 'rule:project_reader_api'
MEMBER = 'rule:project_member_api'
READER_OR_ADMIN = 'rule:project_reader_or_admin'
MEMBER_OR_ADMIN = 'rule:project_member_or_admin'
MANAGER_OR_ADMIN = 'rule:project_manager_or_admin'
SERVICE = 'rule:service_api'
SERVICE_OR_ADMIN = 'rule:service_or_admin'

BASE_RULES = (
    policy.RuleDefault('context_is_admin', 'role:admin', 'The caller is an administrator of the cloud.'),
    policy.RuleDefault('project_manager_api', 'role:manager and project_id:%(project_id)s',
                       'The caller manages the project that owns the target.'),
    policy.RuleDefault('project_member_api', 'role:member and project_id:%(project_id)s',
                       "The caller may change what the target's project owns."),
    policy.RuleDefault('project_reader_api', 'role:reader and project_id:%(project_id)s',
                       "The caller may see what the target's project owns."),
    policy.RuleDefault('project_manager_or_admin', 'rule:project_manager_api or rule:context_is_admin',
                       'A manager of the project, or an administrator.'),
    policy.RuleDefault('project_member_or_admin', 'rule:project_member_api or rule:context_is_admin',
                       'A member of the project, or an administrator.'),
    policy.RuleDefault('project_reader_or_admin', 'rule:project_reader_api or rule:context_is_admin',
                       'A reader of the project, or an administrator.'),
    policy.RuleDefault('service_api', 'role:service', 'The caller is another service.'),
    policy.RuleDefault('service_or_admin', 'rule:service_api or rule:context_is_admin',
                       'Another service, or an administrator.'),
)

_LOOK_AGAIN = 1.0    # seconds between looks at the policy files
_REMEMBERED = 20_000  # answers kept before the memory starts afresh


def rule(name: str, check: str, description: str, *operations: tuple[str, str]) -> policy.DocumentedRuleDefault:
    """A rule of one room; ``operations`` are (method, path) pairs for the sample file."""
    return policy.DocumentedRuleDefault(
        name, check, description, [{'method': method, 'path': path} for method, path in operations],
        scope_types=['project'])


class Policy:
    """The engine: default rules of all rooms, overridden by the operator's policy file."""

    def __init__(self, conf: Any, rules: Iterable[policy.RuleDefault]) -> None:
        defaults = [*BASE_RULES, *rules]
        # Only the reader opens files, at times of our choosing: an enforcer that reads while it decides would
        # fail a request over a file that is half written.
        self._reader = policy.Enforcer(conf)
        self._reader.register_defaults(defaults)
        self._enforcer = policy.Enforcer(conf, use_conf=False)
        self._enforcer.register_defaults(defaults)
        self._answers: dict[tuple[Any, ...], bool] = {}
        self._rules: Any = None
        self._next_look = 0.0
        try:
            self._read()
        except Exception as error:  # whatever a file of an operator's own can make a parser raise
            raise errors.StartError(reason=f'The policy cannot be used: {error}') from error

    def reload(self) -> None:
        """Read the policy files again now."""
        self._read(force=True)

    def allows(self, context: RequestContext, name: str, owner: tuple[Any, Any] | None = None) -> bool:
        """Whether ``context`` passes rule ``name`` on a target owned by (project_id, user_id).

        Without an owner the target is the caller's own project.
        """
        now = time.monotonic()
        if now > self._next_look:
            self._look(now)
        project, user = owner or (context.project_id, context.user_id)
        key = (name, project, user, context.project_id, context.user_id, tuple(context.roles),
               context.system_scope, context.domain_id)
        answer = self._answers.get(key)
        if answer is None:
            if len(self._answers) > _REMEMBERED:
                self._answers.clear()
            answer = self._answers[key] = self._ask(context, name, project, user)
        return answer

    def authorize(self, context: RequestContext, name: str, owner: tuple[Any, Any] | None = None) -> None:
        """errors.Forbidden unless the rule passes."""
        if not self.allows(context, name, owner):
            LOG.debug('Rule %s refuses user %s of project %s with the roles %s', name, context.user_id,
                      context.project_id, ', '.join(context.roles))
            raise errors.Forbidden(action=name)

    def _look(self, now: float) -> None:
        self._next_look = now + _LOOK_AGAIN
        try:
            self._read()
        except Exception as error:
            # Somebody is writing the file, or made a mistake in it; neither may refuse requests.
            LOG.error('The policy is not read again and stays as it was: %s', error)

    def _read(self, force: bool = False) -> None:
        try:
            self._reader.load_rules(force_reload=force)
        except Exception:
            self._rules = self._reader.rules  # what was read before the error is not taken either
            raise
        if self._reader.rules is not self._rules:
            self._rules = self._reader.rules
            self._enforcer.set_rules(self._rules, use_conf=False)
            self._answers.clear()

    def _ask(self, context: RequestContext, name: str, project: Any, user: Any) -> bool:
        try:
            return bool(self._enforcer.authorize(
                name, {'project_id': project, 'user_id': user}, context.to_policy_values()))
        except policy.InvalidScope:
            return False
