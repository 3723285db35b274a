# SPDX-License-Identifier: Apache-2.0
"""Registry, namespace and base class of our versioned objects."""

from typing import TYPE_CHECKING, Any

from oslo_versionedobjects import base, fields

NAMESPACE = 'nova_lite'


class Registry(base.VersionedObjectRegistry):
    """The versioned objects of nova-lite, by class name."""


class NovaLiteObject(base.VersionedObject):
    """Base of everything that is sent: our own namespace, values by keyword."""

    OBJ_PROJECT_NAMESPACE = NAMESPACE
    OBJ_SERIAL_NAMESPACE = NAMESPACE + '_object'

    if TYPE_CHECKING:
        # The fields of a subclass become attributes when it is registered, which a type checker cannot see.
        def __getattr__(self, name: str) -> Any: ...


class Serializer(base.VersionedObjectSerializer):
    """Turns our objects into primitives and back."""

    OBJ_BASE_CLASS = NovaLiteObject


class JsonField(fields.FieldType):
    """A JSON value sent as it is: dictionaries, lists, strings, numbers, booleans, null."""

    def coerce(self, obj: Any, attr: str, value: Any) -> Any:
        """Accept any JSON value unchanged."""
        return value

    def to_primitive(self, obj: Any, attr: str, value: Any) -> Any:
        """JSON is its own primitive."""
        return value

    def from_primitive(self, obj: Any, attr: str, value: Any) -> Any:
        """JSON is its own primitive."""
        return value


class Json(fields.AutoTypedField):
    """Field holding one JSON value."""

    AUTO_TYPE = JsonField()
