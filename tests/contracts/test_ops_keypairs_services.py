# SPDX-License-Identifier: Apache-2.0
"""What must hold on each database while others write at the same time."""

import threading
from types import SimpleNamespace

import pytest

from nova_lite import errors
from nova_lite.db.queries import hosts, keypairs
from nova_lite.db.queries import services as rows
from nova_lite.model import times
from nova_lite.notifications.port import NOBODY
from nova_lite.ops import keypairs as keypair_ops
from nova_lite.ops import services
from nova_lite.ops.limits import DatabaseLimits
from tests.fixtures.database import database, shared_database, sqlite_path

__all__ = ('database', 'shared_database', 'sqlite_path')

HOST = {'hypervisor_hostname': 'one', 'hypervisor_type': 'fake', 'hypervisor_version': 1, 'host_ip': '192.0.2.1',
        'cpu_info': {}, 'traits': [], 'vcpus': 8, 'memory_mb': 8, 'local_gb': 8, 'vcpus_limit': 8,
        'memory_mb_limit': 8, 'local_gb_limit': 8}


def add(deps, name):
    keypair_ops.add(deps, keypair_ops.AddKeypair('ann', name, 'ssh', 'ssh-ed25519 AAAA', '00:11'))


@pytest.mark.parametrize('before', [(), ('first',)])
def test_many_at_once_cannot_pass_the_quota(database, before):
    deps = SimpleNamespace(db=database, limits=DatabaseLimits(SimpleNamespace(key_pairs=5)), notifications=NOBODY)
    for name in before:
        add(deps, name)
    refused: list[str] = []
    together = threading.Barrier(10)

    def ask(name: str) -> None:
        together.wait(30)
        try:
            add(deps, name)
        except errors.OverQuota:
            refused.append(name)

    threads = [threading.Thread(target=ask, args=(f'key {number}',)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with database.read() as conn:
        assert keypairs.count(conn, 'ann') == 5
    assert len(refused) == 5 + len(before)


def test_a_host_to_which_a_server_is_promised_is_not_forgotten(database):
    now = times.utcnow()
    database.transaction(hosts.heard, hosts.Report('one', 1, HOST), now)
    with database.read() as conn:
        service = rows.get_by_host(conn, 'one', 'nova-compute')
        host = hosts.get(conn, host='one')
    wanted = hosts.Wanted(vcpus=1, memory_mb=1, local_gb=1, alive_since=now)
    server = '7f1c0b6e-8a52-4d17-b7a0-52b7f33f86f0'
    assert database.transaction(hosts.claim, host.id, server, wanted, now)
    deps = SimpleNamespace(db=database, notifications=NOBODY)
    with pytest.raises(errors.Conflict):
        services.delete(deps, service)
    database.transaction(hosts.release, server)
    services.delete(deps, service)
    with database.read() as conn:
        assert hosts.get(conn, host='one') is None
