"""The pure core reads no clock, file, network or environment: what import-linter cannot see."""

import ast
from pathlib import Path

import pytest

from tests.unit.house.source import MODULES, PACKAGE, name_of

CORE = (
    "basis",
    "budgets",
    "channels",
    "canonical_json",
    "errors",
    "estimator",
    "events",
    "instants",
    "meter",
    "quantities",
    "reference",
    "transparency",
    "wording",
)
LOADERS = {
    "estimator/artefact_files.py": "reads the fitted artefacts and the factors of embodied carbon and water",
    "reference/loader.py": "reads the tables",
}
"""Modules of the core that read a file of the package."""
IMPURE_CALLS = {"open", "print", "input"}
IMPURE_NAMES = {
    "time.time",
    "time.monotonic",
    "time.perf_counter",
    "time.sleep",
    "datetime.now",
    "datetime.utcnow",
    "date.today",
    "os.environ",
    "os.getenv",
    "random.random",
    "np.random.default_rng",
}
IMPURE_METHODS = {"open", "read_bytes", "read_text", "write_bytes", "write_text"}


def _core() -> list[Path]:
    return [
        path
        for path in MODULES
        if name_of(path).split("/")[0].removesuffix(".py") in CORE and name_of(path) not in LOADERS
    ]


def impurities(source: str) -> list[str]:
    """What a module does that depends on more than its arguments, with the line."""
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in IMPURE_CALLS:
                found.append(f"line {node.lineno}: {name}()")
            case ast.Call(func=ast.Attribute(attr=name)) if name in IMPURE_METHODS:
                found.append(f"line {node.lineno}: .{name}()")
            case ast.Attribute() if ast.unparse(node) in IMPURE_NAMES:
                found.append(f"line {node.lineno}: {ast.unparse(node)}")
    return found


def test_the_core_reads_no_clock_file_network_or_environment() -> None:
    """Everything comes in as a value, so that the same input gives the same numbers for ever."""
    found = {name_of(path): impurities(path.read_text("utf-8")) for path in _core()}
    assert {name: impure for name, impure in found.items() if impure} == {}


@pytest.mark.parametrize(
    "line", ["x = open('a')", "x = datetime.now(UTC)", "x = os.environ['A']", "x = path.read_text()"]
)
def test_what_is_impure_is_noticed(line: str) -> None:
    """Rule 2: planted in a function."""
    assert len(impurities(f"def f():\n    {line}\n")) == 1


def test_the_core_and_its_loaders_exist() -> None:
    """A room that has moved must not leave its permission behind."""
    assert [name for name in CORE if not (PACKAGE / name).is_dir() and not (PACKAGE / f"{name}.py").exists()] == []
    assert [name for name in LOADERS if not (PACKAGE / name).exists()] == []
