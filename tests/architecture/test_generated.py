# SPDX-License-Identifier: Apache-2.0
"""What is generated is fresh, and what is declared is used."""

import ast
import configparser
import importlib.metadata
import re
import subprocess
import sys

import pytest

from nova_lite import conf
from tests.architecture import tree
from tests.architecture.tree import Source
from tools import generate_samples

# Required for what they bring, not imported by name.
UNIMPORTED = frozenset((
    'PyMySQL', 'psycopg2-binary',       # SQLAlchemy loads the driver that the URL names
))
# Read by the drivers of OSprofiler, which get the whole configuration.
READ_BY_LIBRARIES = frozenset((
    'es_doc_type', 'es_scroll_time', 'es_scroll_size', 'socket_timeout', 'sentinel_service_name', 'filter_error_trace',
    'service_name_prefix',
))
# The options of an API are read by the name of the API.
PER_API = re.compile(r'^[a-z_]+?(?=_(listen|listen_port|workers)$)')


# Extras that people install to run the program, rather than to work on it.
EXTRAS = ('consoles', 'libvirt', 'limits')


def requirements(*extras: str) -> list[str]:
    """Names in install_requires, and those of some extras."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(tree.ROOT / 'setup.cfg')
    texts = [parser['options']['install_requires'], *(parser['options.extras_require'][extra] for extra in extras)]
    return [re.split(r'[\[<>=!~; ]', line, maxsplit=1)[0]
            for text in texts for line in text.splitlines() if line and not line.startswith('#')]


def normal(name: str) -> str:
    return re.sub(r'[-_.]+', '-', name).lower()


def providers() -> dict[str, set[str]]:
    """Packages by the top-level module that they install."""
    return {module: {normal(name) for name in names}
            for module, names in importlib.metadata.packages_distributions().items()}


def foreign_imports(source: Source) -> set[str]:
    found = {one.target.split('.')[0] for one in tree.imports(source)}
    return found - set(sys.stdlib_module_names) - set(tree.SOURCES) - {''}


def names_read(source: Source) -> set[str]:
    """Everything that could be the name of an option being read: attributes and string constants."""
    return {node.attr for node in ast.walk(source.tree) if isinstance(node, ast.Attribute)} | {
        node.value for node in ast.walk(source.tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 50}


def test_the_samples_are_fresh():
    # In a process of its own, because collecting all libraries' options imports most of them.
    result = subprocess.run([sys.executable, 'tools/generate_samples.py', '--check'], cwd=tree.ROOT,
                            capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_pages_are_fresh():
    result = subprocess.run([sys.executable, '-W', 'ignore', 'tools/generate_pages.py', '--check'], cwd=tree.ROOT,
                            capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_option_is_read():
    used = set().union(*(names_read(source) for source in tree.package()
                         if not source.name.startswith('nova_lite/conf/')))
    dead = [f'[{group}] {option.dest}' for group, options in conf.list_opts() for option in options
            if option.dest not in used | READ_BY_LIBRARIES and PER_API.sub('', option.dest) not in used
            and not (group == 'DEFAULT' and option.dest.endswith('_workers'))]
    tree.none_of(dead)


def test_every_import_is_declared():
    known = providers()
    declared = {normal(name) for name in requirements(*EXTRAS)}
    missing = {f'{source.name} imports {module}' for source in tree.package() for module in foreign_imports(source)
               if not known.get(module, {module}) & declared}
    tree.none_of(sorted(missing))


def test_every_requirement_is_imported():
    known = providers()
    imported = set().union(*(known.get(module, set()) for source in tree.package()
                             for module in foreign_imports(source)))
    tree.none_of([name for name in requirements(*EXTRAS) if normal(name) not in imported and name not in UNIMPORTED])


def test_every_entry_point_can_be_loaded():
    entries = [entry for entry in importlib.metadata.distribution('nova-lite').entry_points]
    assert entries
    broken = []
    for entry in entries:
        module, _, function = entry.value.partition(':')
        path = tree.ROOT.joinpath(*module.split('.'))
        file = path.with_suffix('.py') if path.with_suffix('.py').exists() else path / '__init__.py'
        defined = {node.name for node in ast.parse(file.read_text()).body
                   if isinstance(node, (ast.FunctionDef, ast.ClassDef))} if file.exists() else set()
        if function not in defined:
            broken.append(f'{entry.group} {entry.name} = {entry.value}')
    tree.none_of(broken)


SAMPLE = """\
# made by hand
#
# oslo.log 1.0

[DEFAULT]

#
# From nova_lite
#

# A name. (string value)
#host = a

#
# From oslo.log
#

# Noise. (boolean value)
#debug = false
"""


@pytest.mark.parametrize(('change', 'stale'), [
    (('#host = a', '#host = b'), True),
    (('#debug = false', '#debug = true'), True),
    (('oslo.log 1.0', 'oslo.log 2.0'), False),
])
def test_a_stale_sample_is_found(change, stale):
    assert bool(generate_samples.stale_config(SAMPLE, SAMPLE.replace(*change))) is stale


def test_a_part_of_another_version_of_a_library_is_not_compared():
    other = SAMPLE.replace('oslo.log 1.0', 'oslo.log 2.0').replace('#debug = false', '#debug = true')
    assert generate_samples.stale_config(SAMPLE, other) == []
    assert generate_samples.stale_config(SAMPLE, other.replace('#host = a', '#host = b'))
