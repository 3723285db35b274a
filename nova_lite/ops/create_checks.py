# SPDX-License-Identifier: Apache-2.0
"""What a request for servers has to agree with: the flavor, the image, the services that are there."""

import base64
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from oslo_config import cfg

from nova_lite import errors
from nova_lite.clients.image import Image
from nova_lite.db.queries import aggregates, hosts
from nova_lite.model import quotas
from nova_lite.model.quotas import UNLIMITED

if TYPE_CHECKING:
    from nova_lite.ops.create import CreateServers

GIB = 1 << 30
#: Of one request, whatever the quota: the rows of all of them are made in one transaction.
MOST_SERVERS = 1000


def check(command: 'CreateServers') -> None:
    """Nothing in the request is impossible, whatever it boots from."""
    if command.hostname is not None and command.max_count > 1:
        raise errors.Invalid(reason='A hostname can be given to one server only; the request asks for more.')


def check_files(limits: Mapping[str, int], files: Sequence[Mapping[str, str]]) -> None:
    """``OverQuota`` if the files (personality) are more or larger than allowed."""
    found = {
        'injected_files': len(files),
        'injected_file_content_bytes': max((len(base64.b64decode(file['contents'])) for file in files), default=0),
        'injected_file_path_bytes': max((len(file['path']) for file in files), default=0)}
    for resource, value in found.items():
        if limits[resource] != UNLIMITED and value > limits[resource]:
            raise errors.OverQuota(resource=resource, requested=value, used=0, limit=limits[resource])


def check_count(limits: Mapping[str, int], flavor: Mapping[str, int], count: int) -> None:
    """``OverQuota`` for what no project may have, before a row is made of it."""
    wanted = quotas.use_of(flavor, count)
    short = quotas.exceeded(wanted, {}, limits)
    if short:
        raise errors.OverQuota(resource=', '.join(short), used='0', **{
            name: ', '.join(str(values[resource]) for resource in short)
            for name, values in (('requested', wanted), ('limit', limits))})
    if count > MOST_SERVERS:
        raise errors.Invalid(reason=f'One request makes at most {MOST_SERVERS} servers, not {count}.')


def check_image(image: Image, flavor: Any) -> None:
    """The image is there, and fits into the flavor; a flavor without disk has as much as the image needs."""
    if image.status != 'active':
        raise errors.Invalid(reason=f'Image {image.id} is {image.status}, not active.')
    if image.min_ram > flavor.ram:
        raise errors.Invalid(reason=f'Image {image.id} needs {image.min_ram} MiB of memory; flavor {flavor.name} has '
                                    f'{flavor.ram} MiB.')
    if not flavor.disk:
        return
    if (image.size or 0) > flavor.disk * GIB:
        raise errors.Invalid(reason=f'Image {image.id} has {image.size} bytes; the disk of flavor {flavor.name} has '
                                    f'{flavor.disk * GIB}.')
    if image.min_disk > flavor.disk:
        raise errors.Invalid(reason=f'Image {image.id} needs {image.min_disk} GiB of disk; flavor {flavor.name} has '
                                    f'{flavor.disk} GiB.')


def check_place(conn: Any, conf: cfg.ConfigOpts, command: 'CreateServers') -> None:
    """The zone and the host that the request names exist."""
    place = command.place
    if place.zone is not None and place.zone != conf.default_availability_zone \
            and place.zone not in aggregates.zone_names(conn):
        raise errors.Invalid(reason=f'There is no availability zone {place.zone}.')
    if place.forced and (command.host or command.hypervisor_hostname):
        raise errors.Invalid(reason='The host is named twice: in availability_zone, and by host or '
                                    'hypervisor_hostname.')
    for host, node in ((place.host, place.node), (command.host, command.hypervisor_hostname)):
        if (host or node) and not hosts.exists(conn, host, node):
            both = ' with hypervisor '.join(filter(None, (host, node)))
            raise errors.Invalid(reason=f'There is no compute host {both}.')


def placing(command: 'CreateServers') -> dict[str, Any]:
    """What the build has to know of where the server may go."""
    if command.place.forced:
        return {'host': command.place.host, 'node': command.place.node, 'forced': True}
    if command.host or command.hypervisor_hostname:
        return {'host': command.host, 'node': command.hypervisor_hostname}
    return {}


def image_properties(image: Image) -> dict[str, Any]:
    """What a server remembers of its image: its properties and what a hypervisor must know."""
    known = {'container_format': image.container_format, 'disk_format': image.disk_format,
             'min_disk': str(image.min_disk), 'min_ram': str(image.min_ram)}
    return {**image.properties, **{key: value for key, value in known.items() if value is not None}}
