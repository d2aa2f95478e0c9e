"""Processor time of the processes of a stack: by thread of the worker, by kind of PostgreSQL's processes, of the broker by what its
threads do.

python -m benchmarks.processor_time ARGUMENT ...     runs `rice-stream ARGUMENT ...` with named threads, which /proc then shows
"""

import ctypes
import re
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import psutil

_PR_SET_NAME = 15
_NAMES = {"rice-prepare": "prepare", "rice-commit": "commit", "asyncio": "threads for waiting", "rice-health": "health"}
"""What the beginning of a thread's name means; the first thread is the loop, every other one is listed by its name."""


_COMPILING = ("C1 Compiler", "C2 Compiler")
COMPILERS = "broker: compilers"
"""What the broker's machine spends on compiling its code: a third of all in the first minutes, nothing in a broker that has run for
an hour."""


class Used(NamedTuple):
    """Since a process began: processor seconds, and how often it was woken up to do something."""

    processor_s: float = 0.0
    wake_ups: int = 0

    def __add__(self, other: object) -> "Used":
        assert isinstance(other, Used)
        return Used(self.processor_s + other.processor_s, self.wake_ups + other.wake_ups)


AUTOVACUUM = "postgres: autovacuum worker"
"""What PostgreSQL spends on looking at rows once more, once a minute: perhaps at those of a stretch before. What one that has
ended took is not known."""
Usage = dict[str, Used]
"""By process and part of it, `worker: prepare`."""


def used(pids: Mapping[str, int]) -> Usage:
    """Of each process by its threads; of `postgres` and of whatever else has children, by process."""
    found: defaultdict[str, Used] = defaultdict(Used)
    for name, pid in pids.items():
        children = psutil.Process(pid).children(recursive=True)
        for process in (pid, *(child.pid for child in children)):
            for part, usage in _of_process(name, process).items():
                found[f"{name}: {part}"] += usage
    return dict(found)


def between(before: Usage, after: Usage) -> Usage:
    """What was used; processes that have ended meanwhile are left out."""
    nothing = Used()
    differences = {part: (usage, before.get(part, nothing)) for part, usage in after.items()}
    return {
        part: Used(late.processor_s - early.processor_s, late.wake_ups - early.wake_ups)
        for part, (late, early) in differences.items()
    }


def running(usage: Usage) -> Usage:
    """Without what only a broker that has just started needs."""
    return {part: used_ for part, used_ in usage.items() if part != COMPILERS}


def of_events(usage: Usage) -> Usage:
    """The same without what is not of the events of this stretch."""
    return {part: used_ for part, used_ in running(usage).items() if part != AUTOVACUUM}


def by_process(usage: Usage) -> dict[str, Used]:
    """The same, added up over the parts."""
    found: defaultdict[str, Used] = defaultdict(Used)
    for part, each in usage.items():
        found[part.partition(":")[0]] += each
    return dict(found)


def _of_process(name: str, pid: int) -> Usage:
    found: Counter[str] = Counter()
    woken: Counter[str] = Counter()
    try:
        title = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        for task in Path(f"/proc/{pid}/task").iterdir():
            stat = (task / "stat").read_text("ascii")
            part = _part(name, title, stat[stat.index("(") + 1 : stat.rindex(")")], is_first=int(task.name) == pid)
            found[part] += int((task / "schedstat").read_text("ascii").split()[0])
            status = (task / "status").read_text("ascii")
            woken[part] += int(re.findall(r"^voluntary_ctxt_switches:\s+(\d+)", status, re.M)[0])
    except (FileNotFoundError, ProcessLookupError):
        return {}
    return {part: Used(nanoseconds / 1e9, woken[part]) for part, nanoseconds in found.items()}


def _part(name: str, title: str, thread: str, *, is_first: bool) -> str:
    if name == "postgres":
        kind = title.partition("postgres: ")[2]
        return "sessions" if "[" in kind else " ".join(kind.split()[:2]) or "postmaster"
    if name == "broker":
        return COMPILERS.partition(": ")[2] if thread.startswith(_COMPILING) else "all but compilers"
    if name != "worker":
        return "all"
    if is_first:
        return "loop"
    return next((part for start, part in _NAMES.items() if thread.startswith(start)), thread)


def main() -> None:
    """Run rice-stream with the names of its threads told to the system."""
    from rice_stream.cli import main as cli

    begin: Any = threading.Thread._bootstrap_inner  # type: ignore[attr-defined]
    libc = ctypes.CDLL(None)

    def named(thread: threading.Thread) -> None:
        libc.prctl(_PR_SET_NAME, thread.name.encode()[:15], 0, 0, 0)
        begin(thread)

    threading.Thread._bootstrap_inner = named  # type: ignore[attr-defined]
    sys.argv = ["rice-stream", *sys.argv[1:]]
    cli()


if __name__ == "__main__":
    main()
