"""What the transport uses of aiokafka's and Faust's inner names is there in the installed versions; if not, the start says so."""

import ast
import re
import tomllib
from importlib.metadata import PackageNotFoundError
from typing import Any

import pytest
from aiokafka.consumer import fetcher
from faust.transport.drivers import aiokafka as driver

from rice_stream.errors import UsageError
from rice_stream.runtime.settings.loading import load_settings
from rice_stream.worker import inner_names
from rice_stream.worker.app import create_app
from rice_stream.worker.batch_pace import BatchPace
from rice_stream.worker.inner_names import AIOKAFKA, FAUST, Package, check
from tests.support.places import ROOT

PACKAGES = {package.name: package for package in (AIOKAFKA, FAUST)}


def test_the_installed_versions_are_in_the_range_and_have_every_name() -> None:
    """The lock file holds the newest versions that pyproject.toml allows, and the tests run with those."""
    check()


@pytest.mark.parametrize("package", PACKAGES.values(), ids=PACKAGES)
def test_the_range_is_the_one_that_is_installed_by(package: Package) -> None:
    """pip gets the same bounds from pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    stated = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    assert package.requirement in stated


@pytest.mark.parametrize("package", PACKAGES.values(), ids=PACKAGES)
@pytest.mark.parametrize("version", ["0.13.9", "0.15.2", "0.16.0", "1.0"])
def test_a_version_that_was_not_tested_ends_the_start(package: Package, version: str) -> None:
    """Older or newer: the package, its version, and what to install."""
    with pytest.raises(UsageError) as caught:
        check((package,), lambda _name: version)
    assert f"{package.name} {version} is installed" in str(caught.value)
    assert f"pip install '{package.requirement}'" in str(caught.value)


@pytest.mark.parametrize(("package", "version"), [(AIOKAFKA, "0.14.7"), (FAUST, "0.15.3.post1"), (FAUST, "0.15.10")])
def test_a_correction_of_a_tested_version_is_taken(package: Package, version: str) -> None:
    check((package,), lambda _name: version)


def test_a_package_that_is_not_there_is_named() -> None:
    def nothing(_name: str) -> str:
        raise PackageNotFoundError

    with pytest.raises(UsageError, match=r"package aiokafka is not installed; .*pip install 'aiokafka>="):
        check(version_of=nothing)


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (fetcher.PartitionRecords, "_consumer_record"),
        (driver.AIOKafkaConsumerThread, "_fetch_records"),
        (driver.AIOKafkaConsumerThread, "_create_worker_consumer"),
    ],
)
def test_a_name_that_has_gone_ends_the_start_before_anything_connects(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str
) -> None:
    """The message tells the package, its version, the name, and what to install."""
    monkeypatch.delattr(owner, name)
    with pytest.raises(
        UsageError, match=rf"(aiokafka|faust-streaming) [\d.]+ is installed, and has no \S+\.{name} .*pip install"
    ):
        create_app(load_settings(environment={}), BatchPace(0.4))


def test_other_parameters_and_attributes_that_are_no_longer_set_count_as_gone() -> None:
    """What is there by name only would fail later, amid the work."""

    def missing(names: dict[str, str]) -> str:
        package = AIOKAFKA._replace(classes={f"{__name__}:Example": names})
        with pytest.raises(UsageError) as caught:
            check((package,))
        return "".join(re.findall(r"Example\.(\w+)", str(caught.value)))

    check((AIOKAFKA._replace(classes={f"{__name__}:Example": {"method": "self value", "_kept": inner_names.INIT}}),))
    assert missing({"method": "self value more"}) == "method"
    assert missing({"_kept": inner_names.INIT, "_other": inner_names.INIT}) == "_other"
    assert missing({"method": "self value", "prop": inner_names.MEMBER}) == "prop"


class Example:
    """Has one of each."""

    def __init__(self) -> None:
        self._kept = 1

    def method(self, value: int) -> int:
        return value + self._kept


def test_every_private_name_that_the_transport_uses_is_checked() -> None:
    """A name that the transport begins to use without being listed would not be checked at the start."""
    listed = {name for package in PACKAGES.values() for names in package.classes.values() for name in names}
    modules = ("faust_transport.py", "consumer_thread.py", "fetch_pacing.py")
    tree = ast.parse("\n".join((ROOT / "rice_stream" / "worker" / name).read_text("utf-8") for name in modules))
    own = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr.startswith("_")]
    own |= {node.attr for node in attributes if isinstance(node.ctx, ast.Store)}
    used = {node.attr for node in attributes if not node.attr.startswith("__")}
    assert used - own - listed == set()


def test_no_other_module_touches_private_names_of_other_libraries() -> None:
    """`x._name` where x is not self, cls or a module's own class: only `inner_names` does that in the worker."""
    found = []
    for path in sorted((ROOT / "rice_stream" / "worker").glob("*.py")):
        if path.name == "inner_names.py":
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Attribute) and re.match(r"_[a-z]", node.attr):
                value = ast.unparse(node.value)
                if value not in {"self", "super()", "os"}:
                    found.append(f"{path.name}:{node.lineno} {value}.{node.attr}")
    assert found == []
