# SPDX-License-Identifier: Apache-2.0
"""Extra specs of flavors: what a flavor asks for beyond memory, processors and disk.

Source: compute API reference, "Flavors extra-specs"; microversion 2.86 (known namespaces are checked).
"""

from typing import Any

from nova_lite import errors
from nova_lite.api import shared
from nova_lite.auth import policy
from nova_lite.db.queries import flavors as rows
from nova_lite.model import extra_specs
from nova_lite.ops import flavors as ops
from nova_lite.wsgi import kinds
from nova_lite.wsgi.body import Body, Object, wrapped
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import DELETE, GET, POST, PUT, Raw
from nova_lite.wsgi.window import since

# ------------------------------------------------------------------- policy

INDEX_RULE = 'os_compute_api:os-flavor-extra-specs:index'
SHOW_RULE = 'os_compute_api:os-flavor-extra-specs:show'
CREATE_RULE = 'os_compute_api:os-flavor-extra-specs:create'
UPDATE_RULE = 'os_compute_api:os-flavor-extra-specs:update'
DELETE_RULE = 'os_compute_api:os-flavor-extra-specs:delete'

_ALL = '/flavors/{flavor_id}/os-extra_specs'
_ONE = '/flavors/{flavor_id}/os-extra_specs/{id}'

RULES = (
    policy.rule(INDEX_RULE, policy.READER_OR_ADMIN, 'See the extra specs of a flavor, also inside flavors and servers.',
                ('GET', _ALL), ('GET', '/flavors/detail'), ('GET', '/flavors/{flavor_id}'), ('POST', '/flavors'),
                ('PUT', '/flavors/{flavor_id}'), ('GET', '/servers/detail'), ('GET', '/servers/{server_id}'),
                ('PUT', '/servers/{server_id}'), ('POST', '/servers/{server_id}/action (rebuild)')),
    policy.rule(SHOW_RULE, policy.READER_OR_ADMIN, 'See one extra spec of a flavor.', ('GET', _ONE)),
    policy.rule(CREATE_RULE, policy.ADMIN, 'Add extra specs to a flavor.', ('POST', _ALL)),
    policy.rule(UPDATE_RULE, policy.ADMIN, 'Change an extra spec of a flavor.', ('PUT', _ONE)),
    policy.rule(DELETE_RULE, policy.ADMIN, 'Remove an extra spec of a flavor.', ('DELETE', _ONE)),
)

# ------------------------------------------------------------------- bodies

_SPECS = {'^[a-zA-Z0-9-_:. ]{1,255}$': {'type': ['string', 'number'], 'maxLength': 255}}
_SHOWN = kinds.under('extra_specs', kinds.TEXTS)
# A create and an update repeat what was sent, where a value may be a number.
_STORED = kinds.mapped({'type': ['string', 'number']})
CREATE = wrapped('extra_specs', Object(pattern=_SPECS))
UPDATE = Body(Object(pattern=_SPECS, extra={'minProperties': 1, 'maxProperties': 1}))

CHECKED = 'extra specs of known namespaces are checked'
_FLAGS = (CHECKED, since(86))

# ----------------------------------------------------------------- handlers

_COLUMNS = frozenset(('id', 'flavorid', 'extra_specs'))


def find(call: Call) -> Any:
    """The flavor of the path as far as the caller may see it."""
    with call.services.db.read() as conn:
        return rows.get(conn, call.params['flavor_id'], call.context.project_id, call.context.is_admin, _COLUMNS)


def _checked(call: Call, specs: dict[str, Any]) -> None:
    if call.has(CHECKED):
        for key, value in specs.items():
            extra_specs.check(key, str(value))


def find_for_create(call: Call) -> Any:
    """The flavor, once the extra specs for it are found to be right."""
    _checked(call, call.body['extra_specs'])
    return find(call)


def find_for_update(call: Call) -> Any:
    """The flavor, once body and path are found to speak of one and the same right extra spec."""
    key = call.params['id']
    if key not in call.body:
        raise errors.Invalid(f'Invalid request body: it must hold the extra spec of the URL, {key[:255]!r}.')
    _checked(call, call.body)
    return find(call)


def index(call: Call) -> Raw:
    """List the extra specs of a flavor."""
    return Raw({'extra_specs': call.target.extra_specs})


def show(call: Call) -> Raw:
    """Show one extra spec of a flavor."""
    key = call.params['id']
    if key not in call.target.extra_specs:
        raise errors.ExtraSpecNotFound(flavor=call.target.flavorid, key=key)
    return Raw({key: call.target.extra_specs[key]})


def _store(call: Call, specs: dict[str, Any]) -> None:
    ops.set_extra_specs(call.services, call.target.flavorid, {key: str(value) for key, value in specs.items()})


def create(call: Call) -> Raw:
    """Add extra specs to a flavor, or change those that it has."""
    _store(call, call.body['extra_specs'])
    return Raw(call.body)


def update(call: Call) -> Raw:
    """Change one extra spec of a flavor."""
    _store(call, call.body)
    return Raw(call.body)


def delete(call: Call) -> None:
    """Remove one extra spec of a flavor."""
    ops.delete_extra_spec(call.services, call.target.flavorid, call.params['id'])


ENDPOINTS = (
    GET(_ALL, index, rule=INDEX_RULE, query=shared.NOTHING_KNOWN, rule_first=True, load=find, reply=_SHOWN,
        errors=(404,)),
    POST(_ALL, create, rule=CREATE_RULE, body=CREATE, rule_first=True, load=find_for_create, flags=_FLAGS,
         reply=kinds.under('extra_specs', _STORED), errors=(400, 404, 409)),
    GET(_ONE, show, rule=SHOW_RULE, query=shared.NOTHING_KNOWN, rule_first=True, load=find, reply=kinds.TEXTS,
        errors=(404,)),
    PUT(_ONE, update, rule=UPDATE_RULE, body=UPDATE, rule_first=True, load=find_for_update, flags=_FLAGS,
        reply=_STORED, errors=(400, 404, 409)),
    DELETE(_ONE, delete, rule=DELETE_RULE, rule_first=True, load=find, errors=(404,)),
)
