# SPDX-License-Identifier: Apache-2.0
"""The tags of a server (2.26): short words to find it by."""

from typing import Any
from urllib.parse import quote

from nova_lite import errors
from nova_lite.api.servers import bodies
from nova_lite.db.queries import tags as rows
from nova_lite.ops import change
from nova_lite.wsgi.call import Call
from nova_lite.wsgi.endpoint import Raw


def index(call: Call) -> dict[str, Any]:
    """List the tags of a server."""
    with call.services.db.read() as conn:
        return {'tags': rows.page(conn, call.target.uuid)}


def show(call: Call) -> None:
    """Say whether a server has a tag: no content, or not found."""
    with call.services.db.read() as conn:
        found = rows.exists(conn, call.target.uuid, call.params['tag'])
    if not found:
        raise errors.TagNotFound(server=call.target.uuid, tag=call.params['tag'])


def update(call: Call) -> Raw:
    """Add one tag; 201 when it is new, 204 when the server has it already."""
    tag = call.params['tag']
    _check(tag)
    if not change.add_tag(call.services, call.context, change.AddTag(call.target, tag)):
        return Raw(status=204)
    return Raw(status=201, headers={'Location': f'{call.base}/servers/{call.target.uuid}/tags/{quote(tag, safe="")}'})


def _check(tag: str) -> None:
    """The rules that the schema of all tags has, for the one in the path."""
    longest = bodies.TAG['maxLength']
    if not tag or len(tag) > longest or ',' in tag or '/' in tag:
        raise errors.Invalid(f'Invalid tag {tag[:80]!r}: a tag has 1 to {longest} characters without comma or slash.')


def update_all(call: Call) -> dict[str, Any]:
    """Replace all tags."""
    return {'tags': change.replace_tags(call.services, call.context, change.ReplaceTags(
        call.target, tuple(call.body['tags'])))}


def delete(call: Call) -> None:
    """Remove one tag."""
    change.delete_tag(call.services, call.context, change.DeleteTag(call.target, call.params['tag']))


def delete_all(call: Call) -> None:
    """Remove all tags."""
    change.replace_tags(call.services, call.context, change.ReplaceTags(call.target, ()))
