# SPDX-License-Identifier: Apache-2.0
"""The source tree as the rules look at it: files, their syntax trees, what they import."""

import ast
import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = 'nova_lite'
# Folders whose Python files are ours; everything else in a working copy may be anything.
SOURCES = (PACKAGE, 'tests', 'tools', 'benchmarks')


@dataclass(frozen=True)
class Source:
    """One Python file."""

    path: Path
    text: str

    @property
    def name(self) -> str:
        """The path from the root, for messages."""
        return str(self.path.relative_to(ROOT)) if self.path.is_relative_to(ROOT) else str(self.path)

    @property
    def module(self) -> str:
        """The dotted name, with no ``__init__`` in it."""
        parts = Path(self.name).with_suffix('').parts
        return '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)

    @functools.cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.name)


@dataclass(frozen=True)
class Import:
    """One import statement's target; for ``from a import b`` both ``a`` and ``a.b`` where that is a module."""

    source: Source
    line: int
    target: str

    def __str__(self) -> str:
        return f'{self.source.name}:{self.line} imports {self.target}'


def sources(*folders: str) -> tuple[Source, ...]:
    """Every Python file below ``folders`` (all of ``SOURCES`` if none is named)."""
    return tuple(source for folder in folders or SOURCES for source in _below(folder))


@functools.cache
def _below(folder: str) -> tuple[Source, ...]:
    return tuple(Source(path, path.read_text()) for path in sorted((ROOT / folder).rglob('*.py'))
                 if '__pycache__' not in path.parts)


def package() -> tuple[Source, ...]:
    """The files of the program itself."""
    return sources(PACKAGE)


@functools.cache
def is_module(name: str) -> bool:
    """Whether a dotted name of ours is a module or a package."""
    path = ROOT.joinpath(*name.split('.'))
    return path.is_dir() or path.with_suffix('.py').is_file()


@functools.cache
def imports(source: Source) -> tuple[Import, ...]:
    """All imports, those in functions, under TYPE_CHECKING and by name included."""
    return tuple(_imports(source))


def _imports(source: Source) -> Iterator[Import]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(source, node.lineno, alias.name)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(source, node)
            for alias in node.names:
                full = f'{base}.{alias.name}'
                yield Import(source, node.lineno, full if _is_ours(base) and is_module(full) else base)
        elif isinstance(node, ast.Call) and node.args and _called(node).endswith('import_module'):
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield Import(source, node.lineno, first.value)


def _is_ours(name: str) -> bool:
    return name.split('.', 1)[0] in SOURCES


def _called(node: ast.Call) -> str:
    return ast.unparse(node.func)


def _absolute(source: Source, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ''
    parts = source.module.split('.')
    parents = parts if source.path.name == '__init__.py' else parts[:-1]
    base = parents[:len(parents) - node.level + 1]
    return '.'.join([*base, node.module] if node.module else base)


def functions(source: Source) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every function with its dotted name, methods and inner ones included."""
    def visit(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield f'{prefix}{child.name}', child
                yield from visit(child, f'{prefix}{child.name}.')
            elif isinstance(child, ast.ClassDef):
                yield from visit(child, f'{prefix}{child.name}.')
            else:
                yield from visit(child, prefix)
    return visit(source.tree, '')


def sample(text: str, path: str = 'nova_lite/sample.py') -> Source:
    """A file that exists in a test only, to show that a rule can fail."""
    return Source(ROOT / path, text)


def none_of(problems: Iterable[str]) -> None:
    """Fail with every problem on a line of its own."""
    found = list(problems)
    if found:
        pytest.fail('\n'.join(found), pytrace=False)
