# SPDX-License-Identifier: Apache-2.0
"""Servers: the resource that everything else is there for.

Source: compute API reference, "Servers", "Servers - run an action", "Server metadata", "Server tags",
"Servers IPs", and the microversion history.
"""

import dataclasses

from nova_lite.api import shared
from nova_lite.api.servers import (
    actions,
    bodies,
    consoles,
    create,
    deletion,
    guest,
    handlers,
    images,
    ips,
    listing,
    metadata,
    moving,
    pausing,
    rebuild,
    rescue,
    rules,
    shelving,
    tags,
    view,
)
from nova_lite.api.servers.acting import action
from nova_lite.wsgi import kinds
from nova_lite.wsgi.endpoint import DELETE, GET, POST, PUT, answer, many, one
from nova_lite.wsgi.window import since, until

RULES = (
    *rules.RULES,
    *consoles.RULES,
    *deletion.RULES,
    *guest.RULES,
    *images.RULES,
    *moving.RULES,
    *pausing.RULES,
    *rebuild.RULES,
    *rescue.RULES,
    *shelving.RULES,
)

_METADATA = '/servers/{server_id}/metadata'
_TAGS = '/servers/{server_id}/tags'
_IPS = '/servers/{server_id}/ips'
_ITEMS = kinds.under('metadata', kinds.TEXTS)
_ITEM = kinds.under('meta', kinds.TEXTS)
_WORDS = kinds.under('tags', kinds.listed(kinds.TEXT))

SERVERS = (
    GET('/servers/detail', listing.detail, rule=rules.DETAIL, query=listing.QUERY, flags=listing.FLAGS,
        show=many('servers', view.SERVER, op='detail'), errors=(400, 403)),
    GET('/servers', listing.index, rule=rules.INDEX, query=listing.QUERY, flags=listing.FLAGS,
        show=many('servers', view.BRIEF), errors=(400, 403)),
    POST('/servers', create.create, rule=rules.CREATE, body=bodies.CREATE, query=create.QUERY, flags=create.FLAGS,
         reply=create.REPLY, answers=(answer(202), answer(200)), errors=(400, 403, 409, 501)),
    GET('/servers/{id}', handlers.show, load=handlers.find_to_show, rule=rules.SHOW, query=shared.NOTHING_KNOWN,
        show=one('server', view.SERVER), errors=(404,)),
    PUT('/servers/{id}', handlers.update, load=handlers.find, rule=rules.UPDATE, body=bodies.UPDATE,
        show=(one('server', view.SERVER, op='update', when=until(74)),
                                     one('server', view.SERVER, when=since(75))),
        errors=(404, 409)),
    DELETE('/servers/{id}', handlers.delete, load=handlers.find, rule=rules.DELETE,
           answers=answer(204), errors=(404, 409)),
)


ACTIONS = (
    action('os-start', actions.start, rules.START, bodies.bare('os-start')),
    action('os-stop', actions.stop, rules.STOP, bodies.bare('os-stop')),
    action('reboot', actions.reboot, rules.REBOOT, bodies.REBOOT),
    action('lock', actions.lock, rules.LOCK, bodies.LOCK, flags=actions.LOCK_FLAGS, errors=(404,)),
    action('unlock', actions.unlock, rules.UNLOCK, bodies.bare('unlock'), errors=(404,)),
    action('os-resetState', actions.reset_state, rules.RESET_STATE, bodies.RESET_STATE, errors=(404,)),
    action('os-getConsoleOutput', actions.console_output, rules.CONSOLE_OUTPUT, bodies.CONSOLE_OUTPUT,
           answers=answer(200), reply=kinds.under('output', kinds.TEXT), errors=(404, 409, 501)),
    *consoles.ACTIONS,
    *deletion.ACTIONS,
    *guest.ACTIONS,
    *images.ACTIONS,
    *moving.ACTIONS,
    *pausing.ACTIONS,
    *rebuild.ACTIONS,
    *rescue.ACTIONS,
    *shelving.ACTIONS,
)


# Until 2.102 the servers could also be reached under the name of a long gone extension, which had these actions.
_ALIAS_ACTIONS = frozenset(('', 'confirmResize', 'revertResize', 'reboot', 'resize', 'rebuild', 'createImage',
                            'os-start', 'os-stop', 'trigger_crash_dump'))
_ALIAS = tuple(
    dataclasses.replace(row, path=row.path.replace('/servers', '/os-volumes_boot', 1), when=row.when.ended(102))
    for row in SERVERS + ACTIONS if row.action in _ALIAS_ACTIONS)

PARTS = (
    GET(_METADATA, metadata.index, load=metadata.find_with_metadata, rule=rules.METADATA['index'],
        query=shared.NOTHING_KNOWN, reply=_ITEMS, errors=(404,)),
    POST(_METADATA, metadata.create, load=metadata.find, rule=rules.METADATA['create'], body=bodies.ALL_METADATA,
         reply=_ITEMS, errors=(403, 404, 409)),
    PUT(_METADATA, metadata.update_all, load=metadata.find, rule=rules.METADATA['update_all'],
        body=bodies.ALL_METADATA, reply=_ITEMS, errors=(403, 404, 409)),
    GET(_METADATA + '/{key}', metadata.show, load=metadata.find_with_metadata, rule=rules.METADATA['show'],
        query=shared.NOTHING_KNOWN, reply=_ITEM, errors=(404,)),
    PUT(_METADATA + '/{key}', metadata.update, load=metadata.find, rule=rules.METADATA['update'],
        body=bodies.ONE_ITEM, reply=_ITEM, errors=(400, 403, 404, 409)),
    DELETE(_METADATA + '/{key}', metadata.delete, load=metadata.find, rule=rules.METADATA['delete'],
           answers=answer(204), errors=(404, 409)),
    GET(_TAGS, tags.index, load=metadata.find, rule=rules.TAGS['index'], when=since(26),
        reply=_WORDS, errors=(404,)),
    PUT(_TAGS, tags.update_all, load=metadata.find, rule=rules.TAGS['update_all'], when=since(26),
        body=bodies.ALL_TAGS, reply=_WORDS, errors=(404, 409)),
    DELETE(_TAGS, tags.delete_all, load=metadata.find, rule=rules.TAGS['delete_all'], when=since(26),
           answers=answer(204), errors=(404, 409)),
    GET(_TAGS + '/{tag}', tags.show, load=metadata.find, rule=rules.TAGS['show'], when=since(26),
        answers=answer(204), errors=(404,)),
    PUT(_TAGS + '/{tag}', tags.update, load=metadata.find, rule=rules.TAGS['update'], when=since(26),
        answers=(answer(201), answer(204)), errors=(400, 404, 409)),
    DELETE(_TAGS + '/{tag}', tags.delete, load=metadata.find, rule=rules.TAGS['delete'], when=since(26),
           answers=answer(204), errors=(404, 409)),
    GET(_IPS, ips.index, load=ips.find, rule=rules.IPS_INDEX, query=shared.NOTHING_KNOWN,
        reply=kinds.under('addresses', view.ADDRESSES), errors=(404,)),
    GET(_IPS + '/{network_label}', ips.show, load=ips.find, rule=rules.IPS_SHOW, query=shared.NOTHING_KNOWN,
        reply=view.ADDRESSES, errors=(404,)),
)

ENDPOINTS = SERVERS + ACTIONS + consoles.ENDPOINTS + PARTS + _ALIAS
