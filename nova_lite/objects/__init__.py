# SPDX-License-Identifier: Apache-2.0
"""What crosses a process boundary, as oslo versioned objects."""


def register_all() -> None:
    """Import every object module, so that the registry can rebuild what arrives."""
    from nova_lite.objects import host, operation, server  # noqa: F401 - imported to register
