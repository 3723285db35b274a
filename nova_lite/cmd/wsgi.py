# SPDX-License-Identifier: Apache-2.0
"""The compute API as a WSGI callable for other servers: ``nova_lite.wsgi:application``.

The configuration is read from the usual files, or from those that the environment variable
NOVA_LITE_CONFIG_FILES names, separated by colons.
"""

import os
from typing import Any

from nova_lite import concurrency

concurrency.start('threading')

from nova_lite.cmd import daemon, wiring  # noqa: E402


def make(name: str = 'osapi_compute') -> Any:
    """The application; what is wrong with the configuration is raised as errors.StartError."""
    files = os.environ.get('NOVA_LITE_CONFIG_FILES')
    conf = daemon.configure([], 'nova-api', files.split(':') if files else None)
    program = wiring.Program(conf)
    program.prepare_database(may_fork=False)
    return wiring.load_api(program, name)
