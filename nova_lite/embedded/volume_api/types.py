# SPDX-License-Identifier: Apache-2.0
"""``/types`` of the Block Storage API."""

from collections.abc import Mapping
from typing import Any

import webob

from nova_lite import errors
from nova_lite.embedded import http
from nova_lite.embedded.volume_api import asking, views
from nova_lite.embedded.volume_api.asking import ADMIN, READ, Ask, Row
from nova_lite.embedded.volume_service import VolumeService
from nova_lite.model.volumes import DEFAULT_TYPE

_PUBLIC = 'os-volume-type-access:is_public'


class TypeRows:
    """The handlers of volume types."""

    def __init__(self, service: VolumeService) -> None:
        self._types = service.types

    def rows(self) -> tuple[Row, ...]:
        """The operations."""
        one, specs = '/types/{id}', '/types/{id}/extra_specs'
        return (
            Row('GET', '/types', READ, self.index), Row('GET', '/types/default', READ, self.default),
            Row('POST', '/types', ADMIN, self.create), Row('GET', one, READ, self.show),
            Row('PUT', one, ADMIN, self.update), Row('DELETE', one, ADMIN, self.delete),
            Row('GET', one + '/encryption', READ, self.encryption),
            Row('GET', specs, READ, self.specs), Row('POST', specs, ADMIN, self.add_specs),
            Row('GET', specs + '/{key}', READ, self.spec), Row('PUT', specs + '/{key}', ADMIN, self.set_spec),
            Row('DELETE', specs + '/{key}', ADMIN, self.remove_spec))

    def index(self, ask: Ask) -> webob.Response:
        """A list."""
        wanted: dict[str, Any] = {}
        public = ask.query.get('is_public', '').lower()
        if not ask.context.is_admin:
            wanted['is_public'] = True
        elif public not in ('', 'none'):
            wanted['is_public'] = asking.boolean('is_public', public)
        rows = self._types.page(wanted, *ask.page())
        return http.answer({'volume_types': [views.volume_type(ask, row) for row in rows],
                            **ask.links('volume_types', rows)})

    def default(self, ask: Ask) -> webob.Response:
        """The type of volumes for which no other is asked."""
        return self._one(ask, self._types.show(ask.context, DEFAULT_TYPE))

    def show(self, ask: Ask) -> webob.Response:
        """One type."""
        return self._one(ask, self._types.show(ask.context, ask.args['id']))

    def _one(self, ask: Ask, row: Any) -> webob.Response:
        return http.answer({'volume_type': views.volume_type(ask, row)})

    def create(self, ask: Ask) -> webob.Response:
        """Make a type."""
        body = ask.body('volume_type')
        values = {'name': _name(body), 'description': asking.text(body, 'description'),
                  'is_public': asking.boolean(_PUBLIC, body.get(_PUBLIC, True)),
                  'extra_specs': asking.strings('extra_specs', body.get('extra_specs') or {})}
        return self._one(ask, self._types.create(ask.context, values))

    def update(self, ask: Ask) -> webob.Response:
        """Change a type."""
        body = ask.body('volume_type')
        values: dict[str, Any] = {}
        if body.get('name') is not None:
            values['name'] = _name(body)
        if 'description' in body:
            values['description'] = asking.text(body, 'description')
        public = body.get('is_public', body.get(_PUBLIC))
        if public is not None:
            values['is_public'] = asking.boolean('is_public', public)
        if not values:
            raise errors.Invalid(reason='The body changes nothing: give name, description or is_public.')
        return self._one(ask, self._types.change(ask.context, ask.args['id'], lambda row: values))

    def delete(self, ask: Ask) -> webob.Response:
        """Delete a type that no volume has."""
        self._types.delete(ask.args['id'])
        return http.empty(202)

    def encryption(self, ask: Ask) -> webob.Response:
        """How volumes of a type are encrypted: they are not."""
        self._types.show(ask.context, ask.args['id'])
        return http.answer({})

    # -------------------------------------------------------------- extra specs

    def specs(self, ask: Ask) -> webob.Response:
        """All extra specs."""
        return http.answer({'extra_specs': self._specs(ask)})

    def _specs(self, ask: Ask) -> Any:
        return views.volume_type(ask, self._types.show(ask.context, ask.args['id']))['extra_specs']

    def add_specs(self, ask: Ask) -> webob.Response:
        """Add or change extra specs; volumes that there are stay what they are."""
        more = asking.strings('extra_specs', ask.body('extra_specs'))
        self._edit(ask, lambda have: {**have, **more})
        return http.answer({'extra_specs': more})

    def spec(self, ask: Ask) -> webob.Response:
        """One extra spec."""
        have, key = self._specs(ask), ask.args['key']
        _check(have, key)
        return http.answer({key: have[key]})

    def set_spec(self, ask: Ask) -> webob.Response:
        """Set one extra spec."""
        body = asking.strings('extra_specs', ask.json())
        if list(body) != [ask.args['key']]:
            raise errors.Invalid(reason=f'The body must set {ask.args["key"]!r} alone, as the URL does.')
        self._edit(ask, lambda have: {**have, **body})
        return http.answer(body)

    def remove_spec(self, ask: Ask) -> webob.Response:
        """Remove one extra spec."""
        key = ask.args['key']

        def without(have: Mapping[str, str]) -> dict[str, str]:
            _check(have, key)
            return {name: value for name, value in have.items() if name != key}
        self._edit(ask, without)
        return http.empty(202)

    def _edit(self, ask: Ask, edit: Any) -> None:
        self._types.change(ask.context, ask.args['id'], lambda row: {'extra_specs': edit(row.extra_specs)})


def _check(have: Mapping[str, str], key: str) -> None:
    if key not in have:
        raise errors.NotFound(f'The type has no extra spec {key[:64]!r}.')


def _name(body: Mapping[str, Any]) -> str:
    name = asking.text(body, 'name')
    if not name or not name.strip():
        raise asking.wrong('name', name, 'a name')
    return str(name).strip()
