# SPDX-License-Identifier: Apache-2.0
"""What all daemons do at start: read the configuration, set up logs, say in one sentence why they cannot go on."""

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from oslo_config import cfg
from oslo_log import log

from nova_lite import concurrency, conf, errors
from nova_lite.cmd import apart, launch
from nova_lite.conf import check

LOG = logging.getLogger(__name__)

# Libraries that tell more than an operator wants to know.
_QUIET = ('amqp=WARN', 'amqplib=WARN', 'sqlalchemy=WARN', 'oslo.messaging=INFO', 'oslo_messaging=INFO',
          'iso8601=WARN', 'requests.packages.urllib3.connectionpool=WARN', 'urllib3.connectionpool=WARN',
          'urllib3.util.retry=WARN', 'keystonemiddleware=WARN', 'routes.middleware=WARN', 'stevedore=WARN',
          'keystoneauth=WARN', 'oslo.cache=INFO', 'oslo_policy=INFO', 'dogpile.core.dogpile=INFO', 'eventlet=WARN')


def configure(argv: Sequence[str], prog: str, files: Sequence[str] | None = None) -> Any:
    """The configuration of this process, read from ``argv`` and the usual or the given files, and logs set up."""
    config = conf.register_all(cfg.CONF)
    log.register_options(config)
    log.set_defaults(default_log_levels=_QUIET)
    try:
        config(list(argv), project=conf.PROJECT, prog=prog, version=_version(),
               default_config_files=list(files) if files is not None else None)
    except cfg.ConfigFilesNotFoundError as error:
        raise errors.StartError(reason=f'There is no configuration file {", ".join(error.config_files)}.') from error
    except (cfg.ConfigFileParseError, cfg.ConfigFileValueError, cfg.RequiredOptError) as error:
        raise errors.StartError(reason=f'The configuration cannot be read: {error}') from error
    check.refuse_wrong_values(config)
    log.setup(config, prog)
    conf.use(config)
    return config


def warn_of_unknown_options(config: Any) -> None:
    """Log every option of the configuration files that nothing reads."""
    for unknown in check.unknown_options(config):
        LOG.warning('%s', unknown)


def warn_of_services(config: Any) -> None:
    """Log every service that cannot be used as it is configured, from a process that the start does not wait for."""
    from nova_lite.clients import reach

    def warn() -> None:
        for problem in reach.problems(config):
            LOG.warning('%s', problem)

    if reach.any_service(config):
        apart.begin(warn)


def report_on_signal(config: Any, prog: str) -> None:
    """SIGUSR2 makes the process write what it is doing (oslo.reports)."""
    from oslo_reports import guru_meditation_report as gmr
    from oslo_reports import opts
    opts.set_defaults(config)
    name: Any = _ReportName(prog)
    gmr.TextGuruMeditation.setup_autorun(_Version, name, conf=config)


@dataclass(frozen=True)
class _ReportName:
    """How the file of a report begins; each worker has its own, as several may write in the same second."""

    prog: str

    def __str__(self) -> str:
        return f'{self.prog}-{os.getpid()}'


class _Version:
    """What a report says of the program."""

    @staticmethod
    def vendor_string() -> str:
        return 'nova-lite'

    @staticmethod
    def product_string() -> str:
        return 'nova-lite'

    @staticmethod
    def version_string_with_package() -> str:
        return _version()


def _version() -> str:
    from importlib import metadata
    return metadata.version('nova-lite')


@contextlib.contextmanager
def explained(prog: str) -> Iterator[None]:
    """What keeps a program from starting is told in one sentence, and ends it with 1."""
    try:
        yield
    except errors.Error as error:
        text = str(error)
    except cfg.Error as error:
        text = f'The configuration cannot be used: {error}'
    except Exception:
        LOG.exception('%s cannot start', prog)
        text = 'The start failed for a reason that was not foreseen; the log has it'
    else:
        return
    # What a parser says has several lines.
    text = ' '.join(text.split())
    print(f'{prog}: {text}{"" if text.endswith(".") else "."}', file=sys.stderr)
    sys.exit(1)


def main(prog: str, parts: Callable[[Any], Sequence[launch.Part]], argv: Sequence[str] | None = None) -> int:
    """Run a daemon made of ``parts(conf)`` until it is told to end; its exit code."""
    with explained(prog):
        config = configure(sys.argv[1:] if argv is None else argv, prog)
        warn_of_services(config)
        launched = parts(config)
        report_on_signal(config, prog)
        warn_of_unknown_options(config)
    LOG.info('%s starts on the %s backend', prog, concurrency.backend())
    launch.run(config, launched)
    return 0
