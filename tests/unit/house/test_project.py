"""The project as a whole: no address of one machine or registry, what runs is what is tested, nothing is left unfinished."""

import hashlib
import re
import tomllib
from pathlib import Path

import yaml

from tests.support.places import ROOT, SUPPORT
from tests.unit.house.source import tracked_texts


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
    found = [name for name, text in tracked_texts() if re.search(hosts, text)]
    assert found == []
    places = "(^|[^A-Za-z0-9.])/(" + "wo" + "rk|" + "fa" + "rm)/"
    assert [name for name, text in tracked_texts() if re.search(places, text, re.MULTILINE)] == []


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
    found = [name for name, text in tracked_texts() if name.endswith(".py") and re.search(rf"\b({marks})\b", text)]
    assert found == []


def test_hosted_ci_runs_what_we_run_on_every_python_that_is_supported() -> None:
    """`.ci/run`, from the oldest Python of pyproject.toml on."""
    [job] = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text("utf-8"))["jobs"].values()
    assert job["steps"][-1] == {"run": ".ci/run"}
    pythons = job["strategy"]["matrix"]["python"]
    assert pythons == ["3.11", "3.12", "3.13", "3.14"]
    oldest = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["requires-python"]
    assert oldest == f">={pythons[0]}"


def test_the_hooks_of_a_commit_fetch_nothing() -> None:
    """They run what `make setup` has installed, as `make lint` does."""
    repositories = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))["repos"]
    assert [repository["repo"] for repository in repositories] == ["local"]
    lint = (ROOT / "Makefile").read_text("utf-8").replace("$(BIN)", ".venv/bin")
    for hook in repositories[0]["hooks"]:
        assert hook["language"] == "system"
        assert hook["entry"].removesuffix(" --fix") in lint


def test_what_tests_bring_along_of_others_is_as_it_was_published() -> None:
    """The digest of axe-core is that of its README, which names version and licence."""
    folder = SUPPORT / "vendor" / "axe"
    [digest] = re.findall(r"sha256 of `axe.min.js` \| `([0-9a-f]{64})`", (folder / "README.md").read_text("utf-8"))
    assert hashlib.sha256((folder / "axe.min.js").read_bytes()).hexdigest() == digest
    assert "Mozilla Public License, version 2.0" in (folder / "LICENSE").read_text("utf-8")
