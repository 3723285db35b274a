# SPDX-License-Identifier: Apache-2.0
"""From a token to a request context: behind keystonemiddleware, or without any identity service."""

from typing import Any

from nova_lite import errors
from nova_lite.auth.context import RequestContext
from nova_lite.wsgi import faults, provided
from nova_lite.wsgi.middleware import token_memory


def authtoken_factory(global_conf: dict[str, str], **local_conf: str) -> Any:
    """Paste filter factory: keystonemiddleware's auth_token, and what it has found out remembered."""
    from keystonemiddleware import auth_token
    return token_memory.remembering(lambda settings: auth_token.filter_factory(global_conf, **settings), local_conf,
                                    provided.get('conf'))


def keystonecontext_factory(global_conf: dict[str, str], **local_conf: str) -> Any:
    """Paste filter factory for KeystoneContext."""
    return KeystoneContext


class KeystoneContext:
    """Makes the context from the headers that auth_token sets."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        if not environ.get('HTTP_X_USER_ID'):
            return faults.send_error(start_response, errors.Unauthenticated())
        environ['nova.context'] = RequestContext.from_environ(
            environ, request_id=environ.get('openstack.request_id'),
            global_request_id=environ.get('openstack.global_request_id'),
            remote_address=environ.get('REMOTE_ADDR'))
        return self._app(environ, start_response)


def noauth2_factory(global_conf: dict[str, str], **local_conf: str) -> Any:
    """Paste filter factory for NoAuth2."""
    return NoAuth2


class NoAuth2:
    """Believes the caller: ``X-Auth-Token: USER:PROJECT`` is that user, and ``admin`` an administrator.

    For tests and for closed networks only.
    """

    def __init__(self, app: Any) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        token = environ.get('HTTP_X_AUTH_TOKEN')
        if not token:
            return self._hand_out(environ, start_response)
        user, _, project = token.partition(':')
        roles = ['admin', 'manager', 'member', 'reader'] if user == 'admin' else ['member', 'reader']
        environ['nova.context'] = RequestContext(
            auth_token=token, user_id=user, project_id=project or user, roles=roles,
            is_admin=user == 'admin', request_id=environ.get('openstack.request_id'),
            global_request_id=environ.get('openstack.global_request_id'),
            remote_address=environ.get('REMOTE_ADDR'))
        return self._app(environ, start_response)

    @staticmethod
    def _hand_out(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        """The oldest way to log in: name user and project in headers, read the token from headers."""
        user = environ.get('HTTP_X_AUTH_USER', 'admin')
        project = environ.get('HTTP_X_AUTH_PROJECT_ID', 'admin')
        host = environ.get('HTTP_HOST', 'localhost')
        start_response(faults.line(204), [
            ('X-Auth-Token', f'{user}:{project}'),
            ('X-Server-Management-Url', f'{environ["wsgi.url_scheme"]}://{host}{environ.get("SCRIPT_NAME", "")}')])
        return []
