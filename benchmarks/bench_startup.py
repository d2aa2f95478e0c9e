"""How long the command line takes to answer, beside the bare imports that it cannot do without.

Whole processes, from start to exit, turn by turn so that all meet the same machine; medians of ten. Byte code is compiled
before, as it is for an installed package. The ratio is what is promised: `--version` 3, `--help` 6, `totals` 1.8 at most.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.harness import Row
from rice_stream.store.engine import open_engine
from rice_stream.store.migrate import migrate

RUNS = 10
_PROGRAM = str(Path(sys.executable).with_name("rice-stream"))
_CLICK = (sys.executable, "-c", "import click")
_SQLALCHEMY = (sys.executable, "-c", "import sqlalchemy")
COMMANDS = {
    "--version": ((_PROGRAM, "--version"), _CLICK),
    "--help": ((_PROGRAM, "--help"), _CLICK),
    "totals (SQLite)": ((_PROGRAM, "totals"), _SQLALCHEMY),
    "budget list (SQLite)": ((_PROGRAM, "budget", "list"), _SQLALCHEMY),
}
"""What is measured -> the command, and the import that it is measured against."""


def run() -> list[dict[str, Any]]:
    """A row for each command: its time beside that of the import."""
    with tempfile.TemporaryDirectory(prefix="rice-bench-") as directory:
        url = f"sqlite:///{Path(directory) / 'rice.db'}"
        engine = open_engine(url)
        migrate(engine)
        engine.dispose()
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment |= {"RICE_DATABASE_URL": url, "PYTHONPYCACHEPREFIX": str(Path(directory) / "pyc")}
        programs = list(dict.fromkeys(program for pair in COMMANDS.values() for program in pair))
        seconds: dict[tuple[str, ...], list[float]] = {program: [] for program in programs}
        for turn in range(RUNS + 1):
            for program in programs:
                start = time.perf_counter()
                subprocess.run(program, env=environment, cwd=directory, stdout=subprocess.DEVNULL, check=True)
                if turn:  # the first one compiles
                    seconds[program].append(time.perf_counter() - start)
    rows = []
    for name, (command, bare) in COMMANDS.items():
        ours, theirs = (statistics.median(seconds[program]) * 1_000 for program in (command, bare))
        rows.append(
            Row.against(f"start-up: rice-stream {name}", ours, "ms", f"python -c '{bare[-1]}'", theirs).as_dict()
        )
    return rows
