# SPDX-License-Identifier: Apache-2.0
"""The frozen list of what were extensions before microversions; every one of them is always on."""

from typing import Any

from nova_lite import errors
from nova_lite.api import shared
from nova_lite.auth import policy
from nova_lite.wsgi import kinds
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import GET, Raw

LIST = 'os_compute_api:extensions'

RULES = (
    policy.rule(LIST, policy.ANYBODY, 'See the list of extensions.',
                ('GET', '/extensions'), ('GET', '/extensions/{alias}')),
)

# alias: name
_NAMES = {
    'NMN': 'Multinic',
    'OS-DCF': 'DiskConfig',
    'OS-EXT-AZ': 'ExtendedAvailabilityZone',
    'OS-EXT-IMG-SIZE': 'ImageSize',
    'OS-EXT-IPS': 'ExtendedIps',
    'OS-EXT-IPS-MAC': 'ExtendedIpsMac',
    'OS-EXT-SRV-ATTR': 'ExtendedServerAttributes',
    'OS-EXT-STS': 'ExtendedStatus',
    'OS-FLV-DISABLED': 'FlavorDisabled',
    'OS-FLV-EXT-DATA': 'FlavorExtraData',
    'OS-SCH-HNT': 'SchedulerHints',
    'OS-SRV-USG': 'ServerUsage',
    'os-access-ips': 'AccessIPs',
    'os-admin-actions': 'AdminActions',
    'os-admin-password': 'AdminPassword',
    'os-agents': 'Agents',
    'os-aggregates': 'Aggregates',
    'os-assisted-volume-snapshots': 'AssistedVolumeSnapshots',
    'os-attach-interfaces': 'AttachInterfaces',
    'os-availability-zone': 'AvailabilityZone',
    'os-baremetal-ext-status': 'BareMetalExtStatus',
    'os-baremetal-nodes': 'BareMetalNodes',
    'os-block-device-mapping': 'BlockDeviceMapping',
    'os-block-device-mapping-v2-boot': 'BlockDeviceMappingV2Boot',
    'os-cell-capacities': 'CellCapacities',
    'os-cells': 'Cells',
    'os-certificates': 'Certificates',
    'os-cloudpipe': 'Cloudpipe',
    'os-cloudpipe-update': 'CloudpipeUpdate',
    'os-config-drive': 'ConfigDrive',
    'os-console-auth-tokens': 'ConsoleAuthTokens',
    'os-console-output': 'ConsoleOutput',
    'os-consoles': 'Consoles',
    'os-create-backup': 'CreateBackup',
    'os-create-server-ext': 'Createserverext',
    'os-deferred-delete': 'DeferredDelete',
    'os-evacuate': 'Evacuate',
    'os-extended-evacuate-find-host': 'ExtendedEvacuateFindHost',
    'os-extended-floating-ips': 'ExtendedFloatingIps',
    'os-extended-hypervisors': 'ExtendedHypervisors',
    'os-extended-networks': 'ExtendedNetworks',
    'os-extended-quotas': 'ExtendedQuotas',
    'os-extended-rescue-with-image': 'ExtendedRescueWithImage',
    'os-extended-services': 'ExtendedServices',
    'os-extended-services-delete': 'ExtendedServicesDelete',
    'os-extended-status': 'ExtendedStatus',
    'os-extended-volumes': 'ExtendedVolumes',
    'os-fixed-ips': 'FixedIPs',
    'os-flavor-access': 'FlavorAccess',
    'os-flavor-extra-specs': 'FlavorExtraSpecs',
    'os-flavor-manage': 'FlavorManage',
    'os-flavor-rxtx': 'FlavorRxtx',
    'os-flavor-swap': 'FlavorSwap',
    'os-floating-ip-dns': 'FloatingIpDns',
    'os-floating-ip-pools': 'FloatingIpPools',
    'os-floating-ips': 'FloatingIps',
    'os-floating-ips-bulk': 'FloatingIpsBulk',
    'os-fping': 'Fping',
    'os-hide-server-addresses': 'HideServerAddresses',
    'os-hosts': 'Hosts',
    'os-hypervisor-status': 'HypervisorStatus',
    'os-hypervisors': 'Hypervisors',
    'os-instance-actions': 'InstanceActions',
    'os-instance_usage_audit_log': 'OSInstanceUsageAuditLog',
    'os-keypairs': 'Keypairs',
    'os-lock-server': 'LockServer',
    'os-migrate-server': 'MigrateServer',
    'os-migrations': 'Migrations',
    'os-multiple-create': 'MultipleCreate',
    'os-networks': 'Networks',
    'os-networks-associate': 'NetworkAssociationSupport',
    'os-pause-server': 'PauseServer',
    'os-personality': 'Personality',
    'os-preserve-ephemeral-rebuild': 'PreserveEphemeralOnRebuild',
    'os-quota-class-sets': 'QuotaClasses',
    'os-quota-sets': 'Quotas',
    'os-rescue': 'Rescue',
    'os-security-group-default-rules': 'SecurityGroupDefaultRules',
    'os-security-groups': 'SecurityGroups',
    'os-server-diagnostics': 'ServerDiagnostics',
    'os-server-external-events': 'ServerExternalEvents',
    'os-server-group-quotas': 'ServerGroupQuotas',
    'os-server-groups': 'ServerGroups',
    'os-server-list-multi-status': 'ServerListMultiStatus',
    'os-server-password': 'ServerPassword',
    'os-server-sort-keys': 'ServerSortKeys',
    'os-server-start-stop': 'ServerStartStop',
    'os-services': 'Services',
    'os-shelve': 'Shelve',
    'os-simple-tenant-usage': 'SimpleTenantUsage',
    'os-suspend-server': 'SuspendServer',
    'os-tenant-networks': 'OSTenantNetworks',
    'os-used-limits': 'UsedLimits',
    'os-used-limits-for-admin': 'UsedLimitsForAdmin',
    'os-user-data': 'UserData',
    'os-user-quotas': 'UserQuotas',
    'os-virtual-interfaces': 'VirtualInterfaces',
    'os-volume-attachment-update': 'VolumeAttachmentUpdate',
    'os-volumes': 'Volumes',
}


_EXTENSION = kinds.record({
    **dict.fromkeys(('alias', 'name', 'description', 'namespace'), kinds.TEXT), 'updated': kinds.TIME,
    'links': kinds.LINKS})


def _entry(alias: str) -> dict[str, Any]:
    return {'alias': alias, 'name': _NAMES[alias], 'description': f'{_NAMES[alias]}, always on.', 'links': [],
            'namespace': 'http://docs.openstack.org/compute/ext/fake_xml', 'updated': '2014-12-03T00:00:00Z'}


def index(call: Call) -> Raw:
    """List the extensions."""
    return Raw({'extensions': [_entry(alias) for alias in sorted(_NAMES)]})


def show(call: Call) -> Raw:
    """Show one extension by its alias."""
    alias = call.params['id']
    if alias not in _NAMES:
        raise errors.NotFound(f'There is no extension {alias[:64]!r}.')
    return Raw({'extension': _entry(alias)})


ENDPOINTS = (
    GET('/extensions', index, rule=LIST, query=shared.NOTHING_KNOWN,
        reply=kinds.under('extensions', kinds.listed(_EXTENSION))),
    GET('/extensions/{id}', show, rule=LIST, query=shared.NOTHING_KNOWN,
        reply=kinds.under('extension', _EXTENSION), errors=(404,)),
)
