# SPDX-License-Identifier: Apache-2.0
"""Who may import whom, and which library has a single importer."""

from collections.abc import Iterator

import pytest

from tests.architecture import tree
from tests.architecture.tree import Import, Source

# unit -> units of ours that it may import.  A dotted entry allows that part only.
ALLOWED: dict[str, frozenset[str]] = {unit: frozenset(others.split()) for unit, others in {
    'errors': '',
    'concurrency': '',
    'conf': 'errors',
    'model': 'errors',
    'auth': 'model conf errors',
    'objects': 'model conf errors',
    'telemetry': 'conf errors',
    'rpc': 'telemetry objects auth concurrency conf errors',
    'db': 'telemetry model objects auth conf errors',
    'wsgi': 'telemetry auth concurrency conf errors',
    'embedded': 'wsgi db model auth concurrency conf errors',
    'clients': 'embedded model auth conf errors',
    'notifications': 'db model concurrency conf errors',
    'virt': 'metadata.document metadata.gather model objects concurrency conf errors',
    'scheduler': 'db model objects conf errors',
    'ops': 'notifications db rpc clients model objects auth conf errors',
    'api': 'wsgi ops model auth conf errors db.queries db.paging clients',
    'console': 'ops db model auth concurrency conf errors',
    'metadata': 'model errors wsgi db.queries auth conf',
    'conductor': 'telemetry notifications scheduler db rpc clients model objects auth concurrency conf errors',
    'compute': 'telemetry virt metadata.document rpc clients model objects auth concurrency conf errors',
}.items()}
# The commands wire everything together.
EVERYTHING = frozenset(('cmd',))
# What a metadata document is made of also serves the config drive, on a host without a database.
NARROWER = {f'nova_lite.metadata.{name}': frozenset(('model', 'errors')) for name in ('document', 'gather')}
# The name by which WSGI servers are told of the API, made when such a server asks for it.
EXCEPTIONS = frozenset((('nova_lite.wsgi', 'nova_lite.cmd.wsgi'),))
# Parts of api/ that rooms share; any other module or folder in it is a room.
NOT_ROOMS = frozenset(('shared', 'history'))

# library -> the one unit that imports it
SOLE_IMPORTERS = {
    'eventlet': 'concurrency', 'greenlet': 'concurrency',
    'oslo_messaging': 'rpc', 'kombu': 'rpc', 'amqp': 'rpc',
    'opentelemetry': 'telemetry', 'osprofiler': 'telemetry',
    'oslo_limit': 'clients', 'libvirt': 'virt', 'websockify': 'console',
    'sqlalchemy': 'db', 'oslo_db': 'db', 'alembic': 'db', 'psycopg2': 'db', 'pymysql': 'db',
}
# Too heavy for a process that may never use them: imported in the function that does.
LAZY = (
    'libvirt', 'openstack', 'oslo_limit', 'pycdlib', 'opentelemetry.sdk', 'opentelemetry.exporter', 'openstackclient',
)


def unit(module: str) -> str:
    """The top-level unit of one of our modules; '' for the package itself and for foreign modules."""
    parts = module.split('.')
    return parts[1] if parts[0] == tree.PACKAGE and len(parts) > 1 else ''


def within(module: str, name: str) -> bool:
    return module == name or module.startswith(name + '.')


def breaks_table(found: Import) -> bool:
    """Whether an import is not in the table."""
    here, there = unit(found.source.module), unit(found.target)
    if not here or not there or here == there or here in EVERYTHING:
        return False
    allowed = NARROWER.get(found.source.module, ALLOWED.get(here, frozenset()))
    return not any(within(found.target, f'{tree.PACKAGE}.{name}') for name in allowed)


def breaks_rooms(found: Import) -> bool:
    """Whether a room of the API imports another room."""
    here, there = found.source.module.split('.'), found.target.split('.')
    if here[:2] != [tree.PACKAGE, 'api'] or there[:2] != [tree.PACKAGE, 'api']:
        return False
    if len(here) < 3 or len(there) < 3:     # the list of rooms itself
        return len(here) >= 3
    return here[2] != there[2] and there[2] not in NOT_ROOMS


def breaks_sole_importer(found: Import) -> bool:
    owner = SOLE_IMPORTERS.get(found.target.split('.')[0])
    return owner is not None and unit(found.source.module) != owner


def all_imports() -> Iterator[Import]:
    for source in tree.package():
        for found in tree.imports(source):
            if (source.module, found.target) not in EXCEPTIONS:
                yield found


def lazy_at_import_time(source: Source) -> list[str]:
    """Heavy libraries that are imported outside a function."""
    import ast
    inner = {id(node) for _, function in tree.functions(source) for node in ast.walk(function)}
    found = []
    for node in ast.walk(source.tree):
        if id(node) in inner:
            continue
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [f'{node.module}.{alias.name}' for alias in node.names]
        else:
            continue
        found += [f'{source.name}:{node.lineno} {name}' for name in names if any(within(name, lib) for lib in LAZY)]
    return found


def cycle(edges: dict[str, set[str]]) -> list[str]:
    """One cycle of a graph, or nothing."""
    state: dict[str, str] = {}

    def visit(node: str, path: list[str]) -> list[str]:
        state[node] = 'open'
        for other in sorted(edges.get(node, ())):
            if state.get(other) == 'open':
                return [*path[path.index(other):], other]
            if other not in state and (found := visit(other, [*path, other])):
                return found
        state[node] = 'closed'
        return []

    for start in sorted(edges):
        if start not in state and (found := visit(start, [start])):
            return found
    return []


def unit_edges(found: Iterator[Import]) -> dict[str, set[str]]:
    edges: dict[str, set[str]] = {}
    for one in found:
        here, there = unit(one.source.module), unit(one.target)
        if here and there and here != there:
            edges.setdefault(here, set()).add(there)
    return edges


def test_every_import_is_in_the_table():
    tree.none_of([str(found) for found in all_imports() if breaks_table(found)])


def test_every_unit_is_in_the_table():
    assert {unit(source.module) for source in tree.package()} - {''} - EVERYTHING - ALLOWED.keys() == set()


def test_units_form_no_cycle():
    assert cycle(unit_edges(all_imports())) == []


def test_the_table_allows_no_cycle():
    assert cycle({here: {other.split('.')[0] for other in others} for here, others in ALLOWED.items()}) == []


def test_rooms_do_not_import_rooms():
    tree.none_of([str(found) for found in all_imports() if breaks_rooms(found)])


def test_each_big_library_has_one_importer():
    tree.none_of([str(found) for found in all_imports() if breaks_sole_importer(found)])


def test_only_clients_and_commands_import_the_embedded_services():
    importers = {unit(found.source.module) for found in all_imports() if unit(found.target) == 'embedded'}
    assert importers <= {'embedded', 'clients', 'cmd'}


def test_heavy_libraries_are_imported_when_used():
    tree.none_of([line for source in tree.package() for line in lazy_at_import_time(source)])


@pytest.mark.parametrize(('path', 'text', 'rule'), [
    ('nova_lite/compute/service.py', 'from nova_lite import db', breaks_table),
    ('nova_lite/compute/service.py', 'def f():\n    import nova_lite.db.queries.servers', breaks_table),
    ('nova_lite/compute/service.py', 'from ..db import queries', breaks_table),
    ('nova_lite/compute/service.py', 'import importlib\nimportlib.import_module("nova_lite.api")', breaks_table),
    ('nova_lite/compute/service.py', 'from nova_lite.metadata import app', breaks_table),
    ('nova_lite/api/flavors.py', 'from nova_lite.db import sessions', breaks_table),
    ('nova_lite/metadata/document.py', 'from nova_lite import conf', breaks_table),
    ('nova_lite/api/flavors.py', 'from nova_lite.api.servers import VIEW', breaks_rooms),
    ('nova_lite/api/flavors.py', 'from nova_lite import api', breaks_rooms),
    ('nova_lite/conductor/build.py', 'from sqlalchemy import select', breaks_sole_importer),
    ('nova_lite/rpc/server.py', 'import eventlet.green', breaks_sole_importer),
])
def test_a_forbidden_import_is_found(path, text, rule):
    assert any(rule(found) for found in tree.imports(tree.sample(text, path)))


@pytest.mark.parametrize(('path', 'text', 'rule'), [
    ('nova_lite/api/flavors.py', 'from nova_lite.db.queries import flavors', breaks_table),
    ('nova_lite/api/flavors.py', 'from nova_lite.db import queries', breaks_table),
    ('nova_lite/cmd/api.py', 'from nova_lite import db', breaks_table),
    ('nova_lite/api/servers/view.py', 'from nova_lite.api.servers import body', breaks_rooms),
    ('nova_lite/api/servers/view.py', 'from nova_lite.api import shared', breaks_rooms),
    ('nova_lite/db/queries/servers.py', 'from sqlalchemy import select', breaks_sole_importer),
])
def test_an_allowed_import_passes(path, text, rule):
    assert not any(rule(found) for found in tree.imports(tree.sample(text, path)))


def test_a_heavy_import_is_found():
    assert lazy_at_import_time(tree.sample('from opentelemetry.sdk import trace'))
    assert not lazy_at_import_time(tree.sample('def f():\n    import openstack'))


def test_a_cycle_is_found():
    assert cycle({'a': {'b'}, 'b': {'c'}, 'c': {'b'}}) == ['b', 'c', 'b']
