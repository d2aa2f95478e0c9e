"""The source of the package and of its tests, as the rules of the house read it. Every file is parsed once."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.support.places import ROOT

PACKAGE = ROOT / "rice_stream"
MODULES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))


def name_of(path: Path) -> str:
    """A module's path within the package: `store/writer.py`."""
    return path.relative_to(PACKAGE).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    """A module, parsed."""
    return ast.parse(path.read_text("utf-8"))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method of a module."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def imported(path: Path) -> Iterator[str]:
    """Every module that `path` imports; `from a import b` may import `a.b`, so it counts as both."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def tracked_texts() -> tuple[tuple[str, str], ...]:
    """Name and text of every text file of the project that git knows."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout  # noqa: S607
    suffixes = {".py", ".md", ".toml", ".yaml", ".yml", ".csv", ".json", ""}
    paths = {name: ROOT / name for name in listed.decode().split("\0") if name}
    return tuple(
        (name, path.read_text("utf-8", errors="replace"))
        for name, path in paths.items()
        if path.is_file() and path.suffix in suffixes
    )
