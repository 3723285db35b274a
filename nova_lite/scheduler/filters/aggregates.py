# SPDX-License-Identifier: Apache-2.0
"""What administrators say of whole aggregates of hosts in their metadata."""

from collections.abc import Callable, Iterable
from typing import Any

from nova_lite.db.queries.host_rules import Fewer, InAggregates, Test
from nova_lite.scheduler.filters.base import AGGREGATES, Aggregate, Filter, View
from nova_lite.scheduler.filters.specs import matches, without_namespace
from nova_lite.scheduler.request import Request

Wish = tuple[object, Test]

EXTRA_SPECS = 'aggregate_instance_extra_specs'
TENANT, FLAVORS = 'filter_tenant_id', 'instance_type'


def _ids(view: View, test: Callable[[Aggregate], Any]) -> tuple[int, ...]:
    return tuple(one.id for one in view.aggregates if test(one))


def _reserved(view: View, key: str, value: str) -> InAggregates:
    """The host is in an aggregate that allows the value, or no aggregate of it has the key."""
    return InAggregates(_ids(view, lambda one: value in one.values.get(key, ())),
                        unless=_ids(view, lambda one: key in one.values))


def extra_specs(request: Request, view: View) -> Iterable[Wish]:
    """For each extra spec, the host is in an aggregate whose metadata agrees with it."""
    for name, value in _specs(request).items():
        yield f'{name} {value}', InAggregates(tuple(
            one.id for one in view.aggregates if any(matches(had, value) for had in one.values.get(name, ()))))


def _specs(request: Request) -> dict[str, str]:
    scoped = {name.partition(':')[2]: value for name, value in request.extra_specs.items()
              if name.partition(':')[0] == EXTRA_SPECS and ':' in name}
    return {**without_namespace(request.extra_specs), **scoped}


def tenancy(request: Request, view: View) -> Iterable[Wish]:
    """No aggregate of the host is kept for other projects."""
    def kept(one: Aggregate) -> list[str]:
        return [key for key in one.values if key.startswith(TENANT)]

    yield 'not kept for other projects', InAggregates(
        _ids(view, lambda one: any(request.project_id in one.values[key] for key in kept(one))),
        unless=_ids(view, kept))


def flavors(request: Request, view: View) -> Iterable[Wish]:
    """No aggregate of the host is kept for other flavors."""
    yield f'open to flavor {request.flavor_name}', _reserved(view, FLAVORS, request.flavor_name)


def image_properties(request: Request, view: View) -> Iterable[Wish]:
    """What an aggregate of the host says of a property of the image is what the image says."""
    namespace = view.options.aggregate_image_properties_isolation_namespace
    start = namespace + view.options.aggregate_image_properties_isolation_separator if namespace else ''
    keys = sorted({key for one in view.aggregates for key in one.values if key.startswith(start)})
    for key in keys:
        value = request.image_properties.get(key)
        if value is not None:
            yield f'open to images with {key} {value}', _reserved(view, key, str(value))


def _at_most(count: str, key: str, words: str) -> Callable[[Request, View], Iterable[Wish]]:
    """Of several aggregates the smallest number counts; without any, that of the option of the same name."""
    def rules(request: Request, view: View) -> Iterable[Wish]:
        limits: dict[int, list[int]] = {}
        for one in view.aggregates:
            numbers = [int(value) for value in one.values.get(key, ()) if value.isdecimal()]
            if numbers:
                limits.setdefault(min(numbers), []).append(one.id)
        for limit, ids in sorted(limits.items()):
            yield f'fewer than {limit} {words}', Fewer(count, limit, inside=tuple(ids))
        default = getattr(view.options, key)
        named = tuple(one for ids in limits.values() for one in ids)
        yield f'fewer than {default} {words}', Fewer(count, default, outside=named)

    return rules


FILTERS: dict[str, Filter] = {name: Filter(rules=rules, needs=frozenset((AGGREGATES,))) for name, rules in (
    ('AggregateImagePropertiesIsolation', image_properties),
    ('AggregateInstanceExtraSpecsFilter', extra_specs),
    ('AggregateIoOpsFilter', _at_most('io_ops', 'max_io_ops_per_host', 'busy servers')),
    ('AggregateMultiTenancyIsolation', tenancy),
    ('AggregateNumInstancesFilter', _at_most('servers', 'max_instances_per_host', 'servers')),
    ('AggregateTypeAffinityFilter', flavors),
)}
