# SPDX-License-Identifier: Apache-2.0
"""What ``nova-lite up`` writes into its state directory: a nova.conf and a clouds.yaml."""

import configparser
import io
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from nova_lite.cmd import lite_driver
from nova_lite.conf import filter_scheduler
from nova_lite.console import service
from nova_lite.embedded import directory, imagestore

CLOUD = 'nova-lite'
HOST = 'nova-lite'
REGION = 'RegionOne'


@dataclass(frozen=True)
class Settings:
    """What the command line says."""

    state_dir: Path
    port: int
    computes: int
    workers: int
    driver: lite_driver.Choice = lite_driver.Choice(lite_driver.FAKE, ())

    @property
    def endpoint(self) -> str:
        """Base URL of all APIs."""
        return f'http://127.0.0.1:{self.port}'

    @property
    def console_port(self) -> int:
        """Port of the consoles; the one before it is the metadata service's."""
        return self.port + 2

    @property
    def has_consoles(self) -> bool:
        """Whether what they need is installed."""
        return service.available()

    def console_options(self) -> dict[str, dict[str, Any]]:
        """Where consoles are, or that there are none; by group."""
        address, here = f'127.0.0.1:{self.console_port}', self.has_consoles
        return {'vnc': {'enabled': here, 'novncproxy_base_url': f'http://{address}/vnc_auto.html'},
                'serial_console': {'enabled': here, 'base_url': f'ws://{address}/'}}


@dataclass(frozen=True)
class Cloud:
    """What a person needs to know to use the service."""

    clouds_file: Path | None
    log_file: Path
    has_consoles: bool = True
    driver: tuple[str, ...] = ()

    def welcome(self, endpoint: str) -> list[str]:
        """The lines shown when the service answers."""
        lines = [f'nova-lite serves {endpoint}/v2.1', *self.driver, '']
        if not self.has_consoles:
            lines += ["Servers have no consoles to open. They would, after: pip install 'nova-lite[consoles]'", '']
        if self.clouds_file is None:
            return [*lines, 'No identity service checks who asks. Try:', '',
                    f"  curl -H 'X-Auth-Token: admin:admin' {endpoint}/v2.1/servers", '', f'Log: {self.log_file}']
        return [*lines, 'In another terminal:', '',
                f'  export OS_CLIENT_CONFIG_FILE={self.clouds_file} OS_CLOUD={CLOUD}',
                f'  {_client()} server create --image {imagestore.DEFAULT_IMAGE} --flavor m1.nano '
                '--network private --wait first', '', f'Log: {self.log_file}   Stop: Ctrl-C']


def _client() -> str:
    """The openstack command as a shell finds it, which may be only in our own environment."""
    beside = Path(sys.executable).parent / 'openstack'
    return str(beside) if beside.exists() and shutil.which('openstack') is None else 'openstack'


def private(path: str, flags: int) -> int:
    """An opener that makes files only their owner can read."""
    return os.open(path, flags, 0o600)


def write_configuration(settings: Settings) -> str:
    """Write nova.conf with the embedded defaults, and make users and the first image; its path."""
    state = settings.state_dir
    identity = directory.ensure_identity(str(state))
    imagestore.ensure_default_image(str(state))
    sections: dict[str, dict[str, Any]] = {
        'DEFAULT': {
            'host': HOST, 'my_ip': '127.0.0.1', 'state_path': state, 'log_file': state / 'nova-lite.log',
            'use_stderr': False, 'compute_driver': settings.driver.compute_driver,
            'transport_url': f'local://{state}/rpc',
            'osapi_compute_listen': '127.0.0.1', 'osapi_compute_listen_port': settings.port,
            'osapi_compute_workers': settings.workers, 'metadata_listen': '127.0.0.1',
            'metadata_listen_port': settings.port + 1, 'metadata_workers': settings.workers,
            'graceful_shutdown_timeout': 30, 'allow_resize_to_same_host': True,
        },
        'database': {'connection': f'sqlite:///{state}/nova.sqlite'},
        'conductor': {'workers': 1},
        # Ten times the usual: who tries things out or runs a test suite should not meet the limits at once.
        'quota': {'instances': 100, 'cores': 200, 'ram': 512000},
        # The usual ones and those of the hints that placements are most often told by, as DevStack has it.
        'filter_scheduler': {'enabled_filters': ','.join((*_usual_filters(), 'SameHostFilter', 'DifferentHostFilter'))},
        'embedded': {'identity': True, 'image': True, 'network': True, 'volume': True, 'region': REGION,
                     'volumes_per_project': 100, 'snapshots_per_project': 100, 'gigabytes_per_project': 10000},
        **settings.console_options(),
        'keystone_authtoken': {
            'auth_type': 'password', 'auth_url': f'{settings.endpoint}/identity',
            'www_authenticate_uri': f'{settings.endpoint}/identity', 'username': 'nova',
            'password': identity.passwords.get('nova', ''), 'user_domain_name': identity.user_domain,
            'project_name': identity.projects['nova'], 'project_domain_name': identity.user_domain,
            'region_name': REGION, 'interface': 'internal',
        },
    }
    for group, options in settings.driver.options(identity.passwords.get('nova', ''), settings.computes).items():
        sections.setdefault(group, {}).update(options)
    parser = configparser.RawConfigParser(default_section='there is no default section')
    parser.read_dict({name: {key: str(value) for key, value in options.items()}
                      for name, options in sections.items()})
    text = io.StringIO('# Written at each start of nova-lite up; lay your own over it with --config-file.\n\n')
    text.seek(0, io.SEEK_END)
    parser.write(text)
    path = state / 'nova.conf'
    _replace(path, text.getvalue())
    return str(path)


def _usual_filters() -> list[str]:
    return next(option.default for option in filter_scheduler.OPTS if option.name == 'enabled_filters')


def write_clouds(settings: Settings, conf: Any) -> Cloud:
    """Write clouds.yaml with the generated passwords, where the embedded identity service is what is asked."""
    log_file = Path(conf.log_file or settings.state_dir / 'nova-lite.log')
    # Somebody's own configuration may name another one.
    said = settings.driver.said if conf.compute_driver == settings.driver.compute_driver else ()
    if conf.api.auth_strategy != 'keystone' or not conf.embedded.identity:
        return Cloud(None, log_file, settings.has_consoles, said)
    identity = directory.ensure_identity(str(settings.state_dir))
    clouds = {name: {
        'region_name': REGION, 'identity_api_version': '3',
        'auth': {'auth_url': f'{settings.endpoint}/identity', 'username': user,
                 'password': identity.passwords.get(user, ''), 'project_name': identity.projects[user],
                 'user_domain_name': identity.user_domain, 'project_domain_name': identity.user_domain},
    } for name, user in ((CLOUD, 'admin'), (f'{CLOUD}-demo', 'demo'))}
    path = settings.state_dir / 'clouds.yaml'
    _replace(path, yaml.safe_dump({'clouds': clouds}, sort_keys=False))
    return Cloud(path, log_file, settings.has_consoles, said)


def _replace(path: Path, text: str) -> None:
    """Write a file that only its owner can read, all or nothing."""
    with tempfile.NamedTemporaryFile('w', dir=path.parent, prefix=f'.{path.name}.', delete=False) as file:
        file.write(text)
    os.replace(file.name, path)
