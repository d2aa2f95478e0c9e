"""CONTRIBUTING.md: the rules and the rooms that it names are those of the code, and `make help` knows every target."""

import re
import subprocess
import tomllib

from tests.support.docs_reading import codes, rows, section, text_of
from tests.support.places import ROOT


def test_the_ten_questions_have_one_folder_each() -> None:
    """Whoever has never seen the tree finds the room: a folder that exists, or is marked as coming."""
    questions = list(rows(section(text_of("CONTRIBUTING.md"), "## Where would this go?")))
    assert len(questions) == 10
    for question, answer in questions:
        [folder] = codes(answer)
        assert answer in {f"`{folder}`", f"`{folder}` (coming)"}, question
        assert (ROOT / folder).is_dir() != answer.endswith("(coming)"), question


def test_the_six_rules_are_those_that_lint_checks() -> None:
    """Every numbered rule has a contract of import-linter."""
    stated = re.findall(r"^(\d)\. \*\*", section(text_of("CONTRIBUTING.md"), "## The six import rules"), re.MULTILINE)
    contracts = tomllib.loads(text_of("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    checked = {found[1] for contract in contracts if (found := re.match(r"Rule (\d): ", contract["name"]))}
    assert stated == sorted(checked) == ["1", "2", "3", "4", "5", "6"]


def test_every_room_is_described() -> None:
    """docs/architecture.md says what each folder and module at the top of the package is for."""
    table = section(text_of("docs/architecture.md"), "## Rooms")
    named = {word for cells in rows(table) for word in codes(cells[1])}
    boxes = [
        path for path in (ROOT / "rice_stream").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    ]
    assert named == {path.relative_to(ROOT).as_posix() for path in boxes} - {"rice_stream/__init__.py"}


def test_make_help_lists_every_target() -> None:
    """A target without a line in `make help` is one that nobody finds."""
    makefile = text_of("Makefile")
    phony = re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)[0].split()
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout  # noqa: S607
    assert sorted(re.findall(r"^  make (\S+)", listed, re.MULTILINE)) == sorted(phony)
    assert {"setup", "demo", "test", "drill", "bench-large", "bench", "lint", "quick", "format", "help"} <= set(phony)
