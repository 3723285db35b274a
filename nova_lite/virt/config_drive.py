# SPDX-License-Identifier: Apache-2.0
"""A config drive: what the metadata API would tell a server, on a small disc that its guest can read without a network.

The host has no database; the message that asks it for the guest brings all that is needed.  The files have names of
our own choosing, and what a user sends is only ever inside of one, so no name of his gets near a path.
"""

import contextlib
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from oslo_config import cfg
from oslo_utils import units

from nova_lite import errors
from nova_lite.metadata import document, gather
from nova_lite.metadata.document import Content, Directory
from nova_lite.virt import base

#: What guests look for.
LABEL = 'config-2'
#: Bytes of all files together. A request brings 64 KiB of user data and a few files; what is beyond this is a mistake.
LIMIT = 64 * units.Mi

Seed = Callable[[int], bytes]


def wanted(conf: cfg.ConfigOpts, server: Any) -> bool:
    """Whether the guest gets a config drive."""
    return bool(server.config_drive or conf.force_config_drive)


def build(conf: cfg.ConfigOpts, spec: base.GuestSpec, path: Path, seed: Seed = os.urandom) -> None:
    """Write the disc for a guest to ``path``, all or nothing."""
    tree = _tree(conf, spec, seed)
    size = sum(len(data) for _, data in _files(tree))
    if size > LIMIT:
        raise errors.HypervisorError(reason=f'The config drive of server {spec.server.uuid} would hold {size} bytes; '
                                            f'at most {LIMIT} fit.')
    part = path.with_name(f'{path.name}.part')
    try:
        with open(part, 'wb', opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            _write(tree, file)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _tree(conf: cfg.ConfigOpts, spec: base.GuestSpec, seed: Seed) -> Directory:
    vendor_data = gather.read_vendor_data(conf.api.vendordata_jsonfile_path)
    facts = gather.of_server(spec.server, conf.api.dhcp_domain, vendor_data, spec.server.admin_password, spec.files)
    return document.whole(facts, seed)


def _files(tree: Directory, above: str = '') -> Iterator[tuple[str, bytes]]:
    for name, entry in tree.items():
        if isinstance(entry, Content):
            yield f'{above}/{name}', entry.data
        else:
            yield from _files(entry, f'{above}/{name}')


def _write(tree: Directory, file: Any) -> None:
    # Pure Python, but big, and only hosts with real guests have a use for it.
    import pycdlib

    disc = pycdlib.PyCdlib()
    disc.new(interchange_level=3, joliet=3, rock_ridge='1.09', vol_ident=LABEL, sys_ident='LINUX')
    with contextlib.closing(disc):
        _add(disc, tree, '', '')
        disc.write_fp(file)


def _add(disc: Any, directory: Directory, plain_above: str, above: str) -> None:
    """Put what is in a directory on the disc.

    Plain ISO 9660 names have eight capitals and three; real names are in the Rock Ridge and Joliet records, which
    every guest of this century reads. So the plain ones are numbers.
    """
    for number, (name, entry) in enumerate(sorted(directory.items())):
        if isinstance(entry, Directory):
            plain = f'{plain_above}/D{number:05}'
            disc.add_directory(plain, rr_name=name, joliet_path=f'{above}/{name}')
            _add(disc, entry, plain, f'{above}/{name}')
        else:
            disc.add_fp(io.BytesIO(entry.data), len(entry.data), f'{plain_above}/F{number:05}.;1', rr_name=name,
                        joliet_path=f'{above}/{name}')
