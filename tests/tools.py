"""Programs that tests use and that do not come as Python wheels: installed where this is root on Debian, before the tests.

`python -m tests.tools` (part of `make test`) installs what is missing, with `--drill` what the drill needs too; elsewhere it
says what to install. A browser may also be Playwright's own. A test asks for its program by `tests/support/programs.py`, and
is skipped with the reason where it is not there.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PACKAGES = {
    "pgbouncer": "pgbouncer",
    "chromium": "chromium",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "amtool": "prometheus-alertmanager",
    "promtool": "prometheus",
    "systemd-analyze": "systemd",
}
"""The Debian package of each program."""
FOR_THE_DRILL = {"buildah": "buildah", "mmdebstrap": "mmdebstrap"}
"""What the drill needs besides: installed with `--drill` only."""
_NAMES = {"chromium": ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")}
"""Under which names a program may be there, where it has several."""
_INSTALLED_WITHIN_S = {"update": 120, "install": 420}
_FETCHED_WITHIN_S = 300
_WAITS = ("-o", "DPkg::Lock::Timeout=120")
"""While another one installs."""

_POLICY = Path("/usr/sbin/policy-rc.d")
"""What Debian asks before it starts the service of a package that it installs: 101 is no."""


def find(program: str) -> str | None:
    """Where the program is; also in the folders of programs for root, which are not on everybody's path."""
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
    found = [shutil.which(name, path=path) for name in _NAMES.get(program, (program,))]
    there = next(filter(None, found), None)
    return _playwrights() if there is None and program == "chromium" else there


def _playwrights() -> str | None:
    """The browser that Playwright has fetched for itself, where it has one."""
    from playwright.sync_api import sync_playwright  # only where there is no other: it starts a process to ask

    with sync_playwright() as running:
        path = running.chromium.executable_path
    return path if Path(path).exists() else None


def main(*, drill: bool = False) -> int:
    """Install what is missing. Exit code 0 also where that cannot be done here: the tests say what they lack."""
    wanted = {**PACKAGES, **FOR_THE_DRILL} if drill else PACKAGES
    missing = _missing(wanted)
    installer = shutil.which("apt-get")
    if missing and os.geteuid() == 0 and installer is not None:
        _install(installer, missing)
        missing = _missing(wanted)
    if "chromium" in missing:
        # Its own download, for the version that the lock file names: where there is no root, or no such package.
        _run("playwright", [sys.executable, "-m", "playwright", "install", "chromium"], _FETCHED_WITHIN_S)
        missing = _missing(wanted)
    if missing:
        print(f"tools: not installed here: {', '.join(missing)}", file=sys.stderr)
    return 0


def _missing(wanted: dict[str, str]) -> list[str]:
    return sorted({package for program, package in wanted.items() if find(program) is None})


def _install(installer: str, packages: list[str]) -> None:
    print(f"tools: installing {', '.join(packages)}", file=sys.stderr)
    with _no_services():
        for command in (["update", "-qq"], ["install", "-y", "-qq", *_WAITS, "--no-install-recommends", *packages]):
            _run(f"apt-get {command[0]}", [installer, *command], _INSTALLED_WITHIN_S[command[0]])


def _run(name: str, command: list[str], within_s: int) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=within_s)
    except subprocess.TimeoutExpired:
        print(f"tools: {name} did not end within {within_s} s", file=sys.stderr)
        return
    if run.returncode:
        print(f"tools: {name} failed: {run.stderr.strip()[-500:]}", file=sys.stderr)


@contextmanager
def _no_services() -> Iterator[None]:
    """Packages are installed without starting what they bring: tests start their own."""
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink()


if __name__ == "__main__":
    sys.exit(main(drill="--drill" in sys.argv[1:]))
