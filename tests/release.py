"""`make release`: the files of a release, made twice to the same bytes, tried where nothing else is, and listed. Part of the drill.

python -m tests.release [--out dist] [--trial]     exit code 0: they are in the folder; `--trial` before the version is named

The wheel and the source archive; `sbom.cdx.json`, the bill of materials (CycloneDX) of the wheel with all its extras at the locked
versions; and `SHA256SUMS`. All tools come by their lock files into virtual environments that are thrown away.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rice_stream.store.revisions import head_revision
from tests.support.places import ROOT
from tests.support.released_ledger import LEDGER_KINDS, kept_versions, read_ledger

LOCKS = ROOT / "deploy" / "locks"
SBOM = "sbom.cdx.json"
SUMS = "SHA256SUMS"
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)(?: ; (.+?))? \\$", re.MULTILINE)
_EVENTS = 200


class ReleaseError(Exception):
    """Why nothing is released."""


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    parser.add_argument("--trial", action="store_true")
    given = parser.parse_args()
    try:
        files = release(given.out, trial=given.trial)
    except ReleaseError as error:
        print(f"not released: {error}", file=sys.stderr)
        return 1
    print("\n".join(str(each) for each in files))
    return 0


def release(out: Path, *, trial: bool = False) -> list[Path]:
    """The files, in a folder that is made anew. A trial asks for no section of CHANGELOG.md, no ledger and no clean checkout."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    if not trial:
        _assert_ready(version)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        built = _built_twice(folder)
        python = _installed(folder, next(each for each in built if each.suffix == ".whl"))
        _tried(folder, python, version)
        built.append(_bill(folder, python))
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        released = [Path(shutil.copy(each, out)) for each in built]
    sums = out / SUMS
    lines = [f"{hashlib.sha256(each.read_bytes()).hexdigest()}  {each.name}\n" for each in sorted(released)]
    sums.write_text("".join(lines), encoding="utf-8")
    return [*released, sums]


def _assert_ready(version: str) -> None:
    changed = _run("git", "status", "--porcelain")
    if changed:
        raise ReleaseError(f"the checkout differs from its commit:\n{changed}")
    changes = (ROOT / "CHANGELOG.md").read_text("utf-8")
    if not re.search(rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$", changes, re.MULTILINE):
        raise ReleaseError(f"CHANGELOG.md has no section `## [{version}] - DATE`: make it of [Unreleased]")
    for kind in LEDGER_KINDS:
        if version not in kept_versions() or read_ledger(version, kind)["schema"] != head_revision():
            raise ReleaseError(f"there is no {kind} ledger of {version} with its schema: `python -m tests.released`")


def _built_twice(folder: Path) -> list[Path]:
    """Wheel and source archive. The commit's time is that of the files in them, so that anybody can make the same bytes."""
    python = _environment(folder / "building", LOCKS / "build.lock")
    epoch = _run("git", "log", "-1", "--format=%ct")
    turns = []
    for turn in ("first", "second"):
        command = [python, "-m", "hatchling", "build", "-t", "wheel", "-t", "sdist", "-d", str(folder / turn)]
        _run(*command, SOURCE_DATE_EPOCH=epoch)
        turns.append(sorted((folder / turn).iterdir()))
    for one, other in zip(*turns, strict=True):
        if one.read_bytes() != other.read_bytes():
            raise ReleaseError(f"{one.name} is not the same when it is built again")
    return turns[0]


def _installed(folder: Path, wheel: Path) -> str:
    """Python of an environment that has the wheel and what it is locked to, and nothing of this checkout."""
    python = _environment(folder / "installed", LOCKS / "image-full.lock")
    _pip(python, "install", "--no-deps", str(wheel))
    _pip(python, "check")
    return python


def _tried(folder: Path, python: str, version: str) -> None:
    """Events of a file become records, totals that add up, and a file for accounting."""
    program = str(Path(python).parent / "rice-stream")
    database = {"RICE_DATABASE_URL": f"sqlite:///{folder / 'rice.db'}"}
    said = _run(program, "--version", cwd=folder)
    if version not in said:
        raise ReleaseError(f"the wheel of {version} says that it is {said}")
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    events = folder / "events.jsonl"
    events.write_text("".join(json.dumps(_event(i, start)) + "\n" for i in range(_EVENTS)), encoding="utf-8")
    _run(program, "migrate", cwd=folder, **database)
    _run(program, "ingest", str(events), cwd=folder, **database)
    _run(program, "verify", cwd=folder, **database)
    window = ("--from", (start - timedelta(days=1)).isoformat(), "--to", (start + timedelta(days=1)).isoformat())
    totals = json.loads(_run(program, "totals", "--tenant", "acme", *window, "--json", cwd=folder, **database))
    if totals["total"]["prompts"] != _EVENTS:
        raise ReleaseError(f"{_EVENTS} events were counted as {totals['total']}")
    month = f"{start:%Y-%m}"
    options = ("--tenant", "acme", "--month", month, "--format", "csv", "--out", str(folder / "charged.csv"))
    _run(program, "export", "chargeback", *options, cwd=folder, **database)


def _event(number: int, start: datetime) -> dict[str, Any]:
    return {
        "event_id": f"release-{number}",
        "ended_at": (start + timedelta(seconds=number)).isoformat().replace("+00:00", "Z"),
        "tenant_id": "acme",
        "team_id": f"team-{number % 3}",
        "request_model": "gpt-4o",
        "provider": "openai",
        "inference_region": "SE",
        "input_tokens": 500,
        "output_tokens": 250,
    }


def _bill(folder: Path, python: str) -> Path:
    """The bill of materials of what is installed there, which lists every locked package."""
    tool = Path(_environment(folder / "listing", LOCKS / "release.lock")).parent / "cyclonedx-py"
    bill = folder / SBOM
    options = ("--pyproject", str(ROOT / "pyproject.toml"), "--output-reproducible", "--of", "JSON", "-o", str(bill))
    _run(str(tool), "environment", python, *options)
    listed = {_normal(each["name"]): each["version"] for each in json.loads(bill.read_text("utf-8"))["components"]}
    locked = {
        _normal(name): version
        for name, version, marker in _PINNED.findall((LOCKS / "image-full.lock").read_text("utf-8"))
        if not marker
    }
    missing = {name: version for name, version in locked.items() if listed.get(name) != version}
    if missing:
        raise ReleaseError(f"the bill of materials lacks {missing}")
    return bill


def _normal(name: str) -> str:
    """The name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _environment(folder: Path, lock: Path) -> str:
    """Python of a new virtual environment with what the lock file says."""
    _run(sys.executable, "-m", "venv", str(folder))
    python = str(folder / "bin" / "python")
    _pip(python, "install", "--require-hashes", "-r", str(lock))
    return python


def _pip(python: str, command: str, *arguments: str) -> None:
    _run(
        python,
        "-m",
        "pip",
        "--disable-pip-version-check",
        command,
        *(("--quiet",) * (command == "install")),
        *arguments,
    )


def _run(*command: str, cwd: Path = ROOT, **settings: str) -> str:
    """What the command prints; nothing of this checkout's settings reaches it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RICE_", "PYTHON", "COV_"))}
    done = subprocess.run(command, cwd=cwd, env=kept | settings, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ReleaseError(f"`{' '.join(command)}` ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
