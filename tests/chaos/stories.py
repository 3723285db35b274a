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
    the host is back.
    """

    name: str
    prepare: Callable[[Cloud], Server]
    ask: Ask
    goal: str
    fails: str = ''
    else_goal: str = ''
    apart: bool = False

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
)
