"""How the package is written: small modules and functions, explained, one name for one thing, no swallowed error."""

import ast
from collections import defaultdict

from tests.support.places import ROOT
from tests.unit.house.source import MODULES, functions, name_of, tree

LINES_MAX = 300
FUNCTION_LINES_MAX = 60
SAME_NAME: dict[str, str] = {}
"""Class names that two modules may share, and why. None today."""
CODE = [*MODULES, *(path for folder in ("training", "benchmarks") for path in sorted((ROOT / folder).rglob("*.py")))]


def test_modules_are_small() -> None:
    """A module is about one thing, and can be read in one sitting."""
    lines = {str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines()) for path in CODE}
    assert {name: count for name, count in lines.items() if count > LINES_MAX} == {}


def test_functions_are_small() -> None:
    """A function fits a screen."""
    lengths = {
        f"{path.relative_to(ROOT)}: {node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for path in CODE
        for node in functions(path)
    }
    assert {name: count for name, count in lengths.items() if count > FUNCTION_LINES_MAX} == {}


def test_public_names_are_explained() -> None:
    """Every public module, class and top-level function says what it is for."""
    silent = [name_of(path) for path in MODULES if not ast.get_docstring(tree(path))]
    for path in MODULES:
        for node in tree(path).body:
            match node:
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                    if not name.startswith("_") and not ast.get_docstring(node):
                        silent.append(f"{name_of(path)}: {name}")
    assert silent == []


def test_no_error_is_swallowed_whole() -> None:
    """An `except` names what it expects: a bare one, or one for all exceptions, would hide the next bug.

    Cleaning up and raising on is fine.
    """
    found = []
    for path in MODULES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ExceptHandler):
                caught = ast.unparse(node.type) if node.type else ""
                passed_on = isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None
                if not passed_on and caught in {"", "Exception", "BaseException"}:
                    found.append(f"{name_of(path)}, line {node.lineno}")
    assert found == []


def test_packages_hold_a_docstring_only() -> None:
    """A name is imported from the module that defines it; importing a room costs nothing.

    The package itself has its version, and the command line the table of its commands.
    """
    packages = [path for path in MODULES if path.name == "__init__.py"]
    full = [name_of(path) for path in packages if len(tree(path).body) > 1]
    assert sorted(full) == ["__init__.py", "cli/__init__.py"]


def test_no_two_public_classes_share_a_name() -> None:
    """A name says which thing is meant, wherever it is read."""
    places: dict[str, list[str]] = defaultdict(list)
    for path in MODULES:
        for node in tree(path).body:
            # The document of the API describes from outside what has its own class within.
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and path.parent.name != "document":
                places[node.name].append(name_of(path))
    assert {name: found for name, found in places.items() if len(found) > 1 and name not in SAME_NAME} == {}
    assert [name for name in SAME_NAME if len(places[name]) < 2] == []
