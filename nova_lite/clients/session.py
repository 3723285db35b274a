# SPDX-License-Identifier: Apache-2.0
"""HTTP to another OpenStack service: its address, its session and whose token to send.

A request that a user waits for goes out with his own token.  Work that outlives the request (an operation in the
conductor or on a host) has no such token and uses credentials of our own.  Beside either of them goes the token of
``[service_user]``, where that is switched on: with it a user's token is good for longer than it is valid, and Cinder
lets go of a volume only for a service.
"""

import contextlib
import re
import threading
import time
from dataclasses import dataclass
from typing import Any

from oslo_config import cfg
from oslo_log import log as logging

from nova_lite import errors

LOG = logging.getLogger(__name__)

SERVICE_USER, AUTHTOKEN = 'service_user', 'keystone_authtoken'
#: Asking again does no harm, even if the first request was done and only its answer was lost.
_REPEATABLE = frozenset(('GET', 'HEAD', 'PUT', 'DELETE'))
_AWAY = frozenset((502, 503, 504))
#: Seconds before the first repetition; each further one waits twice as long.
_PAUSE = 0.2
#: What one service is called in catalogues.
_ALIASES = (frozenset(('volumev3', 'block-storage', 'block-store', 'volume')),)
_VERSION = re.compile(r'/v\d+(\.\d+)?$')


@dataclass(frozen=True)
class Place:
    """Where a service is: in which entry of the catalogue, or at which address whatever the catalogue says."""

    service_type: str
    interfaces: tuple[str, ...]
    region: str | None
    override: str | None

    @property
    def types(self) -> frozenset[str]:
        """All names of the type."""
        return next((names for names in _ALIASES if self.service_type in names), frozenset((self.service_type,)))


def _root(url: str) -> str:
    """Where a service tells everybody of its versions."""
    return re.sub(r'/v\d+(\.\d+)?(/.*)?$', '/', url)


def place_of(options: Any) -> Place:
    """The place that a group of ``conf.endpoints.options`` names."""
    return Place(options.service_type, tuple(options.valid_interfaces), options.region_name, options.endpoint_override)


class Service:
    """One other service; made once, its session and tokens are shared by all requests."""

    def __init__(self, conf: cfg.ConfigOpts, group: str, name: str, place: Place | None = None, retries: int = 0):
        self._conf = conf
        self._group = group
        self._options = conf[group]
        self._name = name
        self._place = place or place_of(self._options)
        self._retries = retries
        self._lock = threading.Lock()
        self._session: Any = None
        self._own: Any = None
        self._service: Any = None

    def has_credentials(self) -> bool:
        """Whether work can be done that no user waits for."""
        return self._section() is not None

    def request(self, context: Any, path: str, method: str, own: bool = False, **more: Any) -> Any:
        """The response to a request below the endpoint, whatever its status below 500.

        ``own`` sends our credentials instead of the user's token.
        """
        use_own = own or not getattr(context, 'auth_token', None)
        if use_own and not self.has_credentials():
            raise errors.Unavailable(
                reason=f'{self._name} needs credentials: [{self._group}] auth_type is not set.')
        self._open()
        headers = {'Accept': 'application/json'} | more.pop('headers', {})
        if getattr(context, 'request_id', None):
            # By it the logs of both services can be laid side by side.
            headers.setdefault('X-OpenStack-Request-ID', context.global_request_id or context.request_id)
        response = self._send(self._url(context, use_own) + path, method, self._auth(context, use_own), headers, more)
        if response.status_code >= 500 or response.status_code == 429:
            raise errors.Unavailable(reason=f'{self._name} answered {response.status_code}.')
        return response

    def _send(self, url: str, method: str, auth: Any, headers: dict[str, str], more: dict[str, Any]) -> Any:
        """The answer; a request that may be repeated is, while there is none or a proxy says that there is none."""
        from keystoneauth1 import exceptions

        # A stream that was sent once cannot be sent again.
        tries = 1 + (self._retries if method in _REPEATABLE and 'data' not in more else 0)
        for number in range(1, tries + 1):
            try:
                response = self._session.request(url, method, auth=auth, raise_exc=False, log=False, headers=headers,
                                                 authenticated=True, **more)
                if response.status_code not in _AWAY or number == tries:
                    return response
                problem: Any = response.status_code
            except exceptions.ConnectFailure as error:
                if number == tries:
                    raise errors.Unavailable(reason=f'{self._name} does not answer: {error}') from None
                problem = error
            except exceptions.ClientException as error:
                raise errors.Unavailable(reason=f'{self._name} cannot be asked: {error}') from None
            LOG.info('%s is asked again: %s', self._name, problem)
            time.sleep(_PAUSE * 2 ** (number - 1))
        raise AssertionError('at least one try')

    def diagnose(self) -> str | None:
        """Why the service cannot be used as it is configured: the line to look at, and what is wrong with it."""
        from keystoneauth1 import exceptions

        section = self._section()
        if section is None:
            return f'[{self._group}] auth_type is not set.'
        try:
            self._open()
            self._own.get_token(self._session)
        except exceptions.Unauthorized:
            return f'[{section}] username and password are refused by {self._auth_url(section)}.'
        except (exceptions.ClientException, errors.Unavailable) as error:
            return f'[{section}] auth_url = {self._auth_url(section)} does not let us log in: {error}'
        return self._diagnose_place()

    def _auth_url(self, section: str) -> str:
        return str(getattr(self._conf[self._conf[section].auth_section or section], 'auth_url', None))

    def _diagnose_place(self) -> str | None:
        from keystoneauth1 import exceptions

        where = f'the {self._place.service_type} endpoint in the catalogue'
        if self._place.override:
            where = f'[{self._group}] endpoint_override' if self._group != 'cinder' else '[cinder] endpoint_template'
        try:
            url = self.endpoint(None, True)
        except errors.Unavailable:
            names = 'region_name or valid_interfaces' if self._group != 'cinder' else 'os_region_name or catalog_info'
            return (f'[{self._group}] {names}: the catalogue has no {self._place.service_type} endpoint for '
                    f'{" or ".join(self._place.interfaces)} in region {self._place.region or "any"}.')
        try:
            status = self._session.get(_root(url), authenticated=False, raise_exc=False, log=False).status_code
        except exceptions.ClientException as error:
            return f'{where} is {url}, which does not answer: {error}'
        return f'{where} is {url}, which answers {status}.' if status >= 500 else None

    # ----------------------------------------------------------------- whose token

    def _section(self) -> str | None:
        """The section that our credentials are in: that of the service, or those that are there for everything."""
        section = self._options.auth_section or self._group
        return next((str(name) for name in (section, SERVICE_USER, AUTHTOKEN) if self._type_in(name)), None)

    def _type_in(self, section: str) -> str:
        """The plugin that a section names, itself or by the section that it borrows from; '' if none."""
        options = self._known(section)
        if options.auth_section and options.auth_section != section:
            options = self._known(options.auth_section)
        return str(options.auth_type or '')

    def _known(self, section: str) -> Any:
        from keystoneauth1 import loading

        for option in loading.get_auth_common_conf_options():
            # The group has them in words of our own, or keystonemiddleware was there before.
            with contextlib.suppress(cfg.DuplicateOptError):
                self._conf.register_opt(option, group=section)
        return self._conf[section]

    def _open(self) -> None:
        with self._lock:
            if self._session is not None:
                return
            from keystoneauth1 import session

            section = self._section()
            if section is not None:
                self._own = self._plugin(section)
            if self._conf.service_user.send_service_user_token:
                self._service = self._plugin(SERVICE_USER) if self._type_in(SERVICE_USER) else self._own
            options = self._options
            verify = False if options.insecure else (options.cafile or True)
            cert = options.certfile
            if cert and options.keyfile:
                cert = (cert, options.keyfile)
            self._session = session.Session(verify=verify, cert=cert, timeout=options.timeout)

    def _plugin(self, section: str) -> Any:
        """Credentials; the plugin that the section names says which options they have."""
        from keystoneauth1 import exceptions, loading

        kind = self._type_in(section)
        section = self._conf[section].auth_section or section
        try:
            loader: Any = loading.get_plugin_loader(kind)
            for option in loading.get_auth_plugin_conf_options(loader):
                # keystonemiddleware may have been there before.
                with contextlib.suppress(cfg.DuplicateOptError):
                    self._conf.register_opt(option, group=section)
            return loader.load_from_options_getter(lambda option: self._conf[section][option.dest])
        except exceptions.ClientException as error:
            raise errors.Unavailable(reason=f'[{section}] has no usable credentials: {error}') from None

    def _auth(self, context: Any, use_own: bool) -> Any:
        from keystoneauth1 import service_token, token_endpoint

        auth = self._own if use_own else token_endpoint.Token('', context.auth_token)
        if self._service is None:
            return auth
        return service_token.ServiceTokenAuthWrapper(user_auth=auth, service_auth=self._service)

    # -------------------------------------------------------------------- endpoint

    def _url(self, context: Any, use_own: bool) -> str:
        """The endpoint without a version at its end, which is the caller's to name."""
        return _VERSION.sub('', self.endpoint(context, use_own))

    def endpoint(self, context: Any, use_own: bool = False) -> str:
        """The address that our options or the catalogue name."""
        self._open()
        if self._place.override:
            return self._filled(self._place.override, context, use_own).rstrip('/')
        found = None if use_own else self._from_catalog(context.service_catalog)
        if found is None and self._own is not None:
            found = self._of_own()
            if found is not None and not use_own:
                # It may have our project in it.
                found = found.replace(str(self._own.get_project_id(self._session)), str(context.project_id))
        if found is None:
            raise errors.Unavailable(reason=f'The service catalogue has no {self._place.service_type} endpoint.')
        return found.rstrip('/')

    def _filled(self, template: str, context: Any, use_own: bool) -> str:
        if '%(' not in template:
            return template
        project = self._own.get_project_id(self._session) if use_own else context.project_id
        return template % {'project_id': project, 'tenant_id': project}

    def _of_own(self) -> str | None:
        from keystoneauth1 import exceptions

        try:
            for service_type in sorted(self._place.types):
                found = self._own.get_endpoint(
                    self._session, service_type=service_type, interface=list(self._place.interfaces),
                    region_name=self._place.region, skip_discovery=True)
                if found is not None:
                    return str(found)
        except exceptions.ClientException as error:
            raise errors.Unavailable(reason=f'{self._name} cannot be found: {error}') from None
        return None

    def _from_catalog(self, catalog: list[dict[str, Any]]) -> str | None:
        """The endpoint in a token's catalogue, which keystonemiddleware hands on in the form of v2."""
        entries = [one for one in catalog or () if one.get('type') in self._place.types]
        region = self._place.region
        found = [one for entry in entries for one in entry.get('endpoints', ())
                 if region is None or region in (one.get('region'), one.get('region_id'))]
        for interface in self._place.interfaces:
            for one in found:
                if one.get(f'{interface}URL'):
                    return str(one[f'{interface}URL'])
                if one.get('interface') == interface:
                    return str(one['url'])
        return None
