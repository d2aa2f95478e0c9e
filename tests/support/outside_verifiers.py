"""Those who check proof files and share no code with us: a script of the standard library, and a program of Go."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from tests.support.places import ROOT

SCRIPT = ROOT / "docs" / "check_proof.py"
GO_SOURCES = ROOT / "tests" / "tlog"
_BUILT_WITHIN_S, _CHECKED_WITHIN_S = 240, 60


def by_script(file: Path, keys: Sequence[str], checkpoint: Path | None = None) -> str:
    """What the script says: begins with NOT PROVEN where it does not hold."""
    # -I: nothing of ours is on its path; -S: and nothing that is installed.
    command = [sys.executable, "-I", "-S", str(SCRIPT), str(file), ",".join(keys)]
    return _said([*command, *([] if checkpoint is None else [str(checkpoint)])])


def by_go(program: Path, file: Path, keys: Sequence[str]) -> str:
    """The same of the program of Go."""
    return _said([str(program), str(file), *keys])


@cache
def go_program(folder: Path) -> Path | None:
    """The program, built in that folder; None: there is no Go here, or not its modules. In the drill they are fetched."""
    go = shutil.which("go")
    in_drill = bool(os.environ.get("DRILL"))
    if go is None:
        assert not in_drill, "the drill needs Go (https://go.dev)"
        return None
    environment = {
        **os.environ,
        "GOFLAGS": "-mod=readonly",
        **({} if in_drill else {"GOPROXY": "off", "GOTOOLCHAIN": "local"}),
    }
    built = folder / "check"
    command = [go, "build", "-buildvcs=false", "-o", str(built), "."]
    run = subprocess.run(
        command, cwd=GO_SOURCES, env=environment, capture_output=True, text=True, check=False, timeout=_BUILT_WITHIN_S
    )
    assert run.returncode == 0 or not in_drill, run.stderr
    return built if run.returncode == 0 else None


def _said(command: Sequence[str]) -> str:
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_CHECKED_WITHIN_S)
    assert (run.returncode == 0) == (not run.stderr), run.stderr
    return run.stdout or run.stderr
