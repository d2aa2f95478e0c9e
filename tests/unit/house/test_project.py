"""The project as a whole: no address of one machine or registry, what runs is what is tested, nothing is left unfinished."""

import re
from pathlib import Path

from tests.support.places import ROOT
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
