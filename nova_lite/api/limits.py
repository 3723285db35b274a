# SPDX-License-Identifier: Apache-2.0
"""Limits: what a project may have and what it has.

Source: compute API reference, "Limits"; microversions 2.36 (nothing of the network), 2.39 (nothing of images),
2.57 (nothing of injected files).  Requests are not rate-limited, so ``rate`` is always empty.
"""

from collections.abc import Mapping

from nova_lite.api import shared
from nova_lite.auth import policy
from nova_lite.model.quotas import OF_NETWORK, UNLIMITED
from nova_lite.ops import quotas as ops
from nova_lite.wsgi import formats, kinds
from nova_lite.wsgi.body import Param, Query
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import GET, one
from nova_lite.wsgi.view import Field, View
from nova_lite.wsgi.window import Window, only, since, until

# ------------------------------------------------------------------- policy

LIST_RULE = 'os_compute_api:limits'
OTHER_PROJECT_RULE = 'os_compute_api:limits:other_project'

RULES = (
    policy.rule(LIST_RULE, policy.ANYBODY, 'See the limits of the own project.', ('GET', '/limits')),
    policy.rule(OTHER_PROJECT_RULE, policy.ADMIN, 'See the limits of any project.', ('GET', '/limits')),
)

LIST_QUERY = Query(Param('tenant_id', formats.TEXT), open_=shared.STRICT_SINCE_75)

# -------------------------------------------------------------------- views

_KEPT = {
    'maxServerMeta': 'metadata_items', 'maxTotalInstances': 'instances', 'maxTotalCores': 'cores',
    'maxTotalRAMSize': 'ram', 'maxTotalKeypairs': 'key_pairs', 'maxServerGroups': 'server_groups',
    'maxServerGroupMembers': 'server_group_members', 'totalInstancesUsed': 'used_instances',
    'totalCoresUsed': 'used_cores', 'totalRAMUsed': 'used_ram', 'totalServerGroupsUsed': 'used_server_groups',
}
_TO_56 = {'maxPersonality': 'injected_files', 'maxPersonalitySize': 'injected_file_content_bytes', **_KEPT}
_TO_38 = {'maxImageMeta': 'metadata_items', **_TO_56}
_TO_35 = {
    'maxTotalFloatingIps': 'floating_ips', 'maxSecurityGroups': 'security_groups',
    'maxSecurityGroupRules': 'security_group_rules', 'totalFloatingIpsUsed': 'used_elsewhere',
    'totalSecurityGroupsUsed': 'used_elsewhere', **_TO_38,
}


def _absolute(names: Mapping[str, str], when: Window) -> Field:
    return Field('absolute', lambda numbers, _: {shown: numbers[name] for shown, name in names.items()}, when,
                 kind=kinds.record(dict.fromkeys(names, kinds.INTEGER)))


LIMITS = View(
    Field('rate', lambda numbers, _: [], kind=kinds.listed(kinds.ANY)),
    _absolute(_TO_35, until(35)), _absolute(_TO_38, only(36, 38)), _absolute(_TO_56, only(39, 56)),
    _absolute(_KEPT, since(57)),
)

# What Neutron keeps the books of, as Nova shows it since it does no networking itself.
_NEUTRON = {**dict.fromkeys(OF_NETWORK, UNLIMITED), 'used_elsewhere': 0}

# ----------------------------------------------------------------- handlers


def index(call: Call) -> dict[str, int]:
    """Show the limits of a project and what it uses of them."""
    project = call.query.get('tenant_id')
    if project is not None:
        call.authorize(OTHER_PROJECT_RULE)
    project = project or call.context.project_id or ''
    known = call.services.limits.of(project)
    with call.services.db.read() as conn:
        limits = known.effective(conn)
        used = ops.usage(conn, project)
    return {**_NEUTRON, **limits.project, **{f'used_{name}': amount for name, amount in used.items()}}


ENDPOINTS = (
    GET('/limits', index, rule=LIST_RULE, query=LIST_QUERY, show=one('limits', LIMITS)),
)
