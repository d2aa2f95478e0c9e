"""Programs that tests use and that do not come as Python wheels: installed where this is root on Debian, before the tests.

`python -m tests.tools` (part of `make test`) installs what is missing; elsewhere it says what to install. A test asks for
its program by the fixture of `tests/support/programs.py`, and is skipped with the reason where it is not there.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PACKAGES = {"pgbouncer": "pgbouncer"}
"""The Debian package of each program."""

_POLICY = Path("/usr/sbin/policy-rc.d")
"""What Debian asks before it starts the service of a package that it installs: 101 is no."""


def find(program: str) -> str | None:
    """Where the program is; also in the folders of programs for root, which are not on everybody's path."""
    return shutil.which(program, path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin")))


def main() -> int:
    """Install what is missing. Exit code 0 also where that cannot be done here: the tests say what they lack."""
    missing = sorted({package for program, package in PACKAGES.items() if find(program) is None})
    if not missing:
        return 0
    installer = shutil.which("apt-get")
    if os.geteuid() != 0 or installer is None:
        print(f"tools: not installed here (no root on Debian): {', '.join(missing)}", file=sys.stderr)
        return 0
    print(f"tools: installing {', '.join(missing)}", file=sys.stderr)
    with _no_services():
        for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *missing]):
            run = subprocess.run(
                [installer, *command],
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                capture_output=True,
                text=True,
                check=False,
            )
            if run.returncode:
                print(f"tools: apt-get {command[0]} failed: {run.stderr.strip()[-500:]}", file=sys.stderr)
    return 0


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
    sys.exit(main())
