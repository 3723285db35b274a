# SPDX-License-Identifier: Apache-2.0
"""Who is told what by the metadata API, on each database."""

import base64
import hashlib
import hmac
import json
from types import SimpleNamespace
from typing import Any

import pytest

from nova_lite import conf as options
from nova_lite import errors
from nova_lite.db.queries import servers
from nova_lite.metadata import app as metadata
from nova_lite.metadata import document
from nova_lite.wsgi import provided
from tests.fixtures import rows
from tests.fixtures.database import database, shared_database, sqlite_path

__all__ = ('database', 'shared_database', 'sqlite_path')

SECRET = 'the agent knows it'
HOSTNAME = '/latest/meta-data/hostname'
INSTANCE, TENANT, SIGNATURE = 'HTTP_X_INSTANCE_ID', 'HTTP_X_TENANT_ID', 'HTTP_X_INSTANCE_ID_SIGNATURE'


class Api:
    """The application with a configuration of its own."""

    def __init__(self, db: Any, **settings: Any) -> None:
        self.db = db
        conf = options.new()
        conf([], default_config_files=[], default_config_dirs=[])
        for name, value in settings.items():
            conf.set_override(name, value, 'neutron' if 'proxy' in name else 'api')
        provided.provide(services=SimpleNamespace(conf=conf, db=db))
        self._app = metadata.factory({})

    def ask(self, path: str, *, method: str = 'GET', address: str = '192.0.2.1',
            **headers: str) -> tuple[int, bytes, dict[str, str]]:
        seen: list[Any] = []
        environ = {'REQUEST_METHOD': method, 'PATH_INFO': path, 'REMOTE_ADDR': address, **headers}
        content = b''.join(self._app(environ, lambda status, found, error=None: seen.extend((status, dict(found)))))
        assert method == 'HEAD' or int(seen[1]['Content-Length']) == len(content)
        return int(seen[0].split()[0]), content, seen[1]

    def told(self, *args: Any, **more: Any) -> str:
        """The text of a good answer."""
        status, content, _ = self.ask(*args, **more)
        assert status == 200, content
        return content.decode()

    def status(self, *args: Any, **more: Any) -> int:
        return self.ask(*args, **more)[0]


@pytest.fixture
def proxied(database) -> Api:
    return Api(database, service_metadata_proxy=True, metadata_proxy_shared_secret=SECRET)


@pytest.fixture
def direct(database) -> Api:
    return Api(database)


def add(db: Any, name: str = 'one', **values: Any) -> str:
    """The id of a new server."""
    row = rows.server(name, **values)
    db.transaction(servers.insert, [row])
    return str(row['uuid'])


def address(addr: str, kind: str = 'fixed', mac: str = 'fa:16:3e:00:00:01') -> dict[str, Any]:
    return {'addr': addr, 'version': 6 if ':' in addr else 4, 'type': kind, 'mac': mac}


def signed(uuid: str, tenant: str = 'red', secret: str = SECRET) -> dict[str, str]:
    return {INSTANCE: uuid, TENANT: tenant,
            SIGNATURE: hmac.new(secret.encode(), uuid.encode(), hashlib.sha256).hexdigest()}


# ------------------------------------------------------------ behind the agent

def test_the_agent_says_which_server_asks(proxied):
    one, two = add(proxied.db, 'one'), add(proxied.db, 'two')
    assert proxied.told(HOSTNAME, **signed(one)) == 'one.novalocal'
    assert proxied.told(HOSTNAME, **signed(two)) == 'two.novalocal'


@pytest.mark.parametrize(('change', 'status', 'text'), [
    ({INSTANCE: None}, 400, 'X-Instance-ID'), ({TENANT: None}, 400, 'X-Tenant-ID'),
    ({INSTANCE: 'a,b'}, 400, 'more than once'), ({TENANT: 'red,blue'}, 400, 'more than once'),
    ({SIGNATURE: None}, 403, 'signature'), ({SIGNATURE: ''}, 403, 'signature'), ({SIGNATURE: 'ü'}, 403, 'signature'),
    ({SIGNATURE: '0' * 64}, 403, 'signature'), ({TENANT: 'blue'}, 404, 'No server'),
])
def test_what_the_agent_would_not_send(proxied, change, status, text):
    headers = {name: value for name, value in {**signed(add(proxied.db)), **change}.items() if value is not None}
    answer = proxied.ask(HOSTNAME, **headers)
    assert answer[0] == status and text in answer[1].decode()


def test_a_server_that_is_not_there(proxied):
    gone = add(proxied.db, deleted=True)
    assert proxied.status(HOSTNAME, **signed(gone)) == 404
    assert proxied.status(HOSTNAME, **signed('00000000-0000-4000-8000-000000000000')) == 404
    assert proxied.status(HOSTNAME, **signed("x' OR 1=1")) == 404


def test_a_signature_of_another_secret_or_server(proxied):
    one, two = add(proxied.db, 'one'), add(proxied.db, 'two')
    assert proxied.status(HOSTNAME, **signed(one, secret='guessed')) == 403
    assert proxied.status(HOSTNAME, **{**signed(one), INSTANCE: two}) == 403


def test_behind_the_agent_an_address_says_nothing(proxied):
    add(proxied.db, addresses={'net': [address('10.0.0.5')]})
    assert proxied.status(HOSTNAME, address='10.0.0.5') == 400


def test_a_secret_that_is_missing_is_refused_at_start(database):
    with pytest.raises(errors.StartError, match='needs metadata_proxy_shared_secret'):
        Api(database, service_metadata_proxy=True)


# ----------------------------------------------------------------- by address

@pytest.mark.parametrize(('kept', 'asks'), [
    ('10.0.0.5', '10.0.0.5'), ('10.0.0.5', '::ffff:10.0.0.5'), ('fd00::5', 'fd00::5'), ('fd00::5', 'fd00:0:0::0005'),
    ('fe80::5', 'fe80::5%eth0')])
def test_a_fixed_address_says_which_server_asks(direct, kept, asks):
    add(direct.db, 'other', addresses={'net': [address('10.0.0.55'), address('10.0.0.50')]})
    add(direct.db, 'mine', addresses={'net': [address('10.9.9.9'), address(kept)]})
    assert direct.told(HOSTNAME, address=asks) == 'mine.novalocal'


@pytest.mark.parametrize('asks', ['10.0.0.9', '110.0.0.5', '10.0.0.55', '192.0.2.9', '', 'nonsense'])
def test_any_other_address_is_told_nothing(direct, asks):
    add(direct.db, addresses={'net': [address('10.0.0.5'), address('192.0.2.9', 'floating')]})
    assert direct.status(HOSTNAME, address=asks) == 404


def test_an_address_of_two_servers_is_told_nothing(direct, caplog):
    for name in ('one', 'two', 'three'):
        add(direct.db, name, addresses={'net': [address('10.0.0.5')]})
    assert direct.status(HOSTNAME, address='10.0.0.5') == 404
    assert 'both have the address 10.0.0.5' in caplog.text


def test_an_address_of_a_deleted_server_is_free_again(direct):
    add(direct.db, 'old', addresses={'net': [address('10.0.0.5')]}, deleted=True)
    add(direct.db, 'new', addresses={'net': [address('10.0.0.5')]})
    assert direct.told(HOSTNAME, address='10.0.0.5') == 'new.novalocal'


def test_headers_that_nobody_signed_are_not_believed(direct):
    one = add(direct.db, 'one')
    add(direct.db, 'two', addresses={'net': [address('10.0.0.5')]})
    assert direct.told(HOSTNAME, address='10.0.0.5', HTTP_X_FORWARDED_FOR='10.0.0.6', **signed(one)) == 'two.novalocal'


# --------------------------------------------------------------- what is told

def test_the_facts_of_a_row(direct):
    flavor = {**rows.FLAVOR, 'name': 'm1.small'}
    uuid = add(direct.db, 'web', addresses={'net': [address('10.0.0.5'), address('192.0.2.9', 'floating')],
                                            'other': [address('fd00::5', mac='fa:16:3e:00:00:02')]},
               key_name='mine', public_key='ssh-ed25519 AAAA', key_type='ssh', metadata={'role': 'db'},
               user_data=base64.b64encode(b'\x00\xff').decode(), availability_zone='az', flavor=flavor,
               image_ref='70a599e0-31e7-49b7-b260-868f441e862b', root_device_name='/dev/sda', launch_index=3,
               reservation_id='r-x')
    meta = json.loads(direct.told('/openstack/latest/meta_data.json', address='10.0.0.5'))
    assert (meta['uuid'], meta['project_id'], meta['meta'], meta['launch_index']) == (uuid, 'red', {'role': 'db'}, 3)
    assert meta['keys'] == [{'name': 'mine', 'type': 'ssh', 'data': 'ssh-ed25519 AAAA'}]
    assert direct.ask('/openstack/latest/user_data', address='10.0.0.5')[1] == b'\x00\xff'
    found = {name: direct.told(f'/latest/meta-data/{name}', address='10.0.0.5') for name in (
        'ami-id', 'instance-type', 'local-ipv4', 'public-ipv4', 'placement/availability-zone', 'reservation-id',
        'block-device-mapping/root')}
    assert list(found.values()) == ['ami-70a599e0', 'm1.small', '10.0.0.5', '192.0.2.9', 'az', 'r-x', '/dev/sda']
    network = json.loads(direct.told('/openstack/latest/network_data.json', address='10.0.0.5'))
    assert [link['ethernet_mac_address'] for link in network['links']] == ['fa:16:3e:00:00:01', 'fa:16:3e:00:00:02']
    assert [one['type'] for one in network['networks']] == ['ipv4_dhcp', 'ipv6_dhcp']


def test_the_ports_of_a_row(direct):
    fixed = {'addr': '10.0.0.5', 'version': 4, 'subnet_id': 's', 'prefix': 24, 'gateway': '10.0.0.1',
             'dns': ['9.9.9.9'], 'floating': ['192.0.2.9']}
    port = {'slot': '000', 'port_id': 'a1b2c3d4-e5f6-4711-8000-000000000001', 'network_id': 'n', 'network': 'net',
            'mac': 'fa:16:3e:00:00:01', 'mtu': 1400, 'tag': 'front', 'groups': ['default', 'web'], 'addresses': [fixed]}
    wished = {'slot': '001', 'wish': {'network_id': 'n'}, 'group_ids': []}
    add(direct.db, interfaces=[port, wished], addresses={'net': [address('10.0.0.5')]})
    network = json.loads(direct.told('/openstack/latest/network_data.json', address='10.0.0.5'))
    assert network == {
        'links': [{'id': 'tapa1b2c3d4-e5', 'type': 'phy', 'ethernet_mac_address': 'fa:16:3e:00:00:01', 'mtu': 1400,
                   'vif_id': port['port_id']}],
        'networks': [{'id': 'network0', 'link': 'tapa1b2c3d4-e5', 'network_id': 'n', 'type': 'ipv4',
                      'ip_address': '10.0.0.5', 'netmask': '255.255.255.0',
                      'routes': [{'network': '0.0.0.0', 'netmask': '0.0.0.0', 'gateway': '10.0.0.1'}]}],
        'services': [{'type': 'dns', 'address': '9.9.9.9'}]}
    meta = json.loads(direct.told('/openstack/latest/meta_data.json', address='10.0.0.5'))
    assert meta['devices'] == [{'type': 'nic', 'bus': 'none', 'mac': 'fa:16:3e:00:00:01', 'tags': ['front']}]
    assert direct.told('/latest/meta-data/public-ipv4', address='10.0.0.5') == '192.0.2.9'
    assert direct.told('/latest/meta-data/security-groups', address='10.0.0.5') == 'default\nweb'


def test_seeds_are_never_the_same(direct):
    add(direct.db, addresses={'net': [address('10.0.0.5')]})
    path = '/openstack/latest/meta_data.json'
    seeds = {json.loads(direct.told(path, address='10.0.0.5'))['random_seed'] for _ in range(3)}
    assert len(seeds) == 3 and all(len(base64.b64decode(seed)) == document.SEED_BYTES for seed in seeds)


@pytest.mark.parametrize(('hostname', 'domain', 'told'), [
    ('web', 'example.org', 'web.example.org'), ('web.own.net', 'example.org', 'web.own.net'), ('web', '', 'web')])
def test_the_domain_of_a_host_name(database, hostname, domain, told):
    api = Api(database, dhcp_domain=domain)
    add(database, hostname=hostname, addresses={'net': [address('10.0.0.5')]})
    assert api.told(HOSTNAME, address='10.0.0.5') == told


def test_what_the_operator_adds(database, tmp_path):
    (tmp_path / 'vendor.json').write_text('{"ntp": "ntp.example.org"}')
    api = Api(database, vendordata_jsonfile_path=str(tmp_path / 'vendor.json'))
    add(database, addresses={'net': [address('10.0.0.5')]})
    assert json.loads(api.told('/openstack/latest/vendor_data.json', address='10.0.0.5')) == {'ntp': 'ntp.example.org'}


@pytest.mark.parametrize('content', [None, '{', '[1]'])
def test_a_vendor_file_that_is_wrong_is_refused_at_start(database, tmp_path, content):
    path = tmp_path / 'vendor.json'
    if content is not None:
        path.write_text(content)
    with pytest.raises(errors.StartError, match='vendor.json cannot be used'):
        Api(database, vendordata_jsonfile_path=str(path))


# ------------------------------------------------------------------------ HTTP

def test_the_versions_are_told_to_everybody(direct):
    status, content, headers = direct.ask('/')
    assert (status, headers['Content-Type']) == (200, 'text/plain; charset=UTF-8')
    assert content.decode().split()[-1] == 'latest'
    assert direct.status('/openstack') == 404


def test_methods(direct):
    add(direct.db, addresses={'net': [address('10.0.0.5')]})
    status, _, headers = direct.ask('/openstack/latest/password', method='POST', address='10.0.0.5')
    assert (status, headers['Allow']) == (405, 'GET, HEAD')
    status, content, headers = direct.ask(HOSTNAME, method='HEAD', address='10.0.0.5')
    assert (status, content, headers['Content-Length']) == (200, b'', str(len('one.novalocal')))
    assert direct.status('/latest/nothing', address='10.0.0.5') == 404


# ----------------------------------------------------------------------- cache

@pytest.mark.parametrize(('seconds', 'told'), [(3600, 'before'), (0, 'after')])
def test_facts_are_remembered_as_long_as_told(database, seconds, told):
    api = Api(database, metadata_cache_expiration=seconds)
    uuid = add(database, metadata={'it': 'before'}, addresses={'net': [address('10.0.0.5')]})
    api.told(HOSTNAME, address='10.0.0.5')
    database.transaction(servers.update, uuid, metadata={'it': 'after'})
    meta = json.loads(api.told('/openstack/latest/meta_data.json', address='10.0.0.5'))
    assert meta['meta'] == {'it': told}


def test_the_cache_is_bounded():
    cache = metadata.Cache()
    loads: list[int] = []
    for number in [*range(metadata.CACHED + 1), 0, metadata.CACHED]:
        cache.get(str(number), 60, lambda number=number: loads.append(number) or number)
    assert len(loads) == metadata.CACHED + 2 and loads[-1] == 0
