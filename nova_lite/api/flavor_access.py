# SPDX-License-Identifier: Apache-2.0
"""Access to private flavors: which projects may use them.

Source: compute API reference, "Flavors access"; microversion 2.7 (no access to public flavors).
"""

from typing import Any

from nova_lite import errors
from nova_lite.api import shared
from nova_lite.auth import policy
from nova_lite.db.queries import flavors as rows
from nova_lite.ops import flavors as ops
from nova_lite.wsgi import kinds
from nova_lite.wsgi.body import Object, Prop, wrapped
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import ACTION, GET, Raw
from nova_lite.wsgi.window import since

# ------------------------------------------------------------------- policy

LIST_RULE = 'os_compute_api:os-flavor-access'
ADD_RULE = 'os_compute_api:os-flavor-access:add_tenant_access'
REMOVE_RULE = 'os_compute_api:os-flavor-access:remove_tenant_access'

_ACTION = '/flavors/{id}/action'
_LIST = '/flavors/{flavor_id}/os-flavor-access'

RULES = (
    policy.rule(LIST_RULE, policy.ADMIN, 'See which projects may use a private flavor.', ('GET', _LIST)),
    policy.rule(ADD_RULE, policy.ADMIN, 'Let a project use a private flavor.',
                ('POST', '/flavors/{flavor_id}/action (addTenantAccess)')),
    policy.rule(REMOVE_RULE, policy.ADMIN, 'No longer let a project use a private flavor.',
                ('POST', '/flavors/{flavor_id}/action (removeTenantAccess)')),
)

# ------------------------------------------------------------------- bodies

_PROJECT = Object(Prop('tenant', {'type': 'string', 'minLength': 1, 'maxLength': 255}, required=True))
ADD = wrapped('addTenantAccess', _PROJECT)
REMOVE = wrapped('removeTenantAccess', _PROJECT)

REFUSE_PUBLIC = 'a public flavor has no access list to add to'

# ----------------------------------------------------------------- handlers

_SHOWN = kinds.under('flavor_access', kinds.listed(kinds.record({'flavor_id': kinds.TEXT, 'tenant_id': kinds.TEXT})))
_COLUMNS = frozenset(('id', 'flavorid', 'is_public'))


def _flavor(call: Call, flavorid: str) -> Any:
    with call.services.db.read() as conn:
        return rows.get(conn, flavorid, call.context.project_id, call.context.is_admin, _COLUMNS)


def find(call: Call) -> Any:
    """The flavor of the list's path."""
    return _flavor(call, call.params['flavor_id'])


def find_for_action(call: Call) -> Any:
    """The flavor of the action's path."""
    return _flavor(call, call.params['id'])


def _listed(call: Call) -> Raw:
    flavor = call.target
    with call.services.db.read() as conn:
        projects = rows.projects(conn, flavor.id)
    return Raw({'flavor_access': [{'flavor_id': flavor.flavorid, 'tenant_id': project} for project in projects]})


def _project(call: Call) -> str:
    """The project of the body; errors.Invalid when identity is certain that there is none."""
    project = str(call.body['tenant'])
    if not call.services.identity.project_exists(call.context, project):
        raise errors.Invalid(f'Project {project!r} does not exist.')
    return project


def index(call: Call) -> Raw:
    """List the projects that may use a private flavor."""
    if call.target.is_public:
        raise errors.NotFound(f'Flavor {call.target.flavorid} is public: it has no access list.')
    return _listed(call)


def add(call: Call) -> Raw:
    """Let a project use a flavor."""
    ops.add_access(call.services, call.target, _project(call), refuse_public=call.has(REFUSE_PUBLIC))
    return _listed(call)


def remove(call: Call) -> Raw:
    """No longer let a project use a flavor."""
    ops.remove_access(call.services, call.target, _project(call))
    return _listed(call)


ENDPOINTS = (
    GET(_LIST, index, rule=LIST_RULE, query=shared.NOTHING_KNOWN, rule_first=True, load=find, reply=_SHOWN,
        errors=(404,)),
    ACTION('addTenantAccess', add, path=_ACTION, rule=ADD_RULE, body=ADD, rule_first=True, load=find_for_action,
           flags=(REFUSE_PUBLIC, since(7)), reply=_SHOWN, errors=(400, 403, 404, 409)),
    ACTION('removeTenantAccess', remove, path=_ACTION, rule=REMOVE_RULE, body=REMOVE,
           rule_first=True, load=find_for_action, reply=_SHOWN, errors=(400, 403, 404)),
)
