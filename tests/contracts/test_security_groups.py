# SPDX-License-Identifier: Apache-2.0
"""Security groups hold on each database: one default group for each project, exact limits, no group that a port has
goes away."""

import types

import pytest

from nova_lite import errors
from nova_lite.auth.context import RequestContext
from nova_lite.clients.network import EmbeddedNetworks
from nova_lite.db.queries import security_groups
from nova_lite.embedded.security_group_store import GroupStore
from nova_lite.model.networks import Wish
from nova_lite.model.security_groups import MOST_GROUPS, MOST_RULES, Rule, checked
from tests.fixtures.database import database, shared_database, sqlite_path
from tests.fixtures.network_rows import make_network
from tests.fixtures.parallel import in_parallel

__all__ = ('database', 'shared_database', 'sqlite_path')

SERVER = types.SimpleNamespace(uuid='11111111-0000-4000-8000-000000000001', project_id='p1', availability_zone='nova')
SSH = {'direction': 'ingress', 'protocol': 'tcp', 'port_range_min': 22, 'port_range_max': 22}


def who(project='p1', *roles):
    return RequestContext(user_id='u', project_id=project, roles=['member', *roles], overwrite=False)


@pytest.fixture
def store(database):
    return GroupStore(database)


@pytest.fixture
def groups(database):
    return EmbeddedNetworks(database).groups


def test_each_project_has_one_default_group_however_many_ask_first(store):
    found = in_parallel(16, lambda _: store.default('p1'))
    assert len(set(found)) == 1
    (group,) = store.groups('p1')
    assert (group.group.name, group.group.project_id) == ('default', 'p1')
    assert sorted((rule.direction, rule.ethertype, rule.remote_group_id) for rule in group.rules) == [
        ('egress', 'IPv4', None), ('egress', 'IPv6', None),
        ('ingress', 'IPv4', found[0]), ('ingress', 'IPv6', found[0])]
    assert store.default('p2') != found[0]


def test_nobody_gets_more_groups_than_the_limit(store):
    made = in_parallel(MOST_GROUPS + 6, lambda number: store.create('p1', f'g{number}'))
    refused = [one for one in made if isinstance(one, errors.OverQuota)]
    # The default group is one of them.
    assert len(refused) == 7
    assert len(store.groups('p1')) == MOST_GROUPS
    assert store.create('p2', 'mine').group.name == 'mine'


def test_nobody_gets_more_rules_than_the_limit(store):
    group = store.create('p1', 'web').group.id
    made = in_parallel(MOST_RULES, lambda number: store.add_rule(
        'p1', group, checked({**SSH, 'port_range_min': number + 1, 'port_range_max': number + 1})))
    # Four rules of the default group, two of this one.
    assert len([one for one in made if isinstance(one, errors.OverQuota)]) == 6
    assert len(store.rules('p1')) == MOST_RULES


def test_a_rule_is_there_once(store):
    group = store.create('p1', 'web').group.id
    made = in_parallel(8, lambda _: store.add_rule('p1', group, checked(SSH)))
    assert len([one for one in made if isinstance(one, errors.SecurityGroupRuleExists)]) == 7
    with pytest.raises(errors.SecurityGroupRuleExists):
        store.add_rule('p1', group, checked({**SSH, 'protocol': '6', 'remote_ip_prefix': '0.0.0.0/0'}))
    store.add_rule('p1', group, checked({**SSH, 'remote_ip_prefix': '10.0.0.0/8'}))


def test_names_may_be_the_same_but_for_the_default_one(store, groups):
    first, second = store.create('p1', 'web').group.id, store.create('p1', 'web').group.id
    with pytest.raises(errors.SecurityGroupAmbiguous):
        groups.named(who(), 'web')
    assert groups.named(who(), second).id == second
    with pytest.raises(errors.SecurityGroupDefaultAlreadyExists):
        store.create('p1', 'default')
    with pytest.raises(errors.SecurityGroupDefaultAlreadyExists):
        store.update('p1', first, {'name': 'default'})
    with pytest.raises(errors.SecurityGroupCannotUpdateDefault):
        store.update('p1', store.default('p1'), {'name': 'mine'})
    with pytest.raises(errors.SecurityGroupCannotRemoveDefault):
        store.delete('p1', store.default('p1'))


def test_projects_do_not_see_each_other(store, groups):
    mine = groups.create(who('p1'), 'web', '').id
    for wrong in (lambda: groups.get(who('p2'), mine), lambda: groups.named(who('p2'), 'web'),
                  lambda: groups.delete(who('p2'), mine), lambda: groups.add_rule(who('p2'), mine, Rule('ingress'))):
        with pytest.raises(errors.SecurityGroupNotFound):
            wrong()
    assert groups.get(who('p2', 'admin'), mine).project_id == 'p1'
    assert [group.name for group in groups.all(who('p2'))] == ['default']
    assert {group.name for group in groups.all(who('p2', 'admin'), all_projects=True)} == {'default', 'web'}


def test_a_group_that_lets_a_deleted_one_through_loses_the_rule(store):
    web, database_ = store.create('p1', 'web').group.id, store.create('p1', 'db').group.id
    rule = store.add_rule('p1', database_, Rule('ingress', protocol='tcp', remote_group_id=web))
    store.delete('p1', web)
    with pytest.raises(errors.SecurityGroupRuleNotFound):
        store.rule('p1', rule.id)


def test_the_ports_of_a_server_have_the_groups(database, groups):
    networks = EmbeddedNetworks(database)
    network = make_network(database)
    web = groups.create(who(), 'web', '')
    (port,) = networks.plug(who(), SERVER, 'h1', [Wish('000', network_id=network)])
    assert port.group_names == ('default',)
    (port,) = networks.plug(who(), SERVER, 'h1', [Wish('001', network_id=network)], [web.id])
    assert [group.name for group in groups.of_server(who(), SERVER.uuid)] == ['default', 'web']
    groups.add(who(), SERVER.uuid, web.id)
    groups.add(who(), SERVER.uuid, web.id)
    assert [port.group_names for port in networks.ports(who(), SERVER.uuid)] == [('default', 'web'), ('web',)]
    with pytest.raises(errors.SecurityGroupInUse):
        groups.delete(who(), web.id)
    groups.remove(who(), SERVER.uuid, web.id)
    with pytest.raises(errors.NotFound):
        groups.remove(who(), SERVER.uuid, web.id)
    groups.delete(who(), web.id)
    assert [port.group_names for port in networks.ports(who(), SERVER.uuid)] == [('default',), ()]
    with pytest.raises(errors.SecurityGroupNotFound):
        networks.plug(who(), SERVER, 'h1', [Wish('002', network_id=network)], [web.id])


def test_a_group_is_not_deleted_while_ports_get_it(database, groups):
    networks, network = EmbeddedNetworks(database), make_network(database)
    for _ in range(3):
        web = groups.create(who(), 'web', '')

        def race(number, group_id=web.id):
            if number == 3:
                return groups.delete(who(), group_id)
            server = types.SimpleNamespace(**{**vars(SERVER), 'uuid': f'{group_id[:-1]}{number}'})
            return networks.plug(who(), server, 'h1', [Wish('000', network_id=network)], [group_id])

        in_parallel(6, race, threads=6)
        with database.read() as conn:
            ports = security_groups.ports_of(conn, web.id)
            known = security_groups.names(conn, [web.id])
        assert bool(known) or not ports
        for port in ports:
            networks.release(who(), port.device_id)
        if known:
            groups.delete(who(), web.id)
