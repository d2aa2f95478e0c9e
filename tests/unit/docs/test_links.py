"""No link, and no path of a file that the documents name, is dead."""

import re
import tomllib

import pytest

from tests.support.docs_reading import anchors, codes, documents, links, prose, rows, section, text_of
from tests.support.places import ROOT


@pytest.mark.parametrize("document", documents())
def test_every_relative_link_leads_to_a_file_and_to_a_heading_in_it(document: str) -> None:
    """A reader who follows a link arrives."""
    for target in links(text_of(document)):
        if re.match(r"[a-z]+:", target):
            assert target.startswith("https://"), target
            continue
        path, _, fragment = target.partition("#")
        file = (ROOT / document).parent / path if path else ROOT / document
        assert file.exists(), f"{document}: {target}"
        if fragment:
            assert fragment in anchors(file.read_text("utf-8")), f"{document}: {target}"


@pytest.mark.parametrize("document", documents())
def test_every_project_file_named_in_code_style_exists(document: str) -> None:
    """`rice_stream/events/canonical.py` in a text is a file; `tests/...` that shows a promise is there to show it.

    What is marked `(coming)` is not there yet: the mark has to go with the file's arrival.
    """
    folders = ("rice_stream", "tests", "docs", "deploy", "training", "benchmarks", "migrations")
    text = prose(text_of(document))
    coming = set(re.findall(r"`([^`]+)` \(coming\)", text))
    for word in codes(text):
        if word.startswith(tuple(f"{folder}/" for folder in folders)) and not any(sign in word for sign in "*<{ "):
            assert (ROOT / word.split("::")[0]).exists() != (word in coming), f"{document}: {word}"


@pytest.mark.parametrize("document", documents())
def test_every_module_named_in_code_style_exists(document: str) -> None:
    """`decoding.py` and `events/decoding.py` are the end of a file's path; `rice_stream.events.decoding` is a module."""
    folders = ("rice_stream", "tests", "training", "migrations", "deploy")
    files = [path.as_posix() for folder in folders for path in (ROOT / folder).rglob("*.py")]
    for word in codes(prose(text_of(document))):
        if re.fullmatch(r"[\w/]+\.py", word):
            assert any(file.endswith(f"/{word}") for file in files), f"{document}: {word}"
        if re.fullmatch(r"rice_stream(\.\w+)+", word):
            module = ROOT / word.replace(".", "/")
            assert module.is_dir() or module.with_suffix(".py").exists() or module.parent.with_suffix(".py").exists(), (
                f"{document}: {word}"
            )


def test_every_document_can_be_reached_from_the_readme() -> None:
    """Whoever begins with README.md finds everything."""
    seen: set[str] = set()
    queue = ["README.md"]
    while queue:
        document = queue.pop()
        if document in seen:
            continue
        seen.add(document)
        for target in links(text_of(document)):
            file = ((ROOT / document).parent / target.partition("#")[0]).resolve()
            if file.suffix == ".md" and file.is_file():
                queue.append(file.relative_to(ROOT).as_posix())
    assert set(documents()) <= seen


def test_every_dependency_has_a_reason() -> None:
    """docs/decisions.md names each package that the base and its extras install, and none that they do not."""
    project = tomllib.loads(text_of("pyproject.toml"))["project"]
    extras = project["optional-dependencies"]
    needed = set(map(_package, project["dependencies"]))
    for extra in extras.keys() - {"dev"}:
        needed |= set(map(_package, extras[extra]))
    needed -= {project["name"]}
    table = section(text_of("docs/decisions.md"), "## Dependencies")
    reasoned = {name for cells in rows(table) for name in codes(cells[0])} - extras.keys()
    assert needed <= reasoned <= needed | set(map(_package, extras["dev"]))


def test_every_package_stands_with_the_extra_that_installs_it() -> None:
    """Who reads why a package is needed also reads when it is installed."""
    project = tomllib.loads(text_of("pyproject.toml"))["project"]
    extras = {"base": project["dependencies"], **project["optional-dependencies"]}
    installs = {extra: set(map(_package, requirements)) for extra, requirements in extras.items()}
    for cells in rows(section(text_of("docs/decisions.md"), "## Dependencies")):
        names = set(codes(cells[0]))
        for extra in names & installs.keys() or {"base"}:
            assert names - installs.keys() <= installs[extra], cells[0]


def _package(requirement: str) -> str:
    return re.split(r"[\[>=<~ ]", requirement)[0]
