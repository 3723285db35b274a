# SPDX-License-Identifier: Apache-2.0
"""Thousands of hosts and hundreds of thousands of servers, made by PostgreSQL itself in a few statements.

Each server is a copy of one that was stored in the usual way, so that a new column needs no change here.
"""

import uuid
from typing import Any

import sqlalchemy as sa

from nova_lite.db import tables
from nova_lite.db.engine import Database
from nova_lite.db.queries import servers
from nova_lite.model import times

VCPUS, MEMORY_MB, LOCAL_GB = 256, 256 * 1024, 4096
FLAVOR = {'flavorid': '1', 'name': 'm1.tiny', 'ram': 512, 'vcpus': 1, 'disk': 1, 'ephemeral': 0, 'swap': 0,
          'rxtx_factor': 1.0, 'extra_specs': {}}
ADDRESSES = {'private': [{'addr': '10.0.0.7', 'version': 4, 'type': 'fixed', 'mac': 'fa:16:3e:00:00:07'}]}
ZONES = 4

_SERVICES = """
INSERT INTO services (uuid, host, "binary", disabled, forced_down, version, last_seen_at, created_at)
SELECT gen_random_uuid()::text, 'h' || n, 'nova-compute', false, false, 1, :now, :now
FROM generate_series(1, :hosts) AS n"""
_HOSTS = """
INSERT INTO hosts (uuid, service_id, host, hypervisor_hostname, hypervisor_type, hypervisor_version, host_ip, cpu_info,
                   traits, vcpus, memory_mb, local_gb, vcpus_limit, memory_mb_limit, local_gb_limit, vcpus_used,
                   memory_mb_used, local_gb_used, servers, created_at)
SELECT gen_random_uuid()::text, id, host, host, 'fake', 1000, '127.0.0.1', '{"arch":"x86_64"}', '["HW_CPU_X86_AVX"]',
       :vcpus, :memory_mb, :local_gb, :vcpus, :memory_mb, :local_gb, 0, 0, 0, 0, :now
FROM services WHERE "binary" = 'nova-compute'"""
_AGGREGATES = """
INSERT INTO aggregates (uuid, name, metadata, created_at)
SELECT gen_random_uuid()::text, 'zone' || n, '{"availability_zone":"zone' || n || '"}', :now
FROM generate_series(1, :zones) AS n"""
_MEMBERS = """
INSERT INTO aggregate_hosts (aggregate_id, host)
SELECT aggregates.id, hosts.host FROM hosts JOIN aggregates ON aggregates.name = 'zone' || (hosts.id % :zones + 1)"""
_ALLOCATIONS = """
INSERT INTO allocations (server_uuid, host_id, vcpus, memory_mb, local_gb, created_at)
SELECT servers.uuid, hosts.id, 1, 512, 1, :now FROM servers JOIN hosts ON hosts.host = servers.host"""
_USED = """
UPDATE hosts SET servers = n, vcpus_used = n, memory_mb_used = 512 * n, local_gb_used = n
FROM (SELECT host_id, count(*) AS n FROM allocations GROUP BY host_id) AS used WHERE host_id = hosts.id"""
_QUOTA = """
INSERT INTO quota_usages (project_id, instances, cores, ram)
SELECT project_id, count(*), count(*), 512 * count(*) FROM servers GROUP BY project_id"""
# What is different of each copy.
_OF_COPY = {
    'uuid': 'gen_random_uuid()::text', 'name': "'web-' || n", 'hostname': "'web-' || n",
    'project_id': "lpad(to_hex(n % :projects), 32, '0')", 'host': "'h' || (n % :hosts + 1)",
    'node': "'h' || (n % :hosts + 1)", 'reservation_id': "'r-' || n",
    'created_at': "created_at - n * interval '1 second'", 'updated_at': "updated_at - n * interval '1 second'",
    'launched_at': "created_at - n * interval '1 second'"}


def project(number: int) -> str:
    """The id of one of the projects."""
    return f'{number:032x}'


def hosts(db: Database, count: int) -> None:
    """Empty hosts, a quarter of them in each of four zones."""
    now = times.utcnow()
    with db.write() as conn:
        conn.execute(sa.text(_SERVICES), {'hosts': count, 'now': now})
        conn.execute(sa.text(_HOSTS), {'vcpus': VCPUS, 'memory_mb': MEMORY_MB, 'local_gb': LOCAL_GB, 'now': now})
        conn.execute(sa.text(_AGGREGATES), {'zones': ZONES, 'now': now})
        conn.execute(sa.text(_MEMBERS), {'zones': ZONES})


def fill(db: Database, count: int, projects: int, host_count: int) -> None:
    """Servers that run, dealt to the projects and to the hosts, with the books that go with them."""
    with db.write() as conn:
        (row_id,) = servers.insert(conn, [_template()])
        names = [column.name for column in tables.servers.c if column.name != 'id']
        conn.execute(sa.text(
            f'INSERT INTO servers ({", ".join(names)}) SELECT {", ".join(_OF_COPY.get(name, name) for name in names)} '
            'FROM servers, generate_series(1, :count) AS n WHERE id = :template'),
            {'count': count, 'projects': projects, 'hosts': host_count, 'template': row_id})
        conn.execute(sa.delete(tables.servers).where(tables.servers.c.id == row_id))
        conn.execute(sa.text(_ALLOCATIONS), {'now': times.utcnow()})
        conn.execute(sa.text(_USED))
        conn.execute(sa.text(_QUOTA))
    with db.engine.connect() as connection:
        connection.exec_driver_sql('VACUUM ANALYZE')


def _template() -> dict[str, Any]:
    return {
        'uuid': str(uuid.uuid4()), 'project_id': 'template', 'user_id': 'a' * 32, 'reservation_id': 'r-template',
        'name': 'template', 'hostname': 'template', 'vm_state': 'active', 'power_state': 1, 'image_ref':
        str(uuid.uuid4()), 'image_properties': {'min_disk': '1', 'container_format': 'bare'}, 'flavor': FLAVOR,
        'metadata': {'purpose': 'benchmark'}, 'addresses': ADDRESSES, 'availability_zone': 'nova',
        'root_device_name': '/dev/vda', 'host': 'h1', 'node': 'h1', 'launched_at': times.utcnow()}
