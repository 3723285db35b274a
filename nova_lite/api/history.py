# SPDX-License-Identifier: Apache-2.0
"""Every microversion, one row each: what changed, and what kind of change it was.

``nova-manage api history`` prints this table; the version document takes its maximum from it.  At
start every number must be the edge of some window in the tables of ``api/``, except those of
NO_WINDOW, whose change shows in no table, and those of NOT_SERVED, whose rooms are not built.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Change:
    """One microversion, 2.``minor``; ``release`` names the OpenStack releases whose last one it was."""

    minor: int
    area: str
    kinds: tuple[str, ...]
    summary: str
    release: str = ''


HISTORY = (
    Change(1, 'all', ('behaviour',),
           'Baseline. Same surface as the old v2.0 API but request bodies are strictly validated. Used '
           'when a request names no version.'),
    Change(2, 'keypairs', ('request', 'response', 'code'),
           'Keypairs get a type, ssh (default) or x509, in requests and responses. Create answers 201 '
           'instead of 200 and delete 204 instead of 202.'),
    Change(3, 'servers', ('response',),
           'Server details show more admin attributes (reservation_id, launch_index, ramdisk_id, '
           'kernel_id, hostname, root_device_name, user_data) and each attached volume shows '
           'delete_on_termination.',
           'Kilo'),
    Change(4, 'fixed ips', ('response',),
           'Fixed IP show tells whether the address is reserved. The API itself is gone today (410).'),
    Change(5, 'servers', ('behaviour',),
           'Non-admins may filter the server list by ip6; before, the filter was silently ignored.'),
    Change(6, 'consoles', ('new route', 'removal'),
           'POST /servers/{id}/remote-consoles with protocol and type replaces the four os-get*Console '
           'server actions, which end here.'),
    Change(7, 'flavors', ('behaviour',),
           'addTenantAccess on a public flavor is refused with 409.'),
    Change(8, 'consoles', ('request',),
           'remote-consoles accepts protocol mks with type webmks.'),
    Change(9, 'servers', ('response',),
           'Server details, update and rebuild responses show a boolean locked.'),
    Change(10, 'keypairs', ('request',),
           'Admins may list, show, create and delete keypairs of another user through user_id.'),
    Change(11, 'services', ('request', 'response'),
           'Services show forced_down and PUT /os-services/force-down sets it.'),
    Change(12, 'virtual interfaces', ('response',),
           'os-virtual-interfaces shows net_id. The API itself is gone today (410).',
           'Liberty'),
    Change(13, 'server groups', ('response',),
           'Server groups show project_id and user_id.'),
    Change(14, 'evacuate', ('request', 'response'),
           'evacuate loses onSharedStorage (Nova finds out alone) and no longer returns adminPass.'),
    Change(15, 'server groups', ('request',),
           'Policies soft-affinity and soft-anti-affinity are accepted.'),
    Change(16, 'servers', ('response',),
           'Server details show host_status (UP, DOWN, MAINTENANCE, UNKNOWN or empty), by default to '
           'admins.'),
    Change(17, 'server actions', ('new action',),
           'trigger_crash_dump sends a non-maskable interrupt to the guest.'),
    Change(18, 'all', ('behaviour',),
           'The project id may be left out of every URL.'),
    Change(19, 'servers', ('request', 'response'),
           'A description can be set on create, update and rebuild and is shown; without it rebuild and '
           'create no longer copy the name into it.'),
    Change(20, 'volume attachments', ('behaviour',),
           'Volumes can be attached to and detached from shelved and shelved-offloaded servers.'),
    Change(21, 'instance actions', ('behaviour',),
           'Action history of deleted servers can be read.'),
    Change(22, 'server migrations', ('new action',),
           'POST /servers/{id}/migrations/{id}/action with force_complete.'),
    Change(23, 'server migrations', ('new route', 'response'),
           'GET list and show under /servers/{id}/migrations; /os-migrations shows migration_type and '
           'links live migrations in progress.'),
    Change(24, 'server migrations', ('new route',),
           'DELETE /servers/{id}/migrations/{id} aborts a running live migration.'),
    Change(25, 'live migrate', ('request',),
           'block_migration may be auto and disk_over_commit is gone from os-migrateLive.',
           'Mitaka'),
    Change(26, 'server tags', ('new route', 'response'),
           'Six /servers/{id}/tags operations; tags in server details; list filters tags, tags-any, not- '
           'tags, not-tags-any.'),
    Change(27, 'all', ('header',),
           'The header OpenStack-API-Version: compute X.Y works beside the old X-OpenStack-Nova-API- '
           'Version; responses carry both.'),
    Change(28, 'hypervisors', ('response',),
           'cpu_info becomes a JSON object instead of a string holding JSON.'),
    Change(29, 'evacuate', ('request',),
           'A force flag appears; without it a named host is checked by the scheduler.'),
    Change(30, 'live migrate', ('request',),
           'A force flag appears; without it a named host is checked by the scheduler.'),
    Change(31, 'console auth tokens', ('behaviour',),
           'Token lookup works for every console type instead of RDP alone.'),
    Change(32, 'servers', ('request',),
           'Networks and block_device_mapping_v2 entries take a device tag at create. A defect loses the '
           'tag on block devices from 2.33 and on networks from 2.37.'),
    Change(33, 'hypervisors', ('request',),
           'limit and marker paging. By accident the tag of block devices is refused again until 2.42.'),
    Change(34, 'live migrate', ('behaviour',),
           'Checks before a live migration run in the background: no 400 from the call, the outcome is '
           'in the instance actions.'),
    Change(35, 'keypairs', ('request',),
           'limit and marker paging, sorted by name.'),
    Change(36, 'proxies', ('removal',),
           'Proxy APIs answer 404: images, os-networks, os-tenant-networks, os-fixed-ips, os-floating- '
           'ips(-bulk, -pools, -dns), os-security-groups and rules, os-volumes, os-snapshots, os- '
           'baremetal-nodes, os-fping. Network keys leave quota sets and limits. The force flag of quota '
           'update broke and was fixed later.'),
    Change(37, 'servers', ('request',),
           'networks becomes required on create and may be auto or none; uuid in it must be a UUID. By '
           'accident the network tag is refused again until 2.42.'),
    Change(38, 'servers', ('behaviour',),
           'An unknown status filter on the server list is 400 for everyone.',
           'Newton'),
    Change(39, 'images', ('removal',),
           'Image metadata proxy ends; image metadata quota is no longer checked on createImage and '
           'createBackup; maxImageMeta leaves the limits.'),
    Change(40, 'usage', ('request',),
           'limit and marker paging of os-simple-tenant-usage with next links; one project may span '
           'pages.'),
    Change(41, 'aggregates', ('response',),
           'Aggregates show their uuid.'),
    Change(42, 'servers', ('request',),
           'Device tags on networks and block devices at create work again.',
           'Ocata'),
    Change(43, 'hosts', ('removal',),
           'os-hosts ends (404); use os-hypervisors and os-services.'),
    Change(44, 'server actions', ('removal',),
           'addFixedIp, removeFixedIp, addFloatingIp, removeFloatingIp and os-virtual-interfaces end '
           '(404); use Neutron and os-interface.'),
    Change(45, 'server actions', ('response',),
           'createImage and createBackup return image_id in a JSON body instead of a Location header.'),
    Change(46, 'all', ('header',),
           'Signals that X-OpenStack-Request-ID is sent beside X-Compute-Request-ID.'),
    Change(47, 'servers', ('response',),
           'Servers embed flavor details (original_name, vcpus, ram, disk, ephemeral, swap, extra_specs '
           'if allowed) instead of a flavor id and link.'),
    Change(48, 'diagnostics', ('response',),
           'Server diagnostics get a fixed set of fields, null where the driver has no value.'),
    Change(49, 'attach', ('request',),
           'A tag may be given when attaching an interface or a volume; not on shelved-offloaded '
           'servers.'),
    Change(50, 'quota classes', ('request', 'response'),
           'server_groups and server_group_members are shown and settable; network keys leave.'),
    Change(51, 'external events; instance actions', ('request', 'response'),
           'Event volume-extended is accepted. Owners see the events of an instance action (traceback '
           'stays admin-only).'),
    Change(52, 'servers', ('request',),
           'tags may be given on create.'),
    Change(53, 'services; hypervisors', ('request', 'response', 'removal'),
           'Services and hypervisors are identified by uuid. PUT /os-services/{uuid} with status, '
           'disabled_reason, forced_down replaces four sub-paths and returns the service. Hypervisor '
           'search and servers sub-paths end in favour of hypervisor_hostname_pattern and with_servers.',
           'Pike'),
    Change(54, 'rebuild', ('request', 'response'),
           'rebuild may change or clear key_name and the response shows it.'),
    Change(55, 'flavors', ('new route', 'request', 'response'),
           'Flavors have a description, settable on create and by the new PUT /flavors/{id}.'),
    Change(56, 'migrate', ('request',),
           'Cold migrate may name a target host, checked by the scheduler.'),
    Change(57, 'servers; quotas; limits', ('request', 'response'),
           'personality (injected files) is refused on create and rebuild; rebuild takes user_data; '
           'file-injection keys leave limits, quota sets and quota classes.'),
    Change(58, 'instance actions', ('request', 'response'),
           'limit, marker and changes-since on the action list; updated_at and links are shown.'),
    Change(59, 'migrations', ('request', 'response'),
           'limit, marker and changes-since on /os-migrations, which refuses unknown parameters; uuid of '
           'migrations is shown everywhere.'),
    Change(60, 'volume attachments', ('behaviour',),
           'A multiattach volume may be attached to several servers.',
           'Queens'),
    Change(61, 'flavors', ('response',),
           'Flavor responses embed extra_specs when policy allows.'),
    Change(62, 'instance actions', ('response',),
           'Action events show hostId to owners and host to admins.'),
    Change(63, 'servers', ('request', 'response'),
           'trusted_image_certificates (up to 50 ids) on create and rebuild and in responses; not for '
           'volume-backed servers.'),
    Change(64, 'server groups', ('request', 'response'),
           'A single policy and a rules object (max_server_per_host for anti-affinity) replace policies '
           'and metadata.'),
    Change(65, 'server migrations', ('behaviour',),
           'Queued and preparing live migrations can be aborted too.',
           'Rocky'),
    Change(66, 'lists', ('request',),
           'changes-before filter on servers, instance actions and migrations.'),
    Change(67, 'servers', ('request',),
           'volume_type in block_device_mapping_v2 on create.'),
    Change(68, 'live migrate; evacuate', ('request',),
           'The force flag is refused again.'),
    Change(69, 'servers; services', ('response',),
           'When a cell is unreachable, its servers and services are returned as minimal records with '
           'status UNKNOWN instead of being left out.'),
    Change(70, 'attachments', ('response',),
           'Volume attachments and interfaces show their device tag.'),
    Change(71, 'servers', ('response',),
           'Server show, update and rebuild responses list server_groups ids.'),
    Change(72, 'servers', ('behaviour',),
           'Ports with a resource request (such as guaranteed bandwidth) are accepted on create.',
           'Stein'),
    Change(73, 'lock', ('request', 'response'),
           'lock takes a locked_reason, shown in server details, update and rebuild; locked works as a '
           'list filter and sort key.'),
    Change(74, 'servers', ('request',),
           'host and hypervisor_hostname on create name a target that the scheduler still checks (admin '
           'by default).'),
    Change(75, 'all', ('request', 'response'),
           'Unknown query parameters and body keys are 400 in more places; update and rebuild return the '
           'same fields as show; flavor swap is 0 instead of an empty string; hypervisors always show '
           'servers.'),
    Change(76, 'external events', ('request',),
           'Event power-update is accepted (sent by Ironic) and recorded in the instance actions.'),
    Change(77, 'unshelve', ('request',),
           'availability_zone may be given when unshelving an offloaded server.'),
    Change(78, 'topology', ('new route',),
           'GET /servers/{id}/topology shows NUMA layout.'),
    Change(79, 'volume attachments', ('request', 'response'),
           'delete_on_termination may be given on attach and is shown.',
           'Train'),
    Change(80, 'migrations', ('request', 'response'),
           'user_id and project_id are shown and, on /os-migrations, filterable.'),
    Change(81, 'aggregates', ('new route',),
           'POST /os-aggregates/{id}/images pre-caches images on hosts.'),
    Change(82, 'external events', ('request',),
           'Event accelerator-request-bound is accepted (sent by Cyborg).'),
    Change(83, 'servers', ('behaviour',),
           'Non-admins may filter by availability_zone, config_drive, key_name, created_at, launched_at, '
           'terminated_at, power_state, task_state, vm_state, progress, user_id.'),
    Change(84, 'instance actions', ('response',),
           'Failed action events show details with the fault message.'),
    Change(85, 'volume attachments', ('request',),
           'PUT of an attachment may change delete_on_termination.'),
    Change(86, 'flavors', ('behaviour',),
           'Extra specs in known namespaces are validated on create and update.'),
    Change(87, 'rescue', ('behaviour',),
           'Volume-backed servers can be rescued where the host has the trait for it.',
           'Ussuri and Victoria'),
    Change(88, 'hypervisors', ('response', 'removal'),
           'Capacity and load fields leave hypervisor responses, uptime joins them, and the statistics '
           'and uptime sub-paths end.',
           'Wallaby'),
    Change(89, 'volume attachments', ('response',),
           'List and show add attachment_id and bdm_uuid and drop id.'),
    Change(90, 'servers', ('request', 'response'),
           'hostname may be set on create, update and rebuild, and OS-EXT-SRV-ATTR:hostname is shown to '
           'everyone.',
           'Xena and Yoga'),
    Change(91, 'unshelve', ('request',),
           'unshelve may name a host, and pin to or unpin from a zone.'),
    Change(92, 'keypairs', ('request',),
           'public_key becomes required (no more generated pairs) and names may hold @ and dot.'),
    Change(93, 'rebuild', ('behaviour',),
           'Volume-backed servers can be rebuilt: the root volume is re-imaged.',
           'Zed'),
    Change(94, 'servers', ('request',),
           'hostname may be a fully qualified name.'),
    Change(95, 'evacuate', ('behaviour',),
           'Evacuated servers stay stopped on the new host.',
           '2023.1 and 2023.2'),
    Change(96, 'servers', ('response',),
           'Server details, update and rebuild show pinned_availability_zone.',
           '2024.1 and 2024.2'),
    Change(97, 'shares', ('new route',),
           'Four operations under /servers/{id}/shares attach Manila shares.'),
    Change(98, 'servers', ('response',),
           'The image key in server details, update and rebuild embeds image properties.'),
    Change(99, 'consoles', ('request', 'response'),
           'Console type spice-direct; the token lookup shows tls_port and refuses unknown query '
           'parameters.'),
    Change(100, 'servers', ('response',),
           'Server details, update and rebuild show scheduler_hints.',
           '2025.1 and 2025.2'),
    Change(101, 'volume attachments', ('response', 'code'),
           'Attach answers 202 without a body and works fully in the background.'),
    Change(102, 'flavors; all', ('request', 'response'),
           'Flavor list filters by name; rxtx_factor and OS-FLV-DISABLED:disabled leave requests, '
           'responses and filters; every API refuses unknown query parameters.'),
    Change(103, 'volumes boot', ('removal',),
           'The /os-volumes_boot alias of /servers ends (404).',
           '2026.1'),
    Change(104, 'servers', ('request',),
           'PUT /servers/{id} may set pinned_availability_zone to null (unpin) or to the current zone '
           '(pin again); other changes are 409.',
           '2026.2'),
)

MAXIMUM = HISTORY[-1].minor

# Why no table shows the change.
NO_WINDOW = {
    1: 'the base of all windows',
    4: 'the API that it changed is gone at every version',
    12: 'the API that it changed is gone at every version',
    18: 'the router serves both forms of every path at every version, as Nova does',
    27: 'both version headers are read and sent at every version, as Nova does',
    46: 'both request id headers are sent at every version, as Nova does',
    69: 'there are no cells, so none can be away',
}

# Changes of rooms that are not built; a window that names one of these must take it from here.
NOT_SERVED: frozenset[int] = frozenset({
    72})
