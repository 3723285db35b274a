# SPDX-License-Identifier: Apache-2.0
"""Placement, as far as it is told of hosts and servers: everything is brought to what it should be, whatever it is.

Placement counts the changes of each provider and consumer, and refuses one that was made without knowing of another;
then what is there is read again.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from oslo_config import cfg

from nova_lite import errors
from nova_lite.clients.session import Service

#: Consumers have a type, and errors a code, by then.
VERSION = '1.38'
#: The trait of the providers that are made here.
MARK = 'CUSTOM_NOVA_LITE_MIRROR'
_CUSTOM = 'CUSTOM_'
_CONCURRENT = 'placement.concurrent_update'
_TRIES = 5

Resources = Mapping[str, int]


@dataclass(frozen=True)
class Inventory:
    """How much there is of one class of resources."""

    total: int
    reserved: int
    max_unit: int
    allocation_ratio: float

    @property
    def body(self) -> dict[str, Any]:
        """As Placement shows it."""
        return {'total': self.total, 'reserved': self.reserved, 'min_unit': 1, 'max_unit': self.max_unit,
                'step_size': 1, 'allocation_ratio': self.allocation_ratio}


@dataclass(frozen=True)
class Provider:
    """All that Placement is told of a host."""

    uuid: str
    name: str
    inventories: Mapping[str, Inventory]
    traits: frozenset[str]
    aggregates: frozenset[str]


class Refused(errors.Conflict):
    """Placement has a reason of its own not to take it."""

    message = 'Placement refuses: {reason}'


class _Changed(Exception):
    """Somebody else was there in between."""


class Placement:
    """``Unavailable`` if it does not answer; ``Refused`` with its reason."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._service = Service(conf, 'placement', 'Placement', retries=conf.placement.http_retries)

    # --------------------------------------------------------------- providers

    def put_provider(self, provider: Provider) -> None:
        """Have a provider that is exactly this."""
        traits = self._known(provider.traits) | {MARK}
        try:
            self._again(lambda: self._put_provider(provider, traits))
        except Refused:
            # Perhaps it is another Placement by now, which does not know our traits.
            self.__dict__.pop('_traits', None)
            raise

    def _put_provider(self, provider: Provider, traits: Collection[str]) -> None:
        path = f'/resource_providers/{provider.uuid}'
        current = self._ask('GET', path, missing=True)
        if current is None:
            self._make(provider)
        elif current['name'] != provider.name:
            self._ask('PUT', path, {'name': provider.name, 'parent_provider_uuid': current['parent_provider_uuid']})
        wanted = {name: one.body for name, one in provider.inventories.items()}
        found = self._ask('GET', f'{path}/inventories')
        if found['inventories'] != wanted:
            self._ask('PUT', f'{path}/inventories', {
                'inventories': wanted, 'resource_provider_generation': found['resource_provider_generation']})
        for name, names in (('traits', traits), ('aggregates', provider.aggregates)):
            found = self._ask('GET', f'{path}/{name}')
            if set(found[name]) != set(names):
                self._ask('PUT', f'{path}/{name}', {
                    name: sorted(names), 'resource_provider_generation': found['resource_provider_generation']})

    def _make(self, provider: Provider) -> None:
        body = {'uuid': provider.uuid, 'name': provider.name}
        namesakes = self._ask('GET', '/resource_providers', params={'name': provider.name})['resource_providers']
        for other in namesakes:
            if MARK not in self._ask('GET', f'/resource_providers/{other["uuid"]}/traits')['traits']:
                raise Refused(reason=f'it has a provider {provider.name} that is not ours, {other["uuid"]}.')
            # Of an earlier life of the host.
            self.remove_provider(other['uuid'])
        self._ask('POST', '/resource_providers', body)

    def remove_provider(self, uuid: str) -> None:
        """Have no such provider, and nothing given away of it."""
        for consumer in self.consumers(uuid):
            self.remove_consumer(consumer)
        self._ask('DELETE', f'/resource_providers/{uuid}', missing=True)

    def consumers(self, provider: str) -> dict[str, Resources]:
        """What is given away of a provider, by consumer; nothing of one that is not there."""
        found = self._ask('GET', f'/resource_providers/{provider}/allocations', missing=True)
        return {} if found is None else {key: one['resources'] for key, one in found['allocations'].items()}

    # --------------------------------------------------------------- consumers

    def put_consumer(self, uuid: str, project_id: str, user_id: str, providers: Mapping[str, Resources]) -> None:
        """Have given to a server exactly this, by provider."""
        allocations = {key: {'resources': dict(resources)} for key, resources in providers.items() if resources}
        if not allocations:
            return self.remove_consumer(uuid)

        def put() -> None:
            found = self._ask('GET', f'/allocations/{uuid}')
            self._ask('PUT', f'/allocations/{uuid}', {
                'allocations': allocations, 'project_id': project_id, 'user_id': user_id,
                'consumer_generation': found.get('consumer_generation'), 'consumer_type': 'INSTANCE'})
        return self._again(put)

    def remove_consumer(self, uuid: str) -> None:
        """Have nothing given to a server."""
        self._ask('DELETE', f'/allocations/{uuid}', missing=True)

    # ------------------------------------------------------------------ traits

    @cached_property
    def _traits(self) -> set[str]:
        return set(self._ask('GET', '/traits')['traits'])

    def _known(self, traits: Collection[str]) -> frozenset[str]:
        """Those that Placement knows; ours it gets to know, and others are of a newer os-traits than it has."""
        for name in {MARK, *(name for name in traits if name.startswith(_CUSTOM))} - self._traits:
            self._ask('PUT', f'/traits/{name}')
            self._traits.add(name)
        return frozenset(traits) & self._traits

    # ---------------------------------------------------------------- requests

    @staticmethod
    def _again(work: Callable[[], None]) -> None:
        for number in range(1, _TRIES + 1):
            try:
                return work()
            except _Changed as error:
                if number == _TRIES:
                    raise Refused(reason=str(error)) from None
        raise AssertionError('at least one try')

    def _ask(self, method: str, path: str, body: Any = None, missing: bool = False, **more: Any) -> Any:
        """The body of a good answer; None for what is not there, if it is allowed to be ``missing``."""
        response = self._service.request(None, path, method, own=True, json=body, headers={
            'OpenStack-API-Version': f'placement {VERSION}'}, **more)
        if response.status_code < 400:
            return response.json() if response.content else {}
        if response.status_code == 404 and missing:
            return None
        code, text = _reason(response)
        if response.status_code == 409 and code == _CONCURRENT:
            raise _Changed(text)
        if response.status_code in (401, 403):
            raise errors.Unavailable(reason=f'Placement does not let us in: {text}')
        raise Refused(reason=text)


def _reason(response: Any) -> tuple[str, str]:
    try:
        told = response.json()['errors'][0]
        return str(told.get('code', '')), str(told['detail']).strip()
    except (ValueError, LookupError, TypeError):
        return '', f'{response.status_code} {response.text[:300]}'
