# SPDX-License-Identifier: Apache-2.0
"""A request with a key is done once, on each database, whoever dies and however often it is sent."""

import datetime

import pytest

from nova_lite import errors
from nova_lite.db.queries import idempotency as queries
from nova_lite.model import times
from nova_lite.ops import idempotency
from nova_lite.ops.create import create
from nova_lite.ops.idempotency import Keyed, once
from tests.fixtures.cloud import Cloud, context, wish
from tests.fixtures.database import database, shared_database, sqlite_path
from tests.fixtures.parallel import in_parallel

__all__ = ('database', 'shared_database', 'sqlite_path')

KEY = Keyed('5b1fe1b2-9c1b-4e0d-9d6f-0d6a5f7c2a11', 'a' * 64)


@pytest.fixture
def cloud(database, tmp_path):
    return Cloud(database, tmp_path)


def post(cloud, keyed=KEY, who=None, fail=False, **known):
    """A create as the API does it, with a secret in its answer."""
    def work():
        made = create(cloud.deps, who or context(), wish(**known))
        if fail:
            raise ZeroDivisionError
        return 202, {'Location': 'http://here'}, {'id': made.servers[0]['uuid'], 'adminPass': 'hush'}
    return once(cloud.deps, who or context(), keyed, work)


def age_hold(cloud):
    with cloud.db.write() as conn:
        conn.execute(queries.KEYS.update().values(held_until=times.utcnow() - datetime.timedelta(seconds=1)))


def test_the_second_time_gets_the_first_answer(cloud):
    first, before = post(cloud)
    assert not before and first[2]['adminPass'] == 'hush'
    assert post(cloud) == (first, True)
    (server,) = cloud.rows('servers')
    # The conductor was woken up after the commit, not before.
    assert server.vm_state == 'active' and cloud.usage() == (1, 1, 512)
    (row,) = cloud.rows('idempotency_keys')
    assert 'hush' not in str(row) and KEY.key not in str(row) and row.holder is None
    cloud.check_books()


def test_keys_are_of_one_project_and_one_request(cloud):
    post(cloud)
    with pytest.raises(errors.KeyReused):
        post(cloud, Keyed(KEY.key, 'b' * 64))
    assert not post(cloud, who=context('blue'))[1]
    assert len(cloud.rows('servers')) == 2


def test_what_failed_is_forgotten(cloud):
    with pytest.raises(ZeroDivisionError):
        post(cloud, fail=True)
    # Nothing of it is left, although the transaction of the create had ended.
    for table in ('servers', 'operations', 'server_actions', 'idempotency_keys'):
        assert not cloud.rows(table)
    assert cloud.usage() == (0, 0, 0) and not cloud.compute.sent
    cloud.conf.set_override('instances', 0, 'quota')
    with pytest.raises(errors.OverQuota):
        post(cloud)
    assert not cloud.rows('idempotency_keys')
    cloud.conf.set_override('instances', 1, 'quota')
    assert not post(cloud)[1]
    cloud.check_books()


def test_many_at_once(cloud):
    results = in_parallel(12, lambda number: post(cloud), threads=12)
    assert len({str(answer) for answer, _ in results}) == 1
    assert sorted(before for _, before in results) == [False] + [True] * 11
    assert len(cloud.rows('servers')) == 1
    cloud.check_books()


def test_somebody_who_died_is_not_waited_for_for_ever(cloud, monkeypatch):
    monkeypatch.setattr(idempotency, 'PATIENCE', 0.1)

    def die(*args):
        raise errors.Unavailable(reason='dead')

    with monkeypatch.context() as patched:
        patched.setattr(queries, 'let_go', die)
        with pytest.raises(ZeroDivisionError):
            post(cloud, fail=True)
    with pytest.raises(errors.KeyInUse):
        post(cloud)
    assert not cloud.rows('servers')
    age_hold(cloud)
    assert not post(cloud)[1] and post(cloud)[1]
    assert len(cloud.rows('servers')) == 1


def test_somebody_who_was_only_slow_changes_nothing(cloud):
    quick = []

    def overtake(_):
        age_hold(cloud)
        return post(cloud, name='quick')

    def work():
        # Threads of their own, as other requests are.
        quick.extend(in_parallel(1, overtake, threads=1))
        return 202, {}, create(cloud.deps, context(), wish('slow')).servers[0]['uuid']

    with pytest.raises(errors.KeyInUse):
        once(cloud.deps, context(), KEY, work)
    assert [row.name for row in cloud.rows('servers')] == ['quick']
    ((answer, before),) = quick
    assert not before and post(cloud) == (answer, True)
    cloud.check_books()


def test_answers_end(cloud):
    post(cloud)
    cloud.conf.set_override('idempotency_key_lifetime', 60)
    old = times.utcnow() - datetime.timedelta(seconds=61)
    with cloud.db.write() as conn:
        conn.execute(queries.KEYS.update().values(created_at=old))
    assert not post(cloud)[1]
    assert len(cloud.rows('servers')) == 2
    assert cloud.db.transaction(queries.prune, old, 10) == 0
    assert cloud.db.transaction(queries.prune, times.utcnow(), 10) == 1
    assert not cloud.rows('idempotency_keys')


def test_parts_of_a_unit(cloud):
    seen = []

    def add(conn, digest, error=None):
        conn.execute(queries.KEYS.insert(), {'digest': digest, 'request': '', 'created_at': times.utcnow()})
        if error:
            raise error

    def work():
        cloud.db.after_commit(lambda: seen.append(len(cloud.rows('idempotency_keys'))))
        cloud.db.transaction(add, 'one')
        with cloud.db.read() as conn:
            assert conn.scalar(queries.KEYS.select().with_only_columns(queries.KEYS.c.digest)) == 'one'
        with pytest.raises(errors.Conflict):
            cloud.db.transaction(add, 'two', errors.Conflict(reason='no'))
        with pytest.raises(errors.Conflict):
            cloud.db.transaction(add, 'one')
        assert not seen
        return 'done'

    assert cloud.db.together(work, lambda conn, result: add(conn, result)) == 'done'
    assert {row.digest for row in cloud.rows('idempotency_keys')} == {'one', 'done'} and seen == [2]


def test_conductors_remove_what_is_old(cloud):
    server = cloud.create()
    cloud.conductor.held = []
    open_ = cloud.create()
    post(cloud)
    cloud.age('operations', updated_at=100, created_at=100)
    cloud.conf.set_override('finished_operation_lifetime', 0)
    cloud.runner.prune()
    assert len(cloud.rows('operations')) == 3 and len(cloud.rows('idempotency_keys')) == 1
    cloud.conf.set_override('finished_operation_lifetime', 99)
    with cloud.db.write() as conn:
        conn.execute(queries.KEYS.update().values(created_at=times.utcnow() - datetime.timedelta(days=1, seconds=1)))
    cloud.runner.prune()
    assert {row.server_uuid for row in cloud.rows('operations')} & {server.uuid, open_.uuid} == {open_.uuid}
    assert not cloud.rows('idempotency_keys')
    assert len(cloud.rows('server_actions')) == 3
