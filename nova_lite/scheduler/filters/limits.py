# SPDX-License-Identifier: Apache-2.0
"""What the configuration says of all hosts: how much they may do at once, and which are set apart."""

from collections.abc import Iterable

from nova_lite.db.queries.host_rules import Fewer, Named, Test
from nova_lite.scheduler.filters.base import Filter, View
from nova_lite.scheduler.request import Request

Wish = tuple[object, Test]


def io_ops(request: Request, view: View) -> Iterable[Wish]:
    """Not too many servers keep the disks of the host busy."""
    limit = view.options.max_io_ops_per_host
    yield f'fewer than {limit} busy servers', Fewer('io_ops', limit)


def servers(request: Request, view: View) -> Iterable[Wish]:
    """The host has not too many servers."""
    limit = view.options.max_instances_per_host
    yield f'fewer than {limit} servers', Fewer('servers', limit)


def isolated(request: Request, view: View) -> Iterable[Wish]:
    """Images that are set apart meet hosts that are set apart."""
    options = view.options
    apart = tuple(options.isolated_hosts)
    if request.image_id in options.isolated_images:
        yield f'kept for image {request.image_id}', Named(apart)
    elif options.restrict_isolated_hosts_to_isolated_images:
        yield 'not kept for other images', Named(apart, among=False)


FILTERS: dict[str, Filter] = {
    'IoOpsFilter': Filter(rules=io_ops),
    'IsolatedHostsFilter': Filter(rules=isolated),
    'NumInstancesFilter': Filter(rules=servers),
}
