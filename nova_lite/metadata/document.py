# SPDX-License-Identifier: Apache-2.0
"""What a server is told about itself, as the two trees that guests know: OpenStack's and EC2's.

Nothing is read here.  Whoever has the facts of a server, the metadata API or a host that makes a
config drive, finds every file by its path.
"""

import base64
import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

LATEST = 'latest'
OPENSTACK = 'openstack'
CONTENT = 'content'
OPENSTACK_VERSIONS = ('2012-08-10', '2013-04-04', '2013-10-17', '2015-10-15', '2016-06-30', '2016-10-06',
                      '2017-02-22', '2018-08-27', '2020-10-14')
EC2_VERSIONS = ('1.0', '2007-01-19', '2007-03-01', '2007-08-29', '2007-10-10', '2007-12-15', '2008-02-01',
                '2008-09-01', '2009-04-04')
SEED_BYTES = 512

TEXT = 'text/plain; charset=UTF-8'
JSON = 'application/json'
BYTES = 'application/octet-stream'

Seed = Callable[[int], bytes]


@dataclass(frozen=True)
class Key:
    """The key pair that a server was made with."""

    name: str
    data: str
    kind: str = 'ssh'


@dataclass(frozen=True)
class Address:
    """An address of a port. Without the length of its prefix the guest has to ask DHCP."""

    address: str
    prefix: int | None = None
    gateway: str | None = None
    floating: bool = False

    @property
    def version(self) -> int:
        """4 or 6."""
        return ipaddress.ip_address(self.address).version


@dataclass(frozen=True)
class Port:
    """A network interface; ``tag`` is what its owner calls it."""

    mac: str
    network: str
    addresses: tuple[Address, ...] = ()
    mtu: int | None = None
    id: str | None = None
    tag: str | None = None


@dataclass(frozen=True)
class Disk:
    """A disk that its owner calls ``tag``; the guest finds it by its serial number, which is the volume's id."""

    tag: str
    bus: str
    path: str | None = None
    serial: str | None = None


@dataclass(frozen=True)
class File:
    """A file that the request for the server brought along, for this path inside of it."""

    path: str
    data: bytes


@dataclass(frozen=True)
class Facts:
    """All that the files are made of. ``number`` is the row number of the server."""

    uuid: str
    number: int
    name: str
    hostname: str
    project_id: str
    flavor: str
    availability_zone: str = ''
    launch_index: int = 0
    reservation_id: str = ''
    image: str | None = None
    kernel: str | None = None
    ramdisk: str | None = None
    root_device: str | None = None
    key: Key | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    user_data: bytes | None = None
    ports: tuple[Port, ...] = ()
    disks: tuple[Disk, ...] = ()
    name_servers: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    vendor_data: Mapping[str, Any] = field(default_factory=dict)
    admin_password: str | None = None
    files: tuple[File, ...] = ()

    def addresses(self, version: int, floating: bool = False) -> list[str]:
        """The addresses of one IP version, those of the first port first."""
        return [one.address for port in self.ports for one in port.addresses
                if one.version == version and one.floating == floating]


@dataclass(frozen=True)
class Content:
    """What stands at a path."""

    data: bytes
    kind: str = TEXT


class Directory(dict[str, 'Directory | Content']):
    """Entries by name; ``label`` is what a listing shows instead of the name and a slash."""

    label = ''

    def listing(self) -> Content:
        """The names, one a line, in order; a slash follows those that are directories."""
        return Content('\n'.join(_shown(name, entry) for name, entry in sorted(self.items())).encode())


def _shown(name: str, entry: Directory | Content) -> str:
    if isinstance(entry, Directory):
        return entry.label or f'{name}/'
    return name


def versions() -> Content:
    """What stands at the root, whoever asks: the versions of the EC2 tree."""
    return _lines((*EC2_VERSIONS, LATEST))


def find(facts: Facts, path: str, seed: Seed) -> Content | None:
    """The file at a path, or the listing of a directory; None if nothing is there.

    ``seed(n)`` gives ``n`` random bytes.
    """
    parts = [part for part in path.split('/') if part]
    if not parts:
        return versions()
    if parts == [OPENSTACK]:
        return _lines((*OPENSTACK_VERSIONS, LATEST))
    if parts[:2] == [OPENSTACK, CONTENT]:
        return _walk(contents(facts), parts[2:]) if facts.files else None
    if parts[0] == OPENSTACK:
        return _walk(openstack(facts, parts[1], seed), parts[2:])
    return _walk(ec2(facts, parts[0]), parts[1:])


def whole(facts: Facts, seed: Seed) -> Directory:
    """Everything as it lies on a drive. The EC2 tree is one JSON file there instead of a file for each value."""
    here = Directory((version, openstack(facts, version, seed) or Directory())
                     for version in (*OPENSTACK_VERSIONS, LATEST))
    if facts.files:
        here[CONTENT] = contents(facts)
    return Directory({OPENSTACK: here, 'ec2': Directory((version, _ec2_on_drive(facts, version))
                                                        for version in (EC2_VERSIONS[-1], LATEST))})


def _ec2_on_drive(facts: Facts, version: str) -> Directory:
    files = ec2(facts, version) or Directory()
    files['meta-data.json'] = _json(_plain(files.pop('meta-data')))
    return files


def _plain(entry: 'Directory | Content') -> Any:
    """A directory as a JSON object; ``_name`` is what a listing would call it."""
    if isinstance(entry, Content):
        return entry.data.decode()
    found = {name: _plain(below) for name, below in entry.items()}
    return {**found, '_name': entry.label} if entry.label else found


def contents(facts: Facts) -> Directory:
    """The files that came with the request, under the names by which ``meta_data.json`` calls them."""
    return Directory({f'{number:04}': Content(file.data, BYTES) for number, file in enumerate(facts.files)})


def _walk(tree: Directory | None, parts: Sequence[str]) -> Content | None:
    entry: Directory | Content | None = tree
    for part in parts:
        entry = entry.get(part) if isinstance(entry, Directory) else None
    return entry.listing() if isinstance(entry, Directory) else entry


def _lines(lines: Iterable[str]) -> Content:
    return Content('\n'.join(lines).encode())


def _number(version: str, known: Sequence[str]) -> str | None:
    """The date that a version stands for, None for one that there is not."""
    if version == LATEST:
        return known[-1]
    return version if version in known else None


# ---------------------------------------------------------------- OpenStack

def openstack(facts: Facts, version: str, seed: Seed) -> Directory | None:
    """The files of one version, None for one that there is not."""
    date = _number(version, OPENSTACK_VERSIONS)
    if date is None:
        return None
    files = Directory({'meta_data.json': _json(meta_data(facts, date, seed))})
    if facts.user_data is not None:
        files['user_data'] = Content(facts.user_data, BYTES)
    if date >= '2013-10-17':
        files['vendor_data.json'] = _json(facts.vendor_data)
    if date >= '2015-10-15':
        files['network_data.json'] = _json(network_data(facts))
    if date >= '2016-10-06':
        files['vendor_data2.json'] = _json({'static': facts.vendor_data})
    return files


def _json(value: Any) -> Content:
    return Content(orjson.dumps(value), JSON)


def meta_data(facts: Facts, date: str, seed: Seed) -> dict[str, Any]:
    """``meta_data.json`` of one version."""
    data: dict[str, Any] = {
        'uuid': facts.uuid, 'name': facts.name, 'hostname': facts.hostname, 'launch_index': facts.launch_index,
        'availability_zone': facts.availability_zone}
    if facts.metadata:
        data['meta'] = dict(facts.metadata)
    if facts.key is not None:
        data['public_keys'] = {facts.key.name: facts.key.data}
        data['keys'] = [{'name': facts.key.name, 'type': facts.key.kind, 'data': facts.key.data}]
    if facts.admin_password is not None:
        data['admin_pass'] = facts.admin_password
    if facts.files:
        data['files'] = [{'path': file.path, 'content_path': f'/{CONTENT}/{number:04}'}
                         for number, file in enumerate(facts.files)]
    if date >= '2013-04-04':
        data['random_seed'] = base64.b64encode(seed(SEED_BYTES)).decode()
    if date >= '2015-10-15':
        data['project_id'] = facts.project_id
    if date >= '2016-06-30':
        data['devices'] = [*({'type': 'nic', 'bus': 'none', 'mac': port.mac, 'tags': [port.tag]}
                             for port in facts.ports if port.tag), *map(_disk, facts.disks)]
    if date >= '2020-10-14':
        data['dedicated_cpus'] = []
    return data


def _disk(disk: Disk) -> dict[str, Any]:
    known = {'path': disk.path, 'serial': disk.serial}
    return {'type': 'disk', 'bus': disk.bus, 'tags': [disk.tag],
            **{name: value for name, value in known.items() if value}}


def network_data(facts: Facts) -> dict[str, list[dict[str, Any]]]:
    """``network_data.json``: a link for each port, a network for each address on it."""
    links: list[dict[str, Any]] = []
    networks: list[dict[str, Any]] = []
    for number, port in enumerate(facts.ports):
        link = f'tap{port.id[:11]}' if port.id else f'link{number}'
        known = {'vif_id': port.id} if port.id else {}
        links.append({'id': link, 'type': 'phy', 'ethernet_mac_address': port.mac, 'mtu': port.mtu, **known})
        networks += [{'id': f'network{len(networks) + index}', 'link': link, 'network_id': port.network,
                      **_network(one)} for index, one in enumerate(a for a in port.addresses if not a.floating)]
    services = [{'type': 'dns', 'address': address} for address in facts.name_servers]
    return {'links': links, 'networks': networks, 'services': services}


def _network(one: Address) -> dict[str, Any]:
    if one.prefix is None:
        return {'type': f'ipv{one.version}_dhcp'}
    interface = ipaddress.ip_interface(f'{one.address}/{one.prefix}')
    anywhere = '0.0.0.0' if one.version == 4 else '::'
    routes = [{'network': anywhere, 'netmask': anywhere, 'gateway': one.gateway}] if one.gateway else []
    return {'type': f'ipv{one.version}', 'ip_address': one.address, 'netmask': str(interface.netmask),
            'routes': routes}


# ---------------------------------------------------------------------- EC2

def ec2(facts: Facts, version: str) -> Directory | None:
    """``meta-data`` and ``user-data`` of one version, None for one that there is not."""
    date = _number(version, EC2_VERSIONS)
    if date is None:
        return None
    tree = Directory({'meta-data': _ec2_meta_data(facts, date)})
    if facts.user_data is not None:
        tree['user-data'] = Content(facts.user_data, BYTES)
    return tree


def _ec2_meta_data(facts: Facts, date: str) -> Directory:
    files = Directory()
    for since, name, value in _ec2_values(facts):
        # "1.0" sorts before every date.
        if date >= since and value is not None:
            files[name] = Content(str(value).encode())
    if facts.key is not None:
        first = Directory({'openssh-key': Content(facts.key.data.encode())})
        first.label = f'0={facts.key.name}'
        files['public-keys'] = Directory({'0': first})
    if date >= '2007-12-15':
        files['block-device-mapping'] = _block_devices(facts.root_device)
    if date >= '2008-02-01':
        files['placement'] = Directory({'availability-zone': Content(facts.availability_zone.encode())})
    return files


def _ec2_values(facts: Facts) -> tuple[tuple[str, str, str | int | None], ...]:
    """(first version, name, value) of the plain files; one without a value is not there."""
    def first(addresses: Sequence[str]) -> str:
        return addresses[0] if addresses else ''

    return (
        ('1.0', 'ami-id', _ec2_id('ami', facts.image or '')),
        ('1.0', 'ami-launch-index', facts.launch_index),
        # EC2 has it of images in S3; guests only want it to be there.
        ('1.0', 'ami-manifest-path', 'unknown'),
        ('1.0', 'hostname', facts.hostname),
        ('1.0', 'instance-id', f'i-{facts.number:08x}'),
        ('1.0', 'local-ipv4', first(facts.addresses(4))),
        ('1.0', 'reservation-id', facts.reservation_id),
        ('1.0', 'security-groups', '\n'.join(facts.security_groups)),
        ('2007-01-19', 'local-hostname', facts.hostname),
        ('2007-01-19', 'public-hostname', facts.hostname),
        ('2007-01-19', 'public-ipv4', first(facts.addresses(4, floating=True))),
        ('2007-08-29', 'instance-type', facts.flavor),
        ('2007-10-10', 'ramdisk-id', _ec2_id('ari', facts.ramdisk) if facts.ramdisk else None),
        ('2008-02-01', 'kernel-id', _ec2_id('aki', facts.kernel) if facts.kernel else None),
        ('2008-09-01', 'instance-action', 'none'),
    )


def _ec2_id(kind: str, image: str) -> str:
    """EC2's form of an image's id: there is room for the first eight digits only."""
    return f'{kind}-{image.replace("-", "")[:8]:0<8}'


def _block_devices(root: str | None) -> Directory:
    if not root:
        return Directory()
    return Directory({'ami': Content(root.removeprefix('/dev/').encode()), 'root': Content(root.encode())})
