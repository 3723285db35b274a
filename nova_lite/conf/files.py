# SPDX-License-Identifier: Apache-2.0
"""Finds the files that configuration names, wherever this program was installed from."""

import sys
from pathlib import Path

from oslo_config import cfg

from nova_lite import errors

SYSTEM = Path('/etc/nova')
# What setup.cfg installs as data files, and the same files in a source tree (an editable install).
INSTALLED = Path(sys.prefix) / 'etc' / 'nova-lite'
SOURCE_TREE = Path(__file__).resolve().parents[2] / 'etc'


def places(conf: cfg.ConfigOpts) -> list[Path]:
    """Directories in which a relative name is looked for, the operator's own first."""
    own = [Path(name).resolve().parent for name in conf.config_file or ()]
    own += [Path(name).resolve() for name in conf.config_dir or ()]
    return list(dict.fromkeys([*reversed(own), SYSTEM, INSTALLED, SOURCE_TREE]))


def find(conf: cfg.ConfigOpts, name: str) -> Path:
    """The file called ``name``; ``StartError`` with all places if there is none."""
    wanted = Path(name).expanduser()
    if wanted.is_absolute():
        if wanted.is_file():
            return wanted
        raise errors.StartError(f'There is no file {wanted}.')
    candidates = places(conf)
    for directory in candidates:
        if (directory / wanted).is_file():
            return directory / wanted
    raise errors.StartError(f'There is no file {name} in any of ' + ', '.join(map(str, candidates)) + '.')
