# SPDX-License-Identifier: Apache-2.0
"""Who exists: the users, projects, roles and domains of ``identity.json`` in the state directory.

The file is made once, with generated passwords.  An operator edits it or sends
requests that do, and every process sees the change with its next request.  A
generated password is derived from the signing key, which may forge any token
anyway, so it can be handed out again without being stored.
"""

import base64
import hashlib
import hmac
import os
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from oslo_log import log as logging

from nova_lite import errors
from nova_lite.embedded import files, passwords

LOG = logging.getLogger(__name__)
T = TypeVar('T')

FILE = 'identity.json'
KEY_FILE = 'identity.key'
KEY_BYTES = 32

ROLES = ('admin', 'manager', 'member', 'reader', 'service')
# What a role brings along, as Keystone's bootstrap sets it up.
IMPLIED = {'admin': ('manager', 'member', 'reader'), 'manager': ('member', 'reader'), 'member': ('reader',)}
# user, project, roles; the administrator may also ask for a token of the whole system
DEFAULTS = (
    ('admin', 'admin', ('admin', 'manager', 'member', 'reader')),
    ('demo', 'demo', ('member', 'reader')),
    ('nova', 'service', ('admin', 'service')),
)


@dataclass(frozen=True)
class Identity:
    """What a start needs to know: where things are and the passwords that were generated."""

    state_dir: str
    created: bool
    user_domain: str
    projects: dict[str, str]    # user name: name of the project to log in to
    passwords: dict[str, str] = field(repr=False, default_factory=dict)   # user name: generated password


@dataclass(frozen=True)
class Snapshot:
    """One reading of the file, indexed."""

    domains: dict[str, dict[str, Any]]
    projects: dict[str, dict[str, Any]]
    roles: dict[str, dict[str, Any]]
    users: dict[str, dict[str, Any]]
    assignments: tuple[dict[str, str], ...]   # user, role, and project or system

    def named(self, kind: str, name: Any, domain_id: str | None) -> dict[str, Any] | None:
        """The user or project ``name`` of a domain; names are compared without case, as Keystone's are."""
        wanted = str(name).lower()
        for thing in getattr(self, kind).values():
            if thing['domain_id'] == domain_id and thing['name'].lower() == wanted:
                return thing
        return None

    def domain(self, reference: Any) -> dict[str, Any] | None:
        """The domain that ``{'id': …}`` or ``{'name': …}`` means."""
        if not isinstance(reference, dict):
            return None
        if 'id' in reference:
            return self.domains.get(str(reference['id']))
        wanted = str(reference.get('name', '')).lower()
        return next((one for one in self.domains.values() if one['name'].lower() == wanted), None)

    def granted_on(self, user_id: str, target: str, target_id: str) -> list[dict[str, Any]]:
        """The roles that ``user_id`` was given on ``target`` ('project' or 'system')."""
        return [self.roles[row['role']] for row in self.assignments
                if row['user'] == user_id and row.get(target) == target_id]

    def roles_on(self, user_id: str, target: str, target_id: str) -> list[dict[str, Any]]:
        """What ``user_id`` may be on ``target``: the roles given and those that they imply."""
        found = {role['id']: role for role in self.granted_on(user_id, target, target_id)}
        implied = {name for role in found.values() for name in IMPLIED.get(role['name'], ())}
        if implied:
            found |= {key: role for key, role in self.roles.items() if role['name'] in implied and key not in found}
        return list(found.values())

    def projects_of(self, user_id: str) -> list[dict[str, Any]]:
        """The enabled projects on which the user has a role, in the order of the file."""
        held = {row.get('project') for row in self.assignments if row['user'] == user_id}
        return [one for key, one in self.projects.items() if key in held and one['enabled']]


class Directory:
    """The file, read again whenever it was replaced."""

    def __init__(self, state_dir: str):
        self._path = os.path.join(state_dir, FILE)
        self._signature: tuple[int, int, int] | None = None
        self._snapshot: Snapshot | None = None

    def load(self) -> Snapshot:
        """The present content; while the file cannot be read, the last content that could."""
        found = files.signature(self._path)
        if self._snapshot is None or found != self._signature:
            try:
                self._snapshot = parse(files.read_json(self._path))
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                if self._snapshot is None:
                    reason = f'{self._path} cannot be read as the identity file: {error!r}.'
                    raise errors.StartError(reason=reason) from None
                LOG.error('%s cannot be read, its last good content stays in force: %r', self._path, error)
            self._signature = found
        return self._snapshot


    def change(self, edit: Callable[[dict[str, Any]], T]) -> T:
        """Let ``edit`` change the content; nothing is written when it raises or leaves something senseless."""
        folder, name = os.path.split(self._path)
        with files.locked(os.path.join(folder, f'.{name}.lock')):
            content = files.read_json(self._path)
            result = edit(content)
            parse(content)
            files.write_json(self._path, content)
        return result


def parse(content: dict[str, Any]) -> Snapshot:
    """Check and index the content of the file."""
    domains = {one['id']: {'enabled': True, 'description': '', **one} for one in content['domains']}
    roles = {one['id']: one for one in content['roles']}
    projects = {one['id']: {'enabled': True, 'description': '', **one} for one in content['projects']}
    users = {one['id']: {'enabled': True, **one} for one in content['users']}
    for one in (*projects.values(), *users.values()):
        if one['domain_id'] not in domains or not isinstance(one['name'], str):
            raise ValueError(f'{one["id"]} needs a name and a domain of the file')
    for row in content['assignments']:
        known_target = 'system' in row or row['project'] in projects
        if row['user'] not in users or row['role'] not in roles or not known_target:
            raise ValueError(f'assignment {row} names something that the file does not have')
    return Snapshot(domains, projects, roles, users, tuple(content['assignments']))


def signing_key(state_dir: str) -> bytes:
    """The key of this state directory, made once."""
    path = os.path.join(state_dir, KEY_FILE)
    try:
        with open(path, 'rb') as file:
            key = file.read()
    except FileNotFoundError:
        raise errors.StartError(
            reason=f'{path} is missing; bring it back, or remove {FILE} to begin anew.') from None
    if len(key) != KEY_BYTES:
        raise errors.StartError(reason=f'{path} holds {len(key)} bytes instead of {KEY_BYTES}.')
    return key


def ensure_identity(state_dir: str) -> Identity:
    """Make the key and the file where they are missing, and tell the generated passwords."""
    files.private_dir(state_dir)
    path = os.path.join(state_dir, FILE)
    with files.locked(os.path.join(state_dir, f'.{FILE}.lock')):
        key_path = os.path.join(state_dir, KEY_FILE)
        created = not os.path.exists(path)
        if created and not os.path.exists(key_path):
            files.write(key_path, secrets.token_bytes(KEY_BYTES))
        key = signing_key(state_dir)
        if created:
            files.write_json(path, _first_content(key))
    now = Directory(state_dir).load()
    first = {user for user, _, _ in DEFAULTS}
    # whoever was given another password is not told
    generated = {user['name']: _derived(key, user) for user in now.users.values() if user['name'] in first
                 and (created or passwords.matches(_derived(key, user), user.get('password') or ''))}
    return Identity(
        state_dir=state_dir, created=created, user_domain=next(iter(now.domains.values()))['name'],
        projects={user: project for user, project, _ in DEFAULTS}, passwords=generated)


def _first_content(key: bytes) -> dict[str, Any]:
    domain = {'id': 'default', 'name': 'Default', 'description': 'The only domain'}
    roles = {name: uuid.uuid4().hex for name in ROLES}
    projects, users, assignments = [], [], []
    for user_name, project_name, role_names in DEFAULTS:
        project = {'id': uuid.uuid4().hex, 'name': project_name, 'domain_id': domain['id']}
        user = {'id': uuid.uuid4().hex, 'name': user_name, 'domain_id': domain['id']}
        user['password'] = passwords.hash_password(_derived(key, user))
        projects.append(project)
        users.append(user)
        for role in role_names:
            assignments.append({'user': user['id'], 'role': roles[role], 'project': project['id']})
        if user_name == 'admin':
            assignments.append({'user': user['id'], 'role': roles['admin'], 'system': 'all'})
    return {
        'domains': [domain], 'roles': [{'id': role_id, 'name': name} for name, role_id in roles.items()],
        'projects': projects, 'users': users, 'assignments': assignments,
    }


def _derived(key: bytes, user: dict[str, Any]) -> str:
    digest = hmac.new(key, f'password of {user["id"]}'.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest[:24]).decode()
