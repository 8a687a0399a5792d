"""Which test carries out which method of the contract end to end, found in the tests' own code.

A test does when it names the method of a stub, itself or through the helpers it calls. Calls that are meant to fail
(those inside ``failure(…)``) do not count.
"""

import ast
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from payment_kit.api import contract

FOLDER = Path(__file__).resolve().parent
HELPERS = "calls"
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Found(NamedTuple):
    """A test by its file and its name."""

    file: str
    test: str


@cache
def exercised() -> dict[str, Found]:
    """The first test of each method, by the method's name, in the file that carries out most of its service."""
    found: dict[str, Found] = {}
    tests = _tests({method.name for service in contract.services() for method in contract.methods(service)})
    for service in contract.services():
        wanted = {method.name for method in contract.methods(service)}
        named = Counter(file for file, _ in {(test.file, name) for test in tests for name in tests[test] & wanted})
        for test in sorted(tests, key=lambda test: -named[test.file]):
            for name in tests[test] & wanted:
                found.setdefault(name, test)
    return found


def _tests(names: set[str]) -> dict[Found, set[str]]:
    """Every test, and which of the methods `names` it carries out."""
    helpers = _functions(FOLDER / f"{HELPERS}.py")
    found: dict[Found, set[str]] = {}
    for path in sorted(FOLDER.glob("test_*.py")):
        own = _functions(path)
        known = {f"{HELPERS}.{name}": node for name, node in helpers.items()} | helpers | own
        for name, node in own.items():
            if name.startswith("test_"):
                whole = [node, *(known[helper] for helper in _helpers(node, known))]
                found[Found(path.name, name)] = {method for one in whole for method in _named(one, names)}
    return found


def _functions(path: Path) -> dict[str, Function]:
    return {node.name: node for node in ast.parse(path.read_text()).body if isinstance(node, Function)}


def _named(function: Function, names: set[str]) -> Iterator[str]:
    """The methods a function names."""
    return (node.attr for node in _calls(function) if isinstance(node, ast.Attribute) and node.attr in names)


def _helpers(function: Function, known: dict[str, Function]) -> set[str]:
    """The helpers a function calls, and those they call."""
    found: set[str] = set()
    waiting: list[ast.AST] = [function]
    while waiting:
        for node in _calls(waiting.pop()):
            name = ast.unparse(node) if isinstance(node, ast.Attribute | ast.Name) else ""
            if name in known and name not in found:
                found.add(name)
                waiting.append(known[name])
    return found


def _calls(node: ast.AST) -> Iterator[ast.AST]:
    """All that stands in a node, but for what is meant to fail."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call) and isinstance(child.func, ast.Name) and child.func.id == "failure":
            continue
        yield child
        yield from _calls(child)
