# SPDX-License-Identifier: Apache-2.0
"""Who may do what to servers: every policy rule of this room, under the names that operators know."""

from nova_lite.auth import policy

_SERVERS = 'os_compute_api:servers:'
INDEX = _SERVERS + 'index'
INDEX_ALL = _SERVERS + 'index:get_all_tenants'
DETAIL = _SERVERS + 'detail'
DETAIL_ALL = _SERVERS + 'detail:get_all_tenants'
ALL_FILTERS = _SERVERS + 'allow_all_filters'
SHOW = _SERVERS + 'show'
HOST_STATUS = _SERVERS + 'show:host_status'
UNKNOWN_ONLY = _SERVERS + 'show:host_status:unknown-only'
EXTRA_SPECS = _SERVERS + 'show:flavor-extra-specs'
EXTENDED_ATTRIBUTES = 'os_compute_api:os-extended-server-attributes'
CREATE = _SERVERS + 'create'
FORCED_HOST = _SERVERS + 'create:forced_host'
DESTINATION = 'compute:servers:create:requested_destination'
ATTACH_VOLUME = _SERVERS + 'create:attach_volume'
ATTACH_NETWORK = _SERVERS + 'create:attach_network'
EXTERNAL_NETWORK = 'network:attach_external_network'
TRUSTED_CERTS = _SERVERS + 'create:trusted_certs'
ZERO_DISK = _SERVERS + 'create:zero_disk_flavor'
UPDATE = _SERVERS + 'update'
DELETE = _SERVERS + 'delete'
START = _SERVERS + 'start'
STOP = _SERVERS + 'stop'
REBOOT = _SERVERS + 'reboot'
LOCK = 'os_compute_api:os-lock-server:lock'
UNLOCK = 'os_compute_api:os-lock-server:unlock'
UNLOCK_OVERRIDE = 'os_compute_api:os-lock-server:unlock:unlock_override'
RESET_STATE = 'os_compute_api:os-admin-actions:reset_state'
CONSOLE_OUTPUT = 'os_compute_api:os-console-output'
METADATA = {verb: 'os_compute_api:server-metadata:' + verb
            for verb in ('index', 'show', 'create', 'update', 'update_all', 'delete')}
TAGS = {verb: 'os_compute_api:os-server-tags:' + verb
        for verb in ('index', 'show', 'update', 'update_all', 'delete', 'delete_all')}
IPS_INDEX = 'os_compute_api:ips:index'
IPS_SHOW = 'os_compute_api:ips:show'

_ONE = '/servers/{id}'
_ACTION = '/servers/{id}/action'
_METADATA = '/servers/{server_id}/metadata'
_TAGS = '/servers/{server_id}/tags'

RULES = (
    policy.rule(INDEX, policy.READER_OR_ADMIN, 'List servers.', ('GET', '/servers')),
    policy.rule(INDEX_ALL, policy.ADMIN, 'List the servers of all projects.', ('GET', '/servers')),
    policy.rule(DETAIL, policy.READER_OR_ADMIN, 'List servers with details.', ('GET', '/servers/detail')),
    policy.rule(DETAIL_ALL, policy.ADMIN, 'List the servers of all projects with details.',
                ('GET', '/servers/detail')),
    policy.rule(ALL_FILTERS, policy.ADMIN, 'Filter a list of servers by every attribute.',
                ('GET', '/servers'), ('GET', '/servers/detail')),
    policy.rule(SHOW, policy.READER_OR_ADMIN, 'Show a server.', ('GET', _ONE)),
    policy.rule(HOST_STATUS, policy.ADMIN, 'See the status of the host of a server.',
                ('GET', _ONE), ('GET', '/servers/detail'), ('PUT', _ONE)),
    policy.rule(UNKNOWN_ONLY, policy.ADMIN, 'See the status of the host of a server where it is UNKNOWN.',
                ('GET', _ONE), ('GET', '/servers/detail'), ('PUT', _ONE)),
    policy.rule(EXTRA_SPECS, policy.READER_OR_ADMIN, 'See the extra specs in the flavor of a server.',
                ('GET', _ONE), ('GET', '/servers/detail'), ('PUT', _ONE)),
    policy.rule(EXTENDED_ATTRIBUTES, policy.ADMIN, 'See the host, the hypervisor and the user data of a server.',
                ('GET', _ONE), ('GET', '/servers/detail'), ('PUT', _ONE)),
    policy.rule(CREATE, policy.MEMBER_OR_ADMIN, 'Create a server.', ('POST', '/servers')),
    policy.rule(FORCED_HOST, policy.ADMIN, 'Create a server on a host named in availability_zone.',
                ('POST', '/servers')),
    policy.rule(DESTINATION, policy.ADMIN, 'Create a server on a host named in host or hypervisor_hostname.',
                ('POST', '/servers')),
    policy.rule(ATTACH_VOLUME, policy.MEMBER_OR_ADMIN, 'Create a server with volumes.', ('POST', '/servers')),
    policy.rule(ATTACH_NETWORK, policy.MEMBER_OR_ADMIN, 'Create a server on networks.', ('POST', '/servers')),
    policy.rule(EXTERNAL_NETWORK, policy.ADMIN, 'Put a server on a network that leads outside.',
                ('POST', '/servers'), ('POST', '/servers/{server_id}/os-interface')),
    policy.rule(TRUSTED_CERTS, policy.MEMBER_OR_ADMIN, 'Create a server with trusted image certificates.',
                ('POST', '/servers')),
    policy.rule(ZERO_DISK, policy.ADMIN, 'Create a server from an image with a flavor whose disk is 0.',
                ('POST', '/servers')),
    policy.rule(UPDATE, policy.MEMBER_OR_ADMIN, 'Change a server.', ('PUT', _ONE)),
    policy.rule(DELETE, policy.MEMBER_OR_ADMIN, 'Delete a server.', ('DELETE', _ONE)),
    policy.rule(START, policy.MEMBER_OR_ADMIN, 'Start a server.', ('POST', _ACTION + ' (os-start)')),
    policy.rule(STOP, policy.MEMBER_OR_ADMIN, 'Stop a server.', ('POST', _ACTION + ' (os-stop)')),
    policy.rule(REBOOT, policy.MEMBER_OR_ADMIN, 'Reboot a server.', ('POST', _ACTION + ' (reboot)')),
    policy.rule(LOCK, policy.MEMBER_OR_ADMIN, 'Lock a server.', ('POST', _ACTION + ' (lock)')),
    policy.rule(UNLOCK, policy.MEMBER_OR_ADMIN, 'Unlock a server.', ('POST', _ACTION + ' (unlock)')),
    policy.rule(UNLOCK_OVERRIDE, policy.ADMIN, 'Unlock a server whoever locked it.',
                ('POST', _ACTION + ' (unlock)')),
    policy.rule(RESET_STATE, policy.ADMIN, 'Set the state of a server.', ('POST', _ACTION + ' (os-resetState)')),
    policy.rule(CONSOLE_OUTPUT, policy.MEMBER_OR_ADMIN, 'Read the console log of a server.',
                ('POST', _ACTION + ' (os-getConsoleOutput)')),
    policy.rule(METADATA['index'], policy.READER_OR_ADMIN, 'List the metadata of a server.', ('GET', _METADATA)),
    policy.rule(METADATA['show'], policy.READER_OR_ADMIN, 'Show one metadata entry.', ('GET', _METADATA + '/{key}')),
    policy.rule(METADATA['create'], policy.MEMBER_OR_ADMIN, 'Add metadata.', ('POST', _METADATA)),
    policy.rule(METADATA['update_all'], policy.MEMBER_OR_ADMIN, 'Replace all metadata.', ('PUT', _METADATA)),
    policy.rule(METADATA['update'], policy.MEMBER_OR_ADMIN, 'Set one metadata entry.', ('PUT', _METADATA + '/{key}')),
    policy.rule(METADATA['delete'], policy.MEMBER_OR_ADMIN, 'Delete one metadata entry.',
                ('DELETE', _METADATA + '/{key}')),
    policy.rule(TAGS['index'], policy.READER_OR_ADMIN, 'List the tags of a server.', ('GET', _TAGS)),
    policy.rule(TAGS['show'], policy.READER_OR_ADMIN, 'Ask whether a server has a tag.', ('GET', _TAGS + '/{tag}')),
    policy.rule(TAGS['update'], policy.MEMBER_OR_ADMIN, 'Add one tag.', ('PUT', _TAGS + '/{tag}')),
    policy.rule(TAGS['update_all'], policy.MEMBER_OR_ADMIN, 'Replace all tags.', ('PUT', _TAGS)),
    policy.rule(TAGS['delete'], policy.MEMBER_OR_ADMIN, 'Remove one tag.', ('DELETE', _TAGS + '/{tag}')),
    policy.rule(TAGS['delete_all'], policy.MEMBER_OR_ADMIN, 'Remove all tags.', ('DELETE', _TAGS)),
    policy.rule(IPS_INDEX, policy.READER_OR_ADMIN, 'List the addresses of a server.',
                ('GET', '/servers/{server_id}/ips')),
    policy.rule(IPS_SHOW, policy.READER_OR_ADMIN, 'List the addresses of a server on one network.',
                ('GET', '/servers/{server_id}/ips/{network_label}')),
)
