# SPDX-License-Identifier: Apache-2.0
"""How big a module, a function and a class may get: the tail is what makes a tree hard to read."""

import ast
import re
from collections.abc import Callable, Iterator

import pytest

from tests.architecture import tree
from tests.architecture.tree import Source

MODULE_LINES, MODULE_LINES_P95 = 650, 450
FUNCTION_LINES, FUNCTION_LINES_P95 = 80, 45
COMPLEXITY = 12
PARAMETERS = 7
METHODS = 25
DECORATORS = 3
PATCHES_PER_1000_TEST_LINES = 5

# As mccabe counts; conditional expressions and boolean operators are not among them.
BRANCHES = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.comprehension, ast.match_case)

# Signatures that belong to the base class of a library.
FOREIGN_SIGNATURES = frozenset((
    'nova_lite/rpc/local/driver.py LocalDriver.send',
))

Function = ast.FunctionDef | ast.AsyncFunctionDef


def percentile95(values: list[int]) -> int:
    return sorted(values)[int(len(values) * 0.95)] if values else 0


def lines(source: Source) -> int:
    return source.text.count('\n')


def is_table(source: Source) -> bool:
    """Whether a module holds data and nothing that runs; such a one may be long."""
    return not any(isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
                   for node in ast.walk(source.tree))


def function_lines(function: Function) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def complexity(function: Function) -> int:
    """Cyclomatic complexity; an inner function counts for itself."""
    count = 1
    pending: list[ast.AST] = list(ast.iter_child_nodes(function))
    while pending:
        node = pending.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        count += isinstance(node, BRANCHES)
        pending.extend(ast.iter_child_nodes(node))
    return count


def parameters(function: Function) -> int:
    """Parameters without ``self`` and ``cls``."""
    arguments = function.args
    names = [one.arg for one in (*arguments.posonlyargs, *arguments.args)]
    count = len(names) - (names[:1] in (['self'], ['cls'])) + len(arguments.kwonlyargs)
    return count + (arguments.vararg is not None) + (arguments.kwarg is not None)


def decorators(function: Function) -> int:
    return len(function.decorator_list)


def too_much(source: Source, measure: Callable[[Function], int], limit: int) -> list[str]:
    return [f'{source.name}:{function.lineno} {name}: {measure(function)} > {limit}'
            for name, function in tree.functions(source) if measure(function) > limit
            and not (measure is parameters and f'{source.name} {name}' in FOREIGN_SIGNATURES)]


def big_classes(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ClassDef):
            methods = sum(isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)) for child in node.body)
            if methods > METHODS:
                yield f'{source.name}:{node.lineno} {node.name}: {methods} > {METHODS}'


def test_modules_are_short():
    tree.none_of([f'{source.name}: {lines(source)}' for source in tree.sources()
            if lines(source) > MODULE_LINES and not is_table(source)])
    assert percentile95([lines(source) for source in tree.package() if not is_table(source)]) <= MODULE_LINES_P95


@pytest.mark.parametrize(('measure', 'limit'), [
    (function_lines, FUNCTION_LINES), (complexity, COMPLEXITY), (parameters, PARAMETERS), (decorators, DECORATORS),
])
def test_functions_are_small(measure, limit):
    tree.none_of([line for source in tree.sources() for line in too_much(source, measure, limit)])


def test_most_functions_are_shorter_still():
    found = [function_lines(function) for source in tree.package() for _, function in tree.functions(source)]
    assert percentile95(found) <= FUNCTION_LINES_P95


def test_classes_have_few_methods():
    tree.none_of([line for source in tree.sources() for line in big_classes(source)])


def test_tests_hardly_patch():
    tests = tree.sources('tests')
    patches = sum(len(re.findall(r'mock\.patch|mocker\.patch', source.text)) for source in tests
                  if source.path.parent.name != 'architecture')
    total = sum(map(lines, tests))
    assert patches <= PATCHES_PER_1000_TEST_LINES * total / 1000, f'{patches} in {total} lines'


@pytest.mark.parametrize(('text', 'measure', 'limit'), [
    ('def f():\n' + '    a\n' * 80, function_lines, FUNCTION_LINES),
    ('def f(x):\n' + '    if x:\n        a\n' * 12, complexity, COMPLEXITY),
    ('def f(x):\n    try:\n        a\n' + '    except B:\n        [y for y in x]\n' * 6, complexity, COMPLEXITY),
    ('class C:\n    def f(self, a, b, c, d, *e, f, g, **h): a', parameters, PARAMETERS),
    ('@a\n@b\n@c\n@d\ndef f(): a', decorators, DECORATORS),
])
def test_an_overdrawn_budget_is_found(text, measure, limit):
    assert too_much(tree.sample(text), measure, limit)


def test_a_big_class_is_found():
    body = ''.join(f'    def f{n}(self): pass\n' for n in range(METHODS + 1))
    assert list(big_classes(tree.sample('class C:\n' + body)))


def test_self_is_no_parameter():
    assert not too_much(tree.sample('class C:\n    def f(self, a, b, c, d, e, f, g): a'), parameters, PARAMETERS)
