# SPDX-License-Identifier: Apache-2.0
"""The identity and the request id that follow a request through every process."""

import copy
import time
from typing import Any

from oslo_context import context as oslo_context


class RequestContext(oslo_context.RequestContext):
    """oslo's context plus the moment of arrival, the caller's address and the service catalogue.

    ``is_admin`` says that the caller holds the admin role; the policy engine asks the roles, so a
    changed policy is never overruled by this flag.
    """

    is_admin: bool

    def __init__(self, *, timestamp: float | None = None, remote_address: str | None = None,
                 service_catalog: list[dict[str, Any]] | None = None, **known: Any) -> None:
        super().__init__(**known)
        self.timestamp = timestamp or time.time()
        self.remote_address = remote_address
        self.service_catalog = service_catalog or []
        self._hands_on_token = False
        if 'is_admin' not in known:
            self.is_admin = 'admin' in (role.lower() for role in self.roles)

    def with_token(self) -> 'RequestContext':
        """The same, with a token that crosses to the next process, and from there to no other."""
        other = copy.copy(self)
        other._hands_on_token = True
        return other

    def to_dict(self) -> dict[str, Any]:
        """What crosses a process; the catalogue stays where it came in, and the token unless it is handed on."""
        token = {'auth_token': self.auth_token} if self._hands_on_token and self.auth_token else {}
        return {**token,
            'user_id': self.user_id, 'project_id': self.project_id, 'roles': list(self.roles),
            'is_admin': self.is_admin, 'request_id': self.request_id,
            'global_request_id': self.global_request_id, 'system_scope': self.system_scope,
            'user_domain_id': self.user_domain_id, 'project_domain_id': self.project_domain_id,
            'user_name': self.user_name, 'project_name': self.project_name,
            'timestamp': self.timestamp, 'remote_address': self.remote_address,
            'read_only': self.read_only,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any], **known: Any) -> 'RequestContext':
        """Undo ``to_dict``; keys of a newer release are dropped."""
        fields = {key: value for key, value in values.items() if key in _CROSSING}
        return cls(overwrite=False, **{**fields, **known})


_CROSSING = frozenset((
    'user_id', 'project_id', 'roles', 'is_admin', 'request_id', 'global_request_id', 'system_scope',
    'user_domain_id', 'project_domain_id', 'user_name', 'project_name', 'timestamp',
    'remote_address', 'read_only', 'auth_token'))


def service_context() -> RequestContext:
    """The context of work that no request asked for: sweeps, heartbeats, start-up."""
    return RequestContext(is_admin=True, roles=['admin', 'service'], overwrite=False)
