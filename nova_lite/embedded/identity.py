# SPDX-License-Identifier: Apache-2.0
"""The embedded Identity v3 API: discovery, tokens and the catalogue.

Every client logs in by Identity v3, and keystonemiddleware confirms tokens
against it; with this API both work on one machine as they do with Keystone.  It
keeps nothing in memory that another worker would need.
"""

import datetime
from dataclasses import dataclass
from typing import Any

import webob
from oslo_config import cfg

from nova_lite import conf as nova_conf
from nova_lite import errors
from nova_lite.embedded import http
from nova_lite.embedded.catalog import Catalog
from nova_lite.embedded.directory import Directory, Snapshot, ensure_identity, signing_key
from nova_lite.embedded.identity_reads import CatalogParts, People
from nova_lite.embedded.identity_writes import Administration
from nova_lite.embedded.login import Login, alive, refuse
from nova_lite.embedded.tokens import Claims, Tokens

BODY_LIMIT = 64 * 1024
VERSION = {'id': 'v3.14', 'status': 'stable', 'updated': '2020-04-07T00:00:00Z'}
MEDIA_TYPE = {'base': 'application/json', 'type': 'application/vnd.openstack.identity-v3+json'}


@dataclass(frozen=True)
class Caller:
    """Who sent the request, as his own token says."""

    claims: Claims
    snapshot: Snapshot
    roles: frozenset[str]

    @property
    def is_admin(self) -> bool:
        return 'admin' in self.roles

    @property
    def may_read_all(self) -> bool:
        return self.is_admin or (self.claims.scope == 'system' and 'reader' in self.roles)


class IdentityApp(http.App):
    """The WSGI callable."""

    def __init__(self, conf: cfg.ConfigOpts):
        state_dir = conf.state_path
        window = conf.embedded.allow_expired_window
        self._directory = Directory(state_dir)
        self._tokens = Tokens(conf.embedded.revocations, signing_key(state_dir), window)
        self._tokens.prune()
        self._catalog = Catalog(conf)
        self._login = Login(self._directory, self._tokens, conf.embedded.token_expiration)
        self.routes = http.Routes(
            ('GET', '/', self.versions),
            ('GET', '/v3', self.version),
            ('POST', '/v3/auth/tokens', self.issue),
            ('GET', '/v3/auth/tokens', self.validate),
            ('DELETE', '/v3/auth/tokens', self.revoke),
            ('GET', '/v3/auth/catalog', self.catalog),
            *People(self.caller).rows(),
            *Administration(self._directory, conf.embedded.revocations, self.caller).rows(),
            *CatalogParts(self._catalog, self.caller).rows())

    def decorate_error(self, request: webob.Request, response: webob.Response) -> None:
        response.headers['Vary'] = 'X-Auth-Token'
        if response.status_int == 401:
            response.headers['WWW-Authenticate'] = f'Keystone uri="{self._catalog.identity_url(request)}"'

    # -------------------------------------------------------------- discovery

    def versions(self, request: webob.Request) -> webob.Response:
        return http.answer({'versions': {'values': [self._version(request)]}}, 300,
                           (('Location', self._version(request)['links'][0]['href']),))

    def version(self, request: webob.Request) -> webob.Response:
        return http.answer({'version': self._version(request)})

    def _version(self, request: webob.Request) -> dict[str, Any]:
        link = {'rel': 'self', 'href': f'{request.application_url.rstrip("/")}/v3/'}
        return {**VERSION, 'links': [link], 'media-types': [MEDIA_TYPE]}

    # ----------------------------------------------------------------- tokens

    def issue(self, request: webob.Request) -> webob.Response:
        claims = self._login.claims(http.read_json(request, BODY_LIMIT))
        body = self._document(request, self._directory.load(), claims)
        return _token_answer(body, 201, self._tokens.sign(claims))

    def validate(self, request: webob.Request) -> webob.Response:
        caller = self.caller(request)
        subject, token = self._subject(request, caller, _flag(request, 'allow_expired'))
        if subject.user_id != caller.claims.user_id and not caller.roles & {'admin', 'service'}:
            raise errors.Forbidden(action='identity:validate_token')
        return _token_answer(self._document(request, caller.snapshot, subject), 200, token)

    def revoke(self, request: webob.Request) -> webob.Response:
        caller = self.caller(request)
        subject, _ = self._subject(request, caller)
        if subject.user_id != caller.claims.user_id and not caller.is_admin:
            raise errors.Forbidden(action='identity:revoke_token')
        self._tokens.revoke(subject)
        return http.empty()

    def catalog(self, request: webob.Request) -> webob.Response:
        if self.caller(request).claims.scope == 'unscoped':
            raise errors.Forbidden(action='identity:get_auth_catalog')
        links = {'self': f'{request.application_url}/v3/auth/catalog', 'previous': None, 'next': None}
        return http.answer({'catalog': self._catalog.document(request), 'links': links})

    def caller(self, request: webob.Request) -> Caller:
        """Whoever the ``X-Auth-Token`` of the request stands for."""
        snapshot = self._directory.load()
        claims = self._tokens.read(request.headers.get('X-Auth-Token', '').strip())
        if claims is None or not alive(snapshot, claims):
            refuse()
        names = () if claims.scope == 'unscoped' else (
            role['name'] for role in snapshot.roles_on(claims.user_id, claims.scope, claims.scope_id))
        return Caller(claims, snapshot, frozenset(names))

    def _subject(self, request: webob.Request, caller: Caller,
                 allow_expired: bool = False) -> tuple[Claims, str]:
        token = request.headers.get('X-Subject-Token', '').strip()
        claims = self._tokens.read(token, allow_expired)
        if claims is None or not alive(caller.snapshot, claims):
            raise errors.NotFound('The token of X-Subject-Token is not valid.')
        return claims, token

    def _document(self, request: webob.Request, snapshot: Snapshot, claims: Claims) -> dict[str, Any]:
        """What a token looks like to who asks for it and to who confirms it."""
        user = snapshot.users[claims.user_id]
        token: dict[str, Any] = {
            'methods': list(claims.methods), 'audit_ids': claims.audit_ids,
            'issued_at': _time(claims.issued_at), 'expires_at': _time(claims.expires_at),
            'user': {**_named(snapshot, user), 'password_expires_at': None},
        }
        if claims.scope == 'unscoped':
            return {'token': token}
        if claims.scope == 'project':
            token.update(project=_named(snapshot, snapshot.projects[claims.scope_id]), is_domain=False)
        else:
            token['system'] = {'all': True}
        token['roles'] = [{'id': role['id'], 'name': role['name']}
                          for role in snapshot.roles_on(claims.user_id, claims.scope, claims.scope_id)]
        if 'nocatalog' not in http.query(request):
            token['catalog'] = self._catalog.document(request)
        return {'token': token}


def _token_answer(body: dict[str, Any], status: int, token: str) -> webob.Response:
    return http.answer(body, status, (('X-Subject-Token', token), ('Vary', 'X-Auth-Token')))


def _named(snapshot: Snapshot, thing: dict[str, Any]) -> dict[str, Any]:
    domain = snapshot.domains[thing['domain_id']]
    return {'id': thing['id'], 'name': thing['name'], 'domain': {'id': domain['id'], 'name': domain['name']}}


def _time(seconds: float) -> str:
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.strftime('%Y-%m-%dT%H:%M:%S.%fZ')


def _flag(request: webob.Request, name: str) -> bool:
    return http.query(request).get(name, '').lower() in ('1', 'true', 'yes')


def build(conf: cfg.ConfigOpts) -> http.App:
    """The API as ``conf`` wants it; with ``[embedded] identity`` off, an app that says so."""
    if not conf.embedded.identity:
        return http.Off('[embedded] identity')
    ensure_identity(conf.state_path)
    return IdentityApp(conf)


def identity_factory(global_conf: dict[str, str], **local_conf: str) -> http.App:
    """Paste's app factory."""
    return build(nova_conf.current())
