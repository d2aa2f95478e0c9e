"""How the tests are written: each says what it guarantees, none is skipped, none sleeps."""

import ast

from tests.support.places import ROOT
from tests.unit.house.source import TESTS, functions, tree


def test_every_test_says_what_it_guarantees() -> None:
    """In its docstring, or in a name of several words; and every module of tests says what it is about."""
    silent = [str(path.relative_to(ROOT)) for path in TESTS if tree(path).body and not ast.get_docstring(tree(path))]
    silent += [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in TESTS
        for node in functions(path)
        if node.name.startswith("test_") and not ast.get_docstring(node) and len(node.name.split("_")) <= 2
    ]
    assert silent == []


def test_no_test_is_skipped_and_none_sleeps() -> None:
    """A service that cannot start is a failure; a test waits for a condition, with a deadline.

    The one place that may skip is for programs of the system's packages (in CI it fails as well).
    """
    forbidden = {"time.sleep", *(f"pytest.{name}" for name in ("skip", "importorskip", "xfail"))}
    forbidden |= {f"pytest.mark.{name}" for name in ("skip", "skipif", "xfail")}
    last = {name.rpartition(".")[2] for name in forbidden}
    found = [
        f"{path.relative_to(ROOT)}, line {node.lineno}: {ast.unparse(node)}"
        for path in TESTS
        if path != ROOT / "tests/support/programs.py"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and node.attr in last and ast.unparse(node) in forbidden
    ]
    assert found == []
