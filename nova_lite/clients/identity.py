# SPDX-License-Identifier: Apache-2.0
"""The port to identity: whether a project exists, and its embedded twin.

Quotas and flavor access name projects by id, and a typing error there would be
kept silently.  When Keystone cannot be asked the id is accepted with a line in
the log, because an administrator's work should not stop for a check of spelling.
"""

import re
import urllib.parse
from typing import Any, Protocol

from oslo_config import cfg
from oslo_log import log as logging

from nova_lite import errors
from nova_lite.embedded.directory import Directory

LOG = logging.getLogger(__name__)


_ID = re.compile('[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}', re.ASCII | re.IGNORECASE)


class IdentityClient(Protocol):
    """What the program asks of an identity service."""

    def project_exists(self, context: Any, project_id: str) -> bool:
        """False only if it is certain that there is no such project."""


class EmbeddedIdentity:
    """The identity file of the state directory.

    It knows few projects and is not the only one to know some: an installation may move to Keystone,
    whose projects can be given access beforehand.  So whatever has the form of an id may exist.
    """

    def __init__(self, state_dir: str):
        self._directory = Directory(state_dir)

    def project_exists(self, context: Any, project_id: str) -> bool:
        return bool(_ID.fullmatch(project_id)) or project_id in self._directory.load().projects


class KeystoneIdentity:
    """Keystone, asked with the user's token."""

    def __init__(self, conf: cfg.ConfigOpts):
        from nova_lite.clients.session import Service

        self._service = Service(conf, 'keystone', 'Keystone')

    def project_exists(self, context: Any, project_id: str) -> bool:
        path = f'/v3/projects/{urllib.parse.quote(project_id, safe="")}'
        try:
            status = self._service.request(context, path, 'GET').status_code
            if status in (401, 403) and self._service.has_credentials():
                status = self._service.request(context, path, 'GET', own=True).status_code
        except errors.Unavailable as error:
            LOG.warning('Project %s is taken as it is: %s', project_id, error)
            return True
        if status not in (200, 404):
            LOG.info('Project %s is taken as it is: Keystone answered %s', project_id, status)
        return status != 404


class AnyIdentity:
    """Where nobody can be asked, every project exists."""

    def project_exists(self, context: Any, project_id: str) -> bool:
        return True


def identity_client(conf: cfg.ConfigOpts) -> IdentityClient:
    """The identity service that ``conf`` names; with noauth2 there is none."""
    if conf.embedded.identity:
        return EmbeddedIdentity(conf.state_path)
    if conf.api.auth_strategy != 'keystone':
        return AnyIdentity()
    return KeystoneIdentity(conf)
