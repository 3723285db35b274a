# SPDX-License-Identifier: Apache-2.0
"""Who asks, and for which scope: the body of ``POST /v3/auth/tokens`` becomes a token.

A wrong user, password, token or scope all get the same answer, so that a
stranger learns nothing about what exists.
"""

import math
import time
from typing import Any, NoReturn

from nova_lite import errors
from nova_lite.embedded import passwords
from nova_lite.embedded.directory import Directory, Snapshot
from nova_lite.embedded.tokens import Claims, Tokens, new_audit_id


class Login:
    """Turns credentials into claims."""

    def __init__(self, directory: Directory, tokens: Tokens, lifetime: int):
        self._directory = directory
        self._tokens = tokens
        self._lifetime = lifetime
        self._methods = {'password': self._by_password, 'token': self._by_token}

    def claims(self, body: Any) -> Claims:
        """The claims that the body of the request earns."""
        auth = member(body, 'auth')
        snapshot = self._directory.load()
        identity = member(auth, 'identity', 'auth.')
        methods = identity.get('methods')
        if not isinstance(methods, list) or not methods or not all(isinstance(one, str) for one in methods):
            raise errors.Invalid(reason='auth.identity.methods must be a list of at least one method name.')
        proofs = [self._prove(snapshot, identity, method) for method in dict.fromkeys(methods)]
        user_id = proofs[0][0]
        if any(proven != user_id for proven, _ in proofs):
            refuse()
        parent = next((token for _, token in proofs if token), None)
        scope, scope_id = self._scope(snapshot, user_id, auth.get('scope'), parent)
        now = time.time()
        if parent:
            names = dict.fromkeys((*parent.methods, *methods))
            return Claims(user_id, scope, scope_id, now, parent.expires_at, new_audit_id(), tuple(names),
                          parent.audit_ids[-1])
        expires = math.ceil(now) + self._lifetime
        return Claims(user_id, scope, scope_id, now, expires, new_audit_id(), tuple(dict.fromkeys(methods)))

    def _prove(self, snapshot: Snapshot, identity: dict[str, Any], method: str) -> tuple[str, Claims | None]:
        check = self._methods.get(method)
        if check is None:
            raise errors.Unauthenticated(f'Method {method!r} is unknown here; known are password and token.')
        return check(snapshot, member(identity, method, 'auth.identity.'))

    def _by_password(self, snapshot: Snapshot, proof: dict[str, Any]) -> tuple[str, Claims | None]:
        reference = member(proof, 'user', 'auth.identity.password.')
        password = reference.get('password')
        if not isinstance(password, str):
            raise errors.Invalid(reason='auth.identity.password.user.password must be a string.')
        user = _user(snapshot, reference)
        if user is None or not _enabled(snapshot, user) or not user.get('password'):
            passwords.waste_time()
            refuse()
        if not passwords.matches(password, user['password']):
            refuse()
        return user['id'], None

    def _by_token(self, snapshot: Snapshot, proof: dict[str, Any]) -> tuple[str, Claims | None]:
        claims = self._tokens.read(text(proof, 'id', 'auth.identity.token.'))
        if claims is None or not alive(snapshot, claims):
            refuse()
        return claims.user_id, claims

    def _scope(self, snapshot: Snapshot, user_id: str, wanted: Any, parent: Claims | None) -> tuple[str, str]:
        if wanted is None and parent:
            return parent.scope, parent.scope_id
        if wanted is None or wanted == 'unscoped' or (isinstance(wanted, dict) and 'unscoped' in wanted):
            return 'unscoped', ''
        if not isinstance(wanted, dict) or len(wanted) != 1:
            raise errors.Invalid(
                reason='auth.scope must name exactly one of project, domain, system and unscoped.')
        if 'project' in wanted:
            project = _project(snapshot, member(wanted, 'project', 'auth.scope.'))
            scope, scope_id = 'project', project['id'] if project and _enabled(snapshot, project) else ''
        elif 'system' in wanted:
            scope, scope_id = 'system', 'all'
        else:
            # nobody has a role on a domain here
            refuse()
        if not scope_id or not snapshot.roles_on(user_id, scope, scope_id):
            refuse()
        return scope, scope_id


def alive(snapshot: Snapshot, claims: Claims) -> bool:
    """Whether the user and the scope of a token still are what they were when it was signed."""
    user = snapshot.users.get(claims.user_id)
    if user is None or not _enabled(snapshot, user) or claims.issued_at < user.get('password_changed_at', 0):
        return False
    if claims.scope == 'unscoped':
        return True
    if claims.scope == 'project':
        project = snapshot.projects.get(claims.scope_id)
        if project is None or not _enabled(snapshot, project):
            return False
    return bool(snapshot.roles_on(claims.user_id, claims.scope, claims.scope_id))


def refuse() -> NoReturn:
    raise errors.Unauthenticated('The request you have made requires authentication.')


def member(container: Any, key: str, where: str = '') -> dict[str, Any]:
    """The object under ``key``; anything else is the fault of the request."""
    value = container.get(key) if isinstance(container, dict) else None
    if not isinstance(value, dict):
        raise errors.Invalid(reason=f'{where}{key} must be an object.')
    return value


def text(container: dict[str, Any], key: str, where: str) -> str:
    value = container.get(key)
    if not isinstance(value, str):
        raise errors.Invalid(reason=f'{where}{key} must be a string.')
    return value


def _user(snapshot: Snapshot, reference: dict[str, Any]) -> dict[str, Any] | None:
    where = 'auth.identity.password.user.'
    if 'id' in reference:
        return snapshot.users.get(text(reference, 'id', where))
    name = text(reference, 'name', where)
    domain = snapshot.domain(member(reference, 'domain', where))
    return snapshot.named('users', name, domain['id']) if domain else None


def _project(snapshot: Snapshot, reference: dict[str, Any]) -> dict[str, Any] | None:
    where = 'auth.scope.project.'
    if 'id' in reference:
        return snapshot.projects.get(text(reference, 'id', where))
    name = text(reference, 'name', where)
    domain = snapshot.domain(member(reference, 'domain', where))
    return snapshot.named('projects', name, domain['id']) if domain else None


def _enabled(snapshot: Snapshot, thing: dict[str, Any]) -> bool:
    return bool(thing['enabled'] and snapshot.domains[thing['domain_id']]['enabled'])
