"""The built wheel, installed where the checkout is not: what is missing from it is missing here."""

import json
import os
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.support.places import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as for a release."""
    return _built(tmp_path_factory.mktemp("wheel"))


def _built(folder: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    [built] = folder.glob("*.whl")
    return built


def test_the_wheel_is_built_again_to_the_same_bytes(wheel: Path, tmp_path: Path) -> None:
    """So that anybody can make it of the same commit; see tests/release.py."""
    assert _built(tmp_path).read_bytes() == wheel.read_bytes()


class Installed:
    """An environment of its own, with the wheel and the dependencies of this one, and without the checkout."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        venv.create(folder / "venv", with_pip=False)
        self.folder, self.bin = folder, folder / "venv" / "bin"
        self.python = str(self.bin / "python")
        self._install(wheel)
        [packages] = (folder / "venv" / "lib").glob("python*/site-packages")
        # A path in a .pth file is searched for packages; the .pth files there, such as that of the checkout, are not read.
        (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")

    def _install(self, wheel: Path) -> None:
        pip = [sys.executable, "-m", "pip", "--python", self.python, "--disable-pip-version-check"]
        arguments = ["install", "--quiet", "--no-deps", "--no-index", "--no-compile", str(wheel)]
        subprocess.run([*pip, *arguments], cwd=self.folder, env=self._environment({}), check=True, capture_output=True)

    def _environment(self, settings: dict[str, str]) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("RICE_", "PYTHON", "COV_"))}
        return kept | settings

    def run(self, *command: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """The answer of a command, in the folder of this environment; `settings` are RICE_* with their whole names."""
        return subprocess.run(
            command, cwd=self.folder, env=self._environment(settings), capture_output=True, text=True, check=False
        )

    def rice(self, *arguments: str, **settings: str) -> tuple[int, Any]:
        """Exit code and document of a command of ours."""
        done = self.run(str(self.bin / "rice-stream"), *arguments, "--json", **settings)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel, installed once for the tests of this module."""
    return Installed(tmp_path_factory.mktemp("installed"), wheel)


def test_the_wheel_holds_the_package_whole(wheel: Path) -> None:
    """Every file of the package that git knows, data and py.typed included, and the migrations; nothing else."""
    command = ["git", "ls-files", "rice_stream", "migrations"]
    tracked = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\n")
    wanted = {f"rice_stream/_{name}" if name.startswith("migrations/") else name for name in tracked if name}
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert held == wanted
    assert {"rice_stream/py.typed", "rice_stream/_migrations/env.py"} <= held


def test_what_runs_is_the_wheel(installed: Installed) -> None:
    """The checkout is out of reach, and the version is that of pyproject.toml."""
    program = "import rice_stream; print(rice_stream.__file__); print(rice_stream.__version__)"
    path, version = installed.run(installed.python, "-c", program).stdout.split()
    assert Path(path).is_relative_to(installed.folder)
    assert version == tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]


def test_a_database_is_migrated_and_checked_from_the_wheel(installed: Installed) -> None:
    """Migrations, reference tables and artefacts are found where the wheel has put them."""
    settings = {
        "RICE_DATABASE_URL": f"sqlite:///{installed.folder / 'rice.db'}",
        "RICE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
    }
    code, migrated = installed.rice("migrate", **settings)
    assert (code, migrated["from"]) == (0, None)
    _, document = installed.rice("check", **settings)
    checks = {check["name"]: check for check in document["checks"]}
    assert checks["schema"]["ok"], checks
    assert checks["method"]["ok"], checks


def test_an_estimate_is_made_from_the_wheel(installed: Installed) -> None:
    """Both methods find their artefacts, and a model and a region their rows."""
    for method in ("rice-paper", "rice-calibrated"):
        arguments = ("--model", "gpt-4o", "--input-tokens", "500", "--output-tokens", "250", "--region", "SE")
        code, document = installed.rice("estimate", *arguments, "--method", method)
        assert code == 0
        assert document["carbon_gco2e"]["mid"] > 0
