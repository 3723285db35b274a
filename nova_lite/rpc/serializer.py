# SPDX-License-Identifier: Apache-2.0
"""What crosses a process: the request's context as a dictionary, versioned objects as primitives."""

from typing import Any

import oslo_messaging

from nova_lite import objects, telemetry
from nova_lite.auth.context import RequestContext
from nova_lite.objects import base


class ContextSerializer(oslo_messaging.Serializer):
    """Wraps the serializer of our objects, and knows our context."""

    def __init__(self) -> None:
        # An object that arrives is rebuilt from its name; so all of them have to be known by then.
        objects.register_all()
        self._objects = base.Serializer()

    def serialize_entity(self, ctxt: RequestContext, entity: Any) -> Any:
        """An argument or a result, ready to be sent."""
        return self._objects.serialize_entity(ctxt, entity)

    def deserialize_entity(self, ctxt: RequestContext, entity: Any) -> Any:
        """Undo ``serialize_entity``."""
        return self._objects.deserialize_entity(ctxt, entity)

    def serialize_context(self, ctxt: RequestContext) -> dict[str, Any]:
        """The context, ready to be sent."""
        return ctxt.to_dict()

    def deserialize_context(self, ctxt: dict[str, Any]) -> RequestContext:
        """Undo ``serialize_context``; from here on this thread's log lines bear the request's id."""
        context = RequestContext.from_dict(ctxt)
        context.update_store()
        return context


class TracedSerializer(ContextSerializer):
    """Sends along which trace a message belongs to; a receiver that does not know of it drops it."""

    def serialize_context(self, ctxt: RequestContext) -> dict[str, Any]:
        """The context and the trace, ready to be sent."""
        return telemetry.carry(ctxt.to_dict())


def context_serializer() -> ContextSerializer:
    """The one for this process."""
    return TracedSerializer() if telemetry.is_on() else ContextSerializer()
