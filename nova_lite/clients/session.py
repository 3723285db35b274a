# SPDX-License-Identifier: Apache-2.0
"""HTTP to another OpenStack service: its address, its session and whose token to send.

A request that a user waits for goes out with his own token.  Work that outlives
the request (an operation in the conductor or on a host) has no such token and
uses the credentials of the service's own option group.
"""

import contextlib
import threading
from typing import Any

from oslo_config import cfg

from nova_lite import errors


class Service:
    """One other service; made once, its session and service token are shared by all requests."""

    def __init__(self, conf: cfg.ConfigOpts, group: str, name: str):
        self._conf = conf
        self._group = group
        self._options = conf[group]
        self._name = name
        self._lock = threading.Lock()
        self._session: Any = None
        self._own: Any = None

    def has_credentials(self) -> bool:
        return bool(self._options.auth_type or self._options.auth_section)

    def request(self, context: Any, path: str, method: str, own: bool = False, **more: Any) -> Any:
        """The response to a request below the endpoint, whatever its status below 500.

        ``own`` sends our credentials instead of the user's token.
        """
        from keystoneauth1 import exceptions

        use_own = own or not getattr(context, 'auth_token', None)
        if use_own and not self.has_credentials():
            raise errors.Unavailable(
                reason=f'{self._name} needs credentials: [{self._group}] auth_type is not set.')
        self._open()
        where: dict[str, Any] = {'endpoint_override': self._options.endpoint_override}
        if not self._options.endpoint_override:
            where = {'endpoint_filter': self._endpoint()}
        auth = self._own if use_own else self._users(context)
        try:
            response = self._session.request(
                path, method, auth=auth, raise_exc=False, log=False, headers={'Accept': 'application/json'}
                | more.pop('headers', {}), **where, **more)
        except exceptions.ClientException as error:
            raise errors.Unavailable(reason=f'{self._name} does not answer: {error}') from None
        if response.status_code >= 500 or response.status_code == 429:
            raise errors.Unavailable(reason=f'{self._name} answered {response.status_code}.')
        return response

    def _open(self) -> None:
        with self._lock:
            if self._session is not None:
                return
            from keystoneauth1 import session

            if self.has_credentials():
                self._own = self._plugin()
            options = self._options
            verify = False if options.insecure else (options.cafile or True)
            cert = options.certfile
            if cert and options.keyfile:
                cert = (cert, options.keyfile)
            self._session = session.Session(verify=verify, cert=cert, timeout=options.timeout)

    def _plugin(self) -> Any:
        """Our own credentials; the plugin that the section names says which options they have."""
        from keystoneauth1 import exceptions, loading

        section = self._options.auth_section or self._group
        with contextlib.suppress(cfg.DuplicateOptError):
            self._conf.register_opt(cfg.StrOpt('auth_type'), group=section)
        try:
            loader: Any = loading.get_plugin_loader(self._conf[section].auth_type)
            self._conf.register_opts(loading.get_auth_plugin_conf_options(loader), group=section)
            return loader.load_from_options_getter(lambda option: self._conf[section][option.dest])
        except exceptions.ClientException as error:
            raise errors.Unavailable(reason=f'[{section}] has no usable credentials: {error}') from None

    def _users(self, context: Any) -> Any:
        """The token of the request, with the endpoint from our option or from its catalogue."""
        from keystoneauth1 import token_endpoint

        endpoint = self._options.endpoint_override or self._from_catalog(context.service_catalog)
        if endpoint is None and self._own is not None:
            endpoint = self._own.get_endpoint(self._session, **self._endpoint())
        if endpoint is None:
            raise errors.Unavailable(
                reason=f'The service catalogue has no {self._options.service_type} endpoint.')
        return token_endpoint.Token(endpoint, context.auth_token)

    def _endpoint(self) -> dict[str, Any]:
        return {'service_type': self._options.service_type, 'interface': self._options.valid_interfaces,
                'region_name': self._options.region_name}

    def _from_catalog(self, catalog: list[dict[str, Any]]) -> str | None:
        """The endpoint in a token's catalogue, which keystonemiddleware hands on in the form of v2."""
        entries = [one for one in catalog or () if one.get('type') == self._options.service_type]
        region = self._options.region_name
        found = [one for entry in entries for one in entry.get('endpoints', ())
                 if region is None or region in (one.get('region'), one.get('region_id'))]
        for interface in self._options.valid_interfaces:
            for one in found:
                if one.get(f'{interface}URL'):
                    return one[f'{interface}URL']
                if one.get('interface') == interface:
                    return one['url']
        return None
