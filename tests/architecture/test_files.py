# SPDX-License-Identifier: Apache-2.0
"""What every file starts with, and words that no file holds."""

import ast
import re

import pytest

from tests.architecture import tree
from tests.architecture.tree import Source

LICENCE = '# SPDX-License-Identifier: Apache-2.0'
SUFFIXES = frozenset(('.py', '.rst', '.sh', '.cfg', '.toml', '.ini', '.conf', '.yaml', '.service', '.apt'))
NAMES = frozenset(('Makefile', 'run'))
# Spelt so that this file does not hold them.
FORBIDDEN = tuple(re.compile(pattern) for pattern in (
    r'\bTO' r'DO\b', r'\bFIX' r'ME\b', r'\bXX' r'X\b', r'\bNotImplemented' r'Error\b',
))
# Handlers turn a version into named fields; below the API nobody knows one.
VERSIONLESS = ('ops', 'conductor', 'compute', 'scheduler', 'virt', 'model')
VERSION_WORDS = frozenset(('minor', 'microversion', 'api_version'))


def starts_right(source: Source) -> bool:
    """A licence line, then a docstring that says why the module exists."""
    text = source.text.split('\n', 1)
    first = text[1] if text[0].startswith('#!') else source.text
    docstring = ast.get_docstring(source.tree) or ''
    return first.startswith(LICENCE + '\n') and len(docstring) > 20


def forbidden_words(text: str) -> list[str]:
    return [match.group() for pattern in FORBIDDEN for match in pattern.finditer(text)]


def version_names(source: Source) -> list[str]:
    """Identifiers that say a microversion."""
    found = []
    for node in ast.walk(source.tree):
        names = [getattr(node, field, None) for field in ('id', 'attr', 'arg', 'name')]
        found += [f'{source.name}:{getattr(node, "lineno", 0)} {name}' for name in names
                  if isinstance(name, str) and VERSION_WORDS.intersection((name, *re.split(r'[._]', name)))]
    return found


def texts() -> dict[str, str]:
    """Every text file of ours by its path."""
    folders = [tree.ROOT / folder for folder in (*tree.SOURCES, 'docs', 'etc', 'changes', '.ci')]
    files = [path for folder in folders for path in folder.rglob('*') if path.is_file()]
    files += [path for path in tree.ROOT.iterdir() if path.is_file()]
    return {str(path.relative_to(tree.ROOT)): path.read_text() for path in files
            if (path.suffix in SUFFIXES or path.name in NAMES) and '_build' not in path.parts}


def test_every_module_starts_right():
    tree.none_of([source.name for source in tree.sources() if not starts_right(source)])


def test_every_folder_of_the_program_is_a_package():
    # setup.cfg finds packages; a folder without this file would be missing from what is installed.
    tree.none_of(sorted({str(source.path.parent) for source in tree.package()
                         if not (source.path.parent / '__init__.py').exists()}))


def test_no_file_holds_a_forbidden_word():
    tree.none_of(f'{name}: {found}' for name, text in texts().items() if (found := forbidden_words(text)))


def test_nobody_below_the_api_knows_a_microversion():
    tree.none_of([line for source in tree.package() if source.module.split('.')[1:2] in ([name] for name in VERSIONLESS)
            for line in version_names(source)])


def test_only_commands_read_the_global_configuration():
    tree.none_of([source.name for source in tree.package() if re.search(r'\bcfg\.CONF\b', source.text)
            and not source.name.startswith('nova_lite/cmd/')])


def test_no_file_names_a_path_of_one_machine():
    # A path of the machine that the code was written on works nowhere else.
    tree.none_of([name for name, text in texts().items() if re.search(r'(?<![\w.])/(root|work)/', text)
            and name != 'tests/architecture/test_files.py'])


@pytest.mark.parametrize('text', [
    '"""A docstring that is long enough."""\n',
    LICENCE + '\n',
    LICENCE + '\n"""Short."""\n',
])
def test_a_wrong_start_is_found(text):
    assert not starts_right(tree.sample(text))


@pytest.mark.parametrize('word', ['TO' + 'DO: later', '# FIX' + 'ME', 'raise NotImplemented' + 'Error'])
def test_a_forbidden_word_is_found(word):
    assert forbidden_words(word)


@pytest.mark.parametrize('text', ['def f(minor): pass', 'x.minor', 'f(microversion=1)', 'min_minor = 1', 'minor = 2'])
def test_a_version_is_found(text):
    assert version_names(tree.sample(text))
