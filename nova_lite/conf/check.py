# SPDX-License-Identifier: Apache-2.0
"""Finds what a configuration file sets and nothing reads, and what nobody could use.

oslo.config ignores a misspelt option, and looks at a value only when something asks for it.  Here every
name in the files is held against the options that are registered and, only if some remain, against all
that the libraries could register.
"""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from oslo_config import cfg

from nova_lite import errors
from nova_lite.conf import dead

# Libraries that read the same files, by their name under the entry point oslo.config.opts.
NAMESPACES = (
    'nova_lite', 'oslo.messaging', 'oslo.db', 'oslo.log', 'oslo.policy', 'oslo.middleware', 'oslo.service.service',
    'oslo.reports', 'oslo.limit', 'keystonemiddleware.auth_token',
)
# Which further options these sections take depends on their auth_type.
AUTH_SECTIONS = (
    'keystone_authtoken', 'service_user', 'glance', 'keystone', 'neutron', 'cinder', 'placement', 'oslo_limit')

# The file and the reason in what oslo.config says of a value.
_WRONG_VALUE = re.compile(r"Value for option .*detail='(.*)'\) is not valid: (.*)", re.DOTALL)

# What oslo.config gives each program by itself.
_OF_EVERY_PROGRAM = frozenset(('config_file', 'config_dir', 'config_source', 'shell_completion'))

Known = dict[str, set[str]]


@dataclass(frozen=True)
class Unknown:
    """An option in a file that nothing reads."""

    path: str
    group: str
    name: str
    suggestion: str | None = None

    def __str__(self) -> str:
        text = f'{self.path}: nothing reads [{self.group}] {self.name}'
        known = dead.reason(self.group, self.name)
        if known:
            return f'{text}: {known}.'
        return f'{text}; did you mean {self.suggestion}?' if self.suggestion else f'{text}.'


def refuse_wrong_values(conf: cfg.ConfigOpts) -> None:
    """``StartError`` for an option whose value does not fit."""
    for group, names in _options(conf).items():
        for name in names:
            try:
                conf[group][name] if group != 'DEFAULT' else conf[name]
            except cfg.Error as error:
                found = _WRONG_VALUE.fullmatch(str(error))
                raise errors.StartError(reason=f'[{group}] {name} in {found[1]} cannot be used: {found[2]}.'
                                        if found else str(error)) from error


def refuse_changed_files(conf: cfg.ConfigOpts) -> None:
    """``StartError`` if the files of ``conf`` could not be used as they are now."""
    probe = cfg.ConfigOpts()
    for group, options in _options(conf).items():
        for name, option in options.items():
            if name not in _OF_EVERY_PROGRAM:
                probe.register_opt(option, group=None if group == 'DEFAULT' else group)
    try:
        probe([], project=conf.project, default_config_files=conf.config_file or [],
              default_config_dirs=conf.config_dir or [])
    except cfg.Error as error:
        raise errors.StartError(reason=str(error)) from error
    refuse_wrong_values(probe)


def _options(conf: cfg.ConfigOpts) -> dict[str, dict[str, cfg.Opt]]:
    groups = {'DEFAULT': conf._opts, **{name: group._opts for name, group in conf._groups.items()}}
    return {group: {name: entry['opt'] for name, entry in registered.items()} for group, registered in groups.items()}


def unknown_options(conf: cfg.ConfigOpts) -> list[Unknown]:
    """What the files of ``conf`` set and no registered or registrable option matches."""
    present = [(str(path), group, name) for path in _files(conf) for group, name in _names(path)]
    known = _registered(conf)

    def is_read(group: str, name: str) -> bool:
        switch, _ = dead.IDLE.get(group, (name, None))
        return name in known.get(group, ()) and (name == switch or bool(conf[group][switch]))

    if all(is_read(group, name) for _, group, name in present):
        return []
    _add(known, _of_libraries())
    for section in AUTH_SECTIONS:
        if any(group == section for _, group, _ in present):
            known.setdefault(section, set()).update(_of_auth_plugin(conf, section))
    return [Unknown(path, group, name, _suggest(known, group, name))
            for path, group, name in present if not is_read(group, name)]


def _files(conf: cfg.ConfigOpts) -> list[Path]:
    files = [Path(name) for name in conf.config_file or ()]
    for directory in conf.config_dir or ():
        files += sorted(Path(directory).glob('*.conf'))
    return files


def _names(path: Path) -> list[tuple[str, str]]:
    sections: dict[str, dict[str, list[str]]] = {}
    cfg.ConfigParser(str(path), sections).parse()
    return [(group, name.replace('-', '_')) for group, options in sections.items() for name in options]


def _spellings(group: str, options: Iterable[cfg.Opt]) -> Known:
    """Present and former names, each under its group."""
    known: Known = {group: set()}
    for option in options:
        known[group].update((option.dest, option.name.replace('-', '_')))
        for former in option.deprecated_opts:
            known.setdefault(former.group or group, set()).add((former.name or option.name).replace('-', '_'))
    return known


def _add(known: Known, more: Known) -> None:
    for group, names in more.items():
        known.setdefault(group, set()).update(names)


def _registered(conf: cfg.ConfigOpts) -> Known:
    known = _spellings('DEFAULT', (entry['opt'] for entry in conf._opts.values()))
    for group, registered in conf._groups.items():
        _add(known, _spellings(group, (entry['opt'] for entry in registered._opts.values())))
    return known


def _of_libraries() -> Known:
    # Pulls in every library that has options, so it waits until a name is left to explain.
    from oslo_config import generator
    known: Known = {}
    for _, groups in generator._list_opts(list(NAMESPACES)):
        for group, options in groups:
            name = group.name if isinstance(group, cfg.OptGroup) else group or 'DEFAULT'
            _add(known, _spellings(name, options))
    return known


def _of_auth_plugin(conf: cfg.ConfigOpts, section: str) -> set[str]:
    from keystoneauth1 import exceptions, loading
    probe = cfg.ConfigOpts()
    probe.register_opts(loading.get_auth_common_conf_options(), group=section)
    probe([], default_config_files=conf.config_file or [], default_config_dirs=conf.config_dir or [])
    settings = probe[section]
    options = [*loading.get_auth_common_conf_options(), *loading.get_session_conf_options(),
               *loading.get_adapter_conf_options()]
    try:
        options += loading.get_auth_plugin_conf_options(settings.auth_type or 'password')
    except exceptions.NoMatchingPlugin:
        return set()
    return set().union(*_spellings(section, options).values())


def _suggest(known: Known, group: str, name: str) -> str | None:
    near = difflib.get_close_matches(name, known.get(group, ()), n=1, cutoff=0.75)
    if near:
        return f'[{group}] {near[0]}'
    elsewhere = sorted(other for other, names in known.items() if name in names)
    if elsewhere:
        return f'[{elsewhere[0]}] {name}'
    sections = difflib.get_close_matches(group, known, n=1, cutoff=0.75)
    if sections and sections[0] != group and name in known[sections[0]]:
        return f'[{sections[0]}] {name}'
    return None
