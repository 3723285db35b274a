# SPDX-License-Identifier: Apache-2.0
"""Every operation on a server as the kill matrix plays it: what it begins with, what is asked, where it has to end."""

import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import requests

from tests.chaos.clouds import Cloud
from tests.fixtures import processes
from tests.fixtures.user import FLAVOR

#: A server that is being prepared has this long.
PATIENCE = 60.0
NUMBERS = itertools.count(1)
GONE = 'gone'
#: How the names begin of servers whose id is not known yet.
BUILT = 'built-'

Server = str
Ask = Callable[[Cloud, Server], Any]


@dataclass(frozen=True)
class Story:
    """``prepare`` makes what ``ask`` is asked of; ``goal`` is the status at the end.

    ``fails``: the step on a host that fails the first time; where it was killed before it could say so, it is done
    again and the end may be ``else_goal``.  ``apart``: its own host counts as down, so what is there may stay until
    the host is back.  ``reached``: what else the server has to be or to have, unless the operation is to fail.
    """

    name: str
    prepare: Callable[[Cloud], Server]
    ask: Ask
    goal: str
    fails: str = ''
    else_goal: str = ''
    apart: bool = False
    reached: Callable[[Cloud, Server], bool] = lambda cloud, server: True

    @property
    def ends(self) -> tuple[str, ...]:
        """Every status that is a good end."""
        return (self.goal, self.else_goal) if self.else_goal else (self.goal,)


def status(cloud: Cloud, server: Server) -> tuple[str, Any, Any]:
    """Its status, what is being done to it, and why it failed."""
    answer = cloud.user.ask('GET', f'/servers/{server}')
    if answer.status_code == 404:
        return GONE, None, None
    assert answer.ok, answer.text
    seen = answer.json()['server']
    return seen['status'], seen['OS-EXT-STS:task_state'], seen.get('fault')


def settle(cloud: Cloud, server: Server, wanted: str) -> None:
    """Wait for a status with nothing going on."""
    processes.wait_until(lambda: status(cloud, server)[:2] == (wanted, None), PATIENCE, f'{wanted} of {server}')


def act(cloud: Cloud, server: Server, body: Any) -> Any:
    """Ask for an action; the answer."""
    answer = cloud.user.ask('POST', f'/servers/{server}/action', body)
    if not answer.ok:
        raise RuntimeError(f'{body}: {answer.status_code} {answer.text}')
    return answer


def asking(body: Any) -> Ask:
    """Ask for an action."""
    return lambda cloud, server: act(cloud, server, body)


def boot(cloud: Cloud) -> Server:
    """A server that runs."""
    server = cloud.user.create(f'matrix-{next(NUMBERS)}')
    settle(cloud, server, 'ACTIVE')
    return server


def then(prepare: Callable[[Cloud], Server], body: Any, wanted: str) -> Callable[[Cloud], Server]:
    """A server to which something more was done."""
    @functools.wraps(prepare)
    def prepared(cloud: Cloud) -> Server:
        server = prepare(cloud)
        act(cloud, server, body)
        settle(cloud, server, wanted)
        return server

    return prepared


def named(cloud: Cloud) -> Server:
    """Only a name, by which the server is found that is asked for."""
    return f'{BUILT}{next(NUMBERS)}'


def build(cloud: Cloud, name: Server) -> Any:
    """Ask for a server."""
    return cloud.user.create(name)


def find(cloud: Cloud, name: Server) -> Server | None:
    """The one server of a name, which may have been made though nobody was told its id."""
    found = cloud.user.get(f'/servers?name=^{name}$')['servers']
    assert len(found) <= 1, found
    return found[0]['id'] if found else None


def delete(cloud: Cloud, server: Server) -> Any:
    """Delete, so that it can be restored."""
    answer = cloud.user.ask('DELETE', f'/servers/{server}')
    if not answer.ok:
        raise RuntimeError(f'DELETE: {answer.status_code} {answer.text}')
    return answer


def put_aside(cloud: Cloud) -> Server:
    """A server that was deleted and can be restored."""
    server = boot(cloud)
    delete(cloud, server)
    settle(cloud, server, 'SOFT_DELETED')
    return server


def rebuild(cloud: Cloud, server: Server) -> Any:
    """Make the disk anew."""
    return act(cloud, server, {'rebuild': {'imageRef': cloud.user.image}})


def on_a_dead_host(cloud: Cloud) -> Server:
    """A server whose host is said to be down."""
    server = boot(cloud)
    force_down(cloud, cloud.user.show(server)['OS-EXT-SRV-ATTR:host'], True)
    return server


def force_down(cloud: Cloud, host: str, down: bool) -> None:
    """Say whether a host is down, whatever it reports itself."""
    for service in cloud.user.get(f'/os-services?binary=nova-compute&host={host}')['services']:
        answer = cloud.user.ask('PUT', f'/os-services/{service["id"]}', {'forced_down': down})
        assert answer.ok, answer.text


def raise_all(cloud: Cloud) -> None:
    """No host is said to be down."""
    for service in cloud.user.get('/os-services?binary=nova-compute')['services']:
        if service['forced_down']:
            force_down(cloud, service['host'], False)


# ------------------------------------------------------------ volumes and interfaces

#: The last version that makes volumes for the volume service.
PROXY = '2.1'


def new_volume(cloud: Cloud) -> str:
    """The id of a volume that nobody has; none of those that were there before is left free."""
    clear_volumes(cloud)
    answer = cloud.user.ask('POST', '/os-volumes', {'volume': {'size': 1}}, PROXY)
    assert answer.ok, answer.text
    volume = str(answer.json()['volume']['id'])
    processes.wait_until(lambda: volume in free_volumes(cloud), PATIENCE, f'volume {volume}')
    return volume


def free_volumes(cloud: Cloud) -> list[str]:
    """Those that no server has, the newest first."""
    found = cloud.user.get('/os-volumes/detail', version=PROXY)['volumes']
    return [one['id'] for one in sorted(found, key=lambda one: one['createdAt'], reverse=True)
            if one['status'] == 'available']


def clear_volumes(cloud: Cloud) -> None:
    """Delete what no server has any more."""
    for volume in free_volumes(cloud):
        cloud.user.ask('DELETE', f'/os-volumes/{volume}', version=PROXY)


def volumes_of(cloud: Cloud, server: Server) -> list[str]:
    """The volumes of a server."""
    return [one['volumeId'] for one in cloud.user.get(f'/servers/{server}/os-volume_attachments')['volumeAttachments']]


def with_free_volume(cloud: Cloud) -> Server:
    """A server, and a volume beside it."""
    new_volume(cloud)
    return boot(cloud)


def with_volume(cloud: Cloud) -> Server:
    """A server that has a volume."""
    server = with_free_volume(cloud)
    attach_volume(cloud, server)
    processes.wait_until(lambda: _is_attached(cloud, server), PATIENCE, 'a volume')
    return server


def _is_attached(cloud: Cloud, server: Server) -> bool:
    (volume,) = volumes_of(cloud, server) or ('',)
    if not volume:
        return False
    found = cloud.user.get(f'/os-volumes/{volume}', version=PROXY)['volume']
    return bool(found['status'] == 'in-use' and not is_busy(cloud, server))


def is_busy(cloud: Cloud, server: Server) -> bool:
    """Whether something is being done to a server."""
    return bool(cloud.rows(
        "SELECT id FROM operations WHERE server_uuid = :a AND state IN ('pending', 'running')", server))


def attach_volume(cloud: Cloud, server: Server) -> Any:
    """Give the server the volume that is free."""
    return _ask(cloud, 'POST', f'/servers/{server}/os-volume_attachments',
                {'volumeAttachment': {'volumeId': free_volumes(cloud)[0]}})


def detach_volume(cloud: Cloud, server: Server) -> Any:
    """Take its volume away."""
    return _ask(cloud, 'DELETE', f'/servers/{server}/os-volume_attachments/{volumes_of(cloud, server)[0]}')


def with_two_volumes(cloud: Cloud) -> Server:
    """A server that has a volume, and another volume beside it."""
    server = with_volume(cloud)
    new_volume(cloud)
    return server


def swap_volume(cloud: Cloud, server: Server) -> Any:
    """Put the free volume in the place of its own."""
    return _ask(cloud, 'PUT', f'/servers/{server}/os-volume_attachments/{volumes_of(cloud, server)[0]}',
                {'volumeAttachment': {'volumeId': free_volumes(cloud)[0]}})


def has_volume(cloud: Cloud, server: Server) -> bool:
    """It has one volume, and that is the last one that was made."""
    found = cloud.user.get('/os-volumes/detail', version=PROXY)['volumes']
    newest = max(found, key=lambda one: one['createdAt'])['id']
    return volumes_of(cloud, server) == [newest]


def has_no_volume(cloud: Cloud, server: Server) -> bool:
    """It has none."""
    return not volumes_of(cloud, server)


#: What a server boots from that has no disk of its own host.
ROOT = {'boot_index': 0, 'source_type': 'image', 'destination_type': 'volume', 'volume_size': 1,
        'delete_on_termination': True}


def boot_from_volume(cloud: Cloud) -> Server:
    """A server whose root disk is a volume."""
    server = build_on_volume(cloud, f'matrix-{next(NUMBERS)}')
    settle(cloud, server, 'ACTIVE')
    return server


def build_on_volume(cloud: Cloud, name: Server) -> Server:
    """Ask for a server whose root disk is a volume."""
    answer = cloud.user.ask('POST', '/servers', {'server': {
        'name': name, 'flavorRef': FLAVOR, 'networks': 'auto',
        'block_device_mapping_v2': [{**ROOT, 'uuid': cloud.user.image}]}})
    assert answer.status_code == 202, f'{answer.status_code} {answer.text}'
    return str(answer.json()['server']['id'])


def has_supplies(cloud: Cloud, server: Server) -> bool:
    """It has its volume and its interface."""
    return len(volumes_of(cloud, server)) == 1 and len(interfaces_of(cloud, server)) == 1


def interfaces_of(cloud: Cloud, server: Server) -> list[str]:
    """The ports of a server."""
    return [one['port_id'] for one in cloud.user.get(f'/servers/{server}/os-interface')['interfaceAttachments']]


def attach_interface(cloud: Cloud, server: Server) -> Any:
    """Give the server an interface."""
    base = cloud.user.url.removesuffix('/v2.1')
    private = cloud.user.get(f'{base}/network/v2.0/networks?name=private')['networks'][0]['id']
    return _ask(cloud, 'POST', f'/servers/{server}/os-interface', {'interfaceAttachment': {'net_id': private}})


def with_interface(cloud: Cloud) -> Server:
    """A server that has an interface."""
    server = boot(cloud)
    attach_interface(cloud, server)
    processes.wait_until(lambda: has_interface(cloud, server) and not is_busy(cloud, server), PATIENCE, 'an interface')
    return server


def detach_interface(cloud: Cloud, server: Server) -> Any:
    """Take its interface away."""
    return _ask(cloud, 'DELETE', f'/servers/{server}/os-interface/{interfaces_of(cloud, server)[0]}')


def has_interface(cloud: Cloud, server: Server) -> bool:
    """It has one."""
    return len(interfaces_of(cloud, server)) == 1


def has_no_interface(cloud: Cloud, server: Server) -> bool:
    """It has none."""
    return not interfaces_of(cloud, server)


def _ask(cloud: Cloud, method: str, path: str, body: Any = None) -> Any:
    answer = cloud.user.ask(method, path, body)
    if not answer.ok:
        raise RuntimeError(f'{method} {path}: {answer.status_code} {answer.text}')
    return answer


def remove(cloud: Cloud, server: Server) -> None:
    """Leave nothing of a server."""
    if status(cloud, server)[0] != GONE:
        answer = cloud.user.ask('POST', f'/servers/{server}/action', {'forceDelete': None})
        assert answer.status_code in (202, 404), answer.text
        processes.wait_until(lambda: status(cloud, server)[0] == GONE, PATIENCE, f'the end of {server}')


#: What a client sees of a killed API.
LOST = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)

RESIZE = {'resize': {'flavorRef': 'big'}}
LIVE = {'os-migrateLive': {'host': None, 'block_migration': 'auto'}}
SNAPSHOT = {'createImage': {'name': 'snapshot'}}
BACKUP = {'createBackup': {'name': 'backup', 'backup_type': 'daily', 'rotation': 1}}
RESCUE = {'rescue': None}
EVACUATE = {'evacuate': {}}

resized = then(boot, RESIZE, 'VERIFY_RESIZE')
stopped = then(boot, {'os-stop': None}, 'SHUTOFF')
shelved = then(boot, {'shelve': None}, 'SHELVED')
offloaded = then(shelved, {'shelveOffload': None}, 'SHELVED_OFFLOADED')

STORIES = (
    Story('build', named, build, 'ACTIVE'),
    Story('build, first host fails', named, build, 'ACTIVE', fails='spawn'),
    Story('delete', boot, asking({'forceDelete': None}), GONE),
    Story('rebuild', boot, rebuild, 'ACTIVE'),
    Story('resize', boot, asking(RESIZE), 'VERIFY_RESIZE'),
    Story('resize, arrival fails', boot, asking(RESIZE), 'ACTIVE', fails='arrive', else_goal='VERIFY_RESIZE'),
    Story('confirm a resize', resized, asking({'confirmResize': None}), 'ACTIVE'),
    Story('revert a resize', resized, asking({'revertResize': None}), 'ACTIVE'),
    Story('cold migrate', boot, asking({'migrate': None}), 'VERIFY_RESIZE'),
    Story('live migrate', boot, asking(LIVE), 'ACTIVE'),
    Story('live migrate, arrival fails', boot, asking(LIVE), 'ACTIVE', fails='arrive'),
    Story('evacuate', on_a_dead_host, asking(EVACUATE), 'SHUTOFF', apart=True),
    Story('shelve', boot, asking({'shelve': None}), 'SHELVED'),
    Story('shelve offload', shelved, asking({'shelveOffload': None}), 'SHELVED_OFFLOADED'),
    Story('unshelve', offloaded, asking({'unshelve': None}), 'ACTIVE'),
    Story('unshelve on its host', shelved, asking({'unshelve': None}), 'ACTIVE'),
    Story('snapshot', boot, asking(SNAPSHOT), 'ACTIVE'),
    Story('backup', boot, asking(BACKUP), 'ACTIVE'),
    Story('rescue', boot, asking(RESCUE), 'RESCUE'),
    Story('unrescue', then(boot, RESCUE, 'RESCUE'), asking({'unrescue': None}), 'ACTIVE'),
    Story('soft delete', boot, delete, 'SOFT_DELETED'),
    Story('restore', put_aside, asking({'restore': None}), 'ACTIVE'),
    Story('stop', boot, asking({'os-stop': None}), 'SHUTOFF'),
    Story('start', stopped, asking({'os-start': None}), 'ACTIVE'),
    Story('reboot', boot, asking({'reboot': {'type': 'HARD'}}), 'ACTIVE'),
    Story('pause', boot, asking({'pause': None}), 'PAUSED'),
    Story('unpause', then(boot, {'pause': None}, 'PAUSED'), asking({'unpause': None}), 'ACTIVE'),
    Story('suspend', boot, asking({'suspend': None}), 'SUSPENDED'),
    Story('resume', then(boot, {'suspend': None}, 'SUSPENDED'), asking({'resume': None}), 'ACTIVE'),
    Story('change the password', boot, asking({'changePassword': {'adminPass': 'another'}}), 'ACTIVE'),
    Story('build on a volume and a network', named, build_on_volume, 'ACTIVE', reached=has_supplies),
    Story('build on a volume, first host fails', named, build_on_volume, 'ACTIVE', fails='spawn', reached=has_supplies),
    Story('delete with volume and interface', boot_from_volume, asking({'forceDelete': None}), GONE),
    Story('cold migrate with volume and interface', boot_from_volume, asking({'migrate': None}), 'VERIFY_RESIZE',
          reached=has_supplies),
    Story('live migrate with volume and interface', boot_from_volume, asking(LIVE), 'ACTIVE', reached=has_supplies),
    Story('snapshot of a volume', boot_from_volume, asking(SNAPSHOT), 'ACTIVE'),
    Story('attach a volume', with_free_volume, attach_volume, 'ACTIVE', reached=has_volume),
    Story('attach a volume, the host fails', with_free_volume, attach_volume, 'ACTIVE', fails='attach'),
    Story('detach a volume', with_volume, detach_volume, 'ACTIVE', reached=has_no_volume),
    Story('detach a volume, the host fails', with_volume, detach_volume, 'ACTIVE', fails='detach'),
    Story('swap a volume', with_two_volumes, swap_volume, 'ACTIVE', reached=has_volume),
    Story('swap a volume, the host fails', with_two_volumes, swap_volume, 'ACTIVE', fails='swap'),
    Story('attach an interface', boot, attach_interface, 'ACTIVE', reached=has_interface),
    Story('attach an interface, the host fails', boot, attach_interface, 'ACTIVE', fails='attach_port'),
    Story('detach an interface', with_interface, detach_interface, 'ACTIVE', reached=has_no_interface),
    Story('detach an interface, the host fails', with_interface, detach_interface, 'ACTIVE', fails='detach_port'),
)
