"""The rules of the house, held by reading the source: who may import what, and what the pure core may not touch."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.places import ROOT

PACKAGE = ROOT / "rice_stream"
MODULES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

CORE = ("basis", "budgets", "errors", "estimator", "events", "meter", "reference", "instants", "quantities")
"""Modules and packages that take values and return values; pure but for the loaders."""
LOADERS = {
    "estimator/registry.py": "reads the fitted artefacts",
    "estimator/calibrated/method.py": "reads its fitted artefact",
    "estimator/embodied.py": "reads its table of factors",
    "reference/loader.py": "reads the tables",
}
MAY_IMPORT = {
    "faust": {"worker/faust_transport.py", "worker/app.py"},
    "fastapi": {"api/"},
    "uvicorn": {"cli/serve.py"},
    "litellm": {"contrib/litellm.py"},
    "pyarrow": {"files/tables.py"},
    "sqlalchemy": {
        "store/",  # the tables and statements
        "pipeline/",  # is handed an engine
        "alerting/",  # one transaction a budget
        "runtime/",  # opens the engine
        "proof/",
        "kafka/record_fetch.py",
        "reports/",  # reads
        "sandbox/demo/",  # reads, for its screen
        "worker/relay.py",  # the outbox
        "cli/budget.py",
        "cli/tenant.py",
        "cli/worker.py",
    },
}
IMPURE_CALLS = {"open", "print", "input"}
IMPURE_NAMES = {
    "time.time",
    "time.monotonic",
    "time.sleep",
    "datetime.now",
    "datetime.utcnow",
    "date.today",
    "os.environ",
    "os.getenv",
    "random.random",
    "np.random.default_rng",
}
IMPURE_MODULES = {"os", "random", "requests", "secrets", "socket", "subprocess", "urllib.request", "http.client"}
LINES_MAX = 330
FUNCTION_LINES_MAX = 75


def _name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            # `from rice_stream import store` imports a module as well.
            yield from (f"{node.module}.{alias.name}" for alias in node.names if node.module == "rice_stream")


def _is_core(path: Path) -> bool:
    first = Path(_name(path)).parts[0].removesuffix(".py")
    return first in CORE and _name(path) not in LOADERS


CORE_MODULES = [path for path in MODULES if _is_core(path)]


@pytest.mark.parametrize("path", CORE_MODULES, ids=_name)
def test_imports_point_inwards(path: Path) -> None:
    """The core imports the core, and nothing of the shell around it."""
    inside = set(CORE)
    outward = [m for m in _imports(path) if m.startswith("rice_stream.") and m.split(".")[1] not in inside]
    assert outward == []


@pytest.mark.parametrize("path", CORE_MODULES, ids=_name)
def test_the_core_reads_no_clock_file_network_or_environment(path: Path) -> None:
    """Everything comes in as a value, so that the same input gives the same numbers for ever."""
    assert not IMPURE_MODULES & set(_imports(path))
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in IMPURE_CALLS, f"line {node.lineno}: {node.func.id}()"
        if isinstance(node, ast.Attribute):
            assert ast.unparse(node) not in IMPURE_NAMES, f"line {node.lineno}: {ast.unparse(node)}"


@pytest.mark.parametrize("library", MAY_IMPORT)
def test_a_library_stays_in_its_rooms(library: str) -> None:
    """Only the modules that are about Faust, HTTP or SQL know the library for it."""
    importing = {_name(path) for path in MODULES if any(m.split(".")[0] == library for m in _imports(path))}
    rooms = MAY_IMPORT[library]
    strangers = {
        name for name in importing if not any(name == r or (r.endswith("/") and name.startswith(r)) for r in rooms)
    }
    assert strangers == set()


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_modules_and_functions_stay_small(path: Path) -> None:
    """One screenful of one thing: about 300 lines a module and 60 a function, with a little slack."""
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= LINES_MAX
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= FUNCTION_LINES_MAX, f"{node.name} has {length} lines"


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_public_names_are_explained(path: Path) -> None:
    """Every public module, class and top-level function says what it is for."""
    tree = ast.parse(path.read_text("utf-8"))
    assert ast.get_docstring(tree), "the module has no docstring"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{node.name} has no docstring"


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_no_error_is_swallowed_whole(path: Path) -> None:
    """An `except` names what it expects: a bare one, or one for all exceptions, would hide the next bug.

    Cleaning up and raising on is fine.
    """
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else ""
            passed_on = isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None
            assert passed_on or caught not in {"", "Exception", "BaseException"}, f"line {node.lineno}"


def test_every_test_says_what_it_guarantees() -> None:
    """In its docstring, or in a name of several words; and every module of tests says what it is about."""
    for path in TESTS:
        tree = ast.parse(path.read_text("utf-8"))
        assert ast.get_docstring(tree) or not tree.body, f"{path} has no docstring"
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                assert ast.get_docstring(node) or len(node.name.split("_")) > 2, f"{path}: {node.name}"


def test_no_test_is_skipped_and_none_sleeps() -> None:
    """A service that cannot start is a failure; a test waits for a condition, with a deadline."""
    forbidden = {"time.sleep", *(f"pytest.{name}" for name in ("skip", "importorskip", "xfail"))}
    forbidden |= {f"pytest.mark.{name}" for name in ("skip", "skipif", "xfail")}
    for path in TESTS:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Attribute):
                assert ast.unparse(node) not in forbidden, f"{path}, line {node.lineno}: {ast.unparse(node)}"


def test_rules_about_modules_name_modules_that_exist() -> None:
    """A room that has moved must not leave its permission behind."""
    rooms = {room for rooms in MAY_IMPORT.values() for room in rooms} | set(LOADERS)
    assert [room for room in sorted(rooms) if not (PACKAGE / room).exists()] == []
    assert [name for name in CORE if not (PACKAGE / name).exists() and not (PACKAGE / f"{name}.py").exists()] == []


def _tracked_texts() -> Iterator[tuple[str, str]]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout  # noqa: S607
    for name in listed.decode().split("\0"):
        path = ROOT / name
        if name and path.is_file() and path.suffix in {".py", ".md", ".toml", ".yaml", ".yml", ".csv", ".json", ""}:
            yield name, path.read_text("utf-8", errors="replace")


def test_no_registry_host_and_no_path_of_one_machine_is_in_the_project() -> None:
    """The project builds wherever its users' package clients are set up to look."""
    hosts = "|".join(
        [
            "py" + r"pi\.org",
            "python" + "hosted",
            "npm" + r"js\.(org|com)",
            r"deb\.deb" + r"ian\.org",
            r"repo1?\.ma" + "ven",
        ]
    )
    found = [name for name, text in _tracked_texts() if re.search(hosts, text)]
    assert found == []
    places = "(^|[^A-Za-z0-9.])/(" + "wo" + "rk|" + "fa" + "rm)/"
    assert [name for name, text in _tracked_texts() if re.search(places, text, re.MULTILINE)] == []


def test_what_runs_is_what_is_tested() -> None:
    """Every version in the lock of what runs stands in that of the tests, with the same hashes."""
    runs, tested = (_locked(ROOT / name) for name in ("requirements.lock", "requirements-dev.lock"))
    assert len(runs) > 50
    assert runs.items() <= tested.items()


def _locked(path: Path) -> dict[str, frozenset[str]]:
    """Requirement -> its hashes. One without a hash would not be installed as locked."""
    entries = path.read_text().replace("\\\n", " ").splitlines()
    found = {line.split("--hash")[0].strip(): frozenset(re.findall(r"--hash=(\S+)", line)) for line in entries}
    assert all(hashes for hashes in found.values())
    return found


def test_nothing_is_left_unfinished() -> None:
    """What is not done is in the tracker, not in a comment."""
    marks = "|".join(["TO" + "DO", "FIX" + "ME", "X" * 3, "NotImplemented" + "Error"])
    found = [name for name, text in _tracked_texts() if name.endswith(".py") and re.search(rf"\b({marks})\b", text)]
    assert found == []
