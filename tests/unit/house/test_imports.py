"""Who may import whom: the six rules of CONTRIBUTING.md hold, and each of them notices what breaks it."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from graphlib import TopologicalSorter
from itertools import chain
from pathlib import Path
from typing import Any

import grimp
import pytest

from tests.support.places import ROOT
from tests.unit.house.source import PACKAGE, imported

BOXES_MAX, LOOSE_MODULES_MAX = 29, 5
HTTP_CLIENTS = {"aiohttp", "http.client", "httpx", "requests", "urllib.request", "urllib3"}
CALL_OUT = ("feeds/", "sandbox/")
"""Rule 3 for modules within the standard library, which import-linter sees only as a whole. The sandbox asks its own
local servers whether they are up."""

PLANTED = {
    "Rule 1": [("instants", "rice_stream.store.engine"), ("quantities", "rice_stream.events.canonical")],
    "Rule 2": [
        ("events.planted", "rice_stream.kafka.client"),
        ("budgets.planted", "rice_stream.meter.amounts"),
        ("reference.planted", "rice_stream.estimator.method"),
        ("estimator.planted", "time"),
        ("meter.planted", "sqlalchemy"),
    ],
    "Rule 3": [
        ("store.planted", "rice_stream.runtime.settings"),
        ("kafka.planted", "rice_stream.store.engine"),
        ("feeds.planted", "rice_stream.alerting.judge"),
        ("alerting.planted", "sqlalchemy"),
        ("sandbox.planted", "sqlalchemy"),
        ("reports.planted", "confluent_kafka"),
        ("alerting.planted", "aiohttp"),
    ],
    "Rule 4": [
        ("pipeline.planted", "rice_stream.reports.totals"),
        ("alerting.planted", "rice_stream.worker.metrics"),
        ("reports.planted", "rice_stream.runtime.settings"),
    ],
    "Rule 5": [("files.planted", "rice_stream.worker.deadline"), ("runtime.planted", "rice_stream.api.limits")],
    "Rule 6": [("worker.planted", "rice_stream.cli.base"), ("reports.planted", "rice_stream.sandbox.stack.ports")],
}
"""Imports that each rule forbids: the importing module, and what it imports."""
CASES = [(rule, module, target) for rule, imports in PLANTED.items() for module, target in imports]


def _lint(root: Path) -> tuple[int, dict[str, str]]:
    """The exit status of import-linter over the packages in `root`, and what it says below the name of each contract."""
    program = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
    run = subprocess.run(
        [sys.executable, "-c", program, "--no-logo", "--no-cache", str(ROOT / "pyproject.toml")],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "COLUMNS": "500"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode in {0, 1}, run.stdout + run.stderr
    broken = run.stdout.partition("Broken contracts")[2]
    parts = re.split(r"^(.+)\n-{5,}\n", broken, flags=re.MULTILINE)
    return run.returncode, dict(zip(parts[1::2], parts[2::2], strict=True))


def test_the_rules_hold() -> None:
    """Every contract of pyproject.toml is kept."""
    status, broken = _lint(ROOT)
    assert (status, broken) == (0, {})


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What import-linter says of a copy in which every rule is broken, by the name of the contract."""
    root = tmp_path_factory.mktemp("planted")
    for package in ("rice_stream", "training"):
        shutil.copytree(ROOT / package, root / package, ignore=lambda _, names: [n for n in names if n == "data"])
    for _, module, target in CASES:
        path = root / "rice_stream" / f"{module.replace('.', '/')}.py"
        with path.open("a", encoding="utf-8") as file:
            file.write(f"\nimport {target}\n")
    return _lint(root)[1]


@pytest.mark.parametrize(("rule", "module", "target"), CASES)
def test_a_rule_notices_what_breaks_it(planted: dict[str, str], rule: str, module: str, target: str) -> None:
    """A planted import is reported below the name of the rule that forbids it."""
    reports = [text for name, text in planted.items() if name.startswith(rule)]
    assert any(re.search(rf"rice_stream\.{module} -> {target}\b", text) for text in reports), planted


def test_only_feeds_calls_out_by_http() -> None:
    """Rule 3, for the clients of the standard library."""
    assert _http_callers(PACKAGE) == []


def test_a_call_by_http_from_elsewhere_is_noticed(tmp_path: Path) -> None:
    """Rule 3: planted in a door, in the forms in which it can be written."""
    (tmp_path / "worker").mkdir()
    (tmp_path / "worker/one.py").write_text("import urllib.request")
    (tmp_path / "worker/two.py").write_text("from http import client")
    (tmp_path / "worker/fine.py").write_text("from http import HTTPStatus\nimport urllib.parse")
    assert _http_callers(tmp_path) == ["worker/one.py", "worker/two.py"]


def _http_callers(package: Path) -> list[str]:
    names = ((path.relative_to(package).as_posix(), path) for path in sorted(package.rglob("*.py")))
    return [name for name, path in names if not name.startswith(CALL_OUT) and HTTP_CLIENTS & set(imported(path))]


def test_no_exception_to_a_rule_is_left() -> None:
    """An import that a contract ignores is a rule that does not hold."""
    ignored = [import_ for contract in _contracts() for import_ in contract.get("ignore_imports", [])]
    assert ignored == []


def test_every_room_stands_on_one_floor() -> None:
    """A room above the ground is named by the rule of its floor, and every rule below names it as above."""
    rules = {
        contract["id"]: [re.split(r" [:|] ", layer) for layer in contract["layers"]]
        for contract in _contracts()
        if "layers" in contract
    }
    floors = [set(chain(*rules[name][1:])) for name in ("core", "outside-speech", "flows")] + [
        {"runtime"},
        set(rules["doors"][0]),
    ]
    assert set(rules["ground"][0]) == set().union(*floors) | {"cli", "sandbox"}
    for number, name in enumerate(("core", "outside-speech", "flows")):
        assert set(rules[name][0]) == set().union(*floors[number + 1 :])


def _contracts() -> list[dict[str, Any]]:
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    return list(linter["contracts"])


@pytest.mark.parametrize("package", ["rice_stream", "training", "benchmarks"])
def test_no_module_imports_itself_by_a_detour(package: str) -> None:
    """There is no cycle of imports."""
    graph = grimp.build_graph(package, cache_dir=None)
    order = TopologicalSorter({module: graph.find_modules_directly_imported_by(module) for module in graph.modules})
    order.prepare()  # raises CycleError, which names the cycle


def test_the_top_of_the_package_is_taken_in_at_a_glance() -> None:
    """A newcomer finds the room for a change in one look."""
    boxes = list(_boxes(PACKAGE))
    assert len(boxes) <= BOXES_MAX
    assert len([box for box in boxes if box.suffix == ".py"]) <= LOOSE_MODULES_MAX


def _boxes(package: Path) -> Iterator[Path]:
    for path in package.iterdir():
        if (path.suffix == ".py" and path.name != "__init__.py") or (path / "__init__.py").exists():
            yield path
