# SPDX-License-Identifier: Apache-2.0
"""Serves the WSGI application of an OpenStack service: ``serve.py MODULE PORT THREADS [its own arguments]``.

The services read the command line of whoever imports them, so it holds nothing but what is theirs then.
"""

import importlib
import sys

from gunicorn.app.base import BaseApplication


class Server(BaseApplication):
    """One worker with some threads; the application is made in it, not before it is forked."""

    def __init__(self, module: str, port: str, threads: str) -> None:
        self._module = module
        self._settings = {'bind': f'127.0.0.1:{port}', 'workers': 1, 'threads': int(threads), 'timeout': 600,
                          'worker_class': 'gthread', 'keepalive': 30, 'graceful_timeout': 1}
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._settings.items():
            self.cfg.set(name, value)

    def load(self) -> object:
        return importlib.import_module(self._module).application


if __name__ == '__main__':
    module, port, threads = sys.argv[1:4]
    sys.argv[1:] = sys.argv[4:]
    Server(module, port, threads).run()
