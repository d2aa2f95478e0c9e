"""The guardian of a local stack: a process that outlives its parent only to clean up after it.

Started by guard.py as a script, with nothing of rice_stream imported (it must be small and quick to start). Its parent
writes the state to clean up to its standard input, one JSON document a line, newest last:
`{"processes": [[pid, created_s, stop_signal], ...], "directories": [path, ...]}`.

The parent's death closes the pipe: even after kill -9, for which no code of the parent can run. The guardian then
stops the processes of the newest state with everything they started, kills what does not stop, deletes the directories
and ends. After an orderly end the newest state is empty.
"""

import json
import os
import shutil
import signal
import time
from typing import TypedDict

import psutil

GRACE_S = 5.0
POLL_S = 0.02
# The system derives a creation time from its boot time, which moves a little whenever the clock is set.
CREATED_TOLERANCE_S = 2.0


class State(TypedDict):
    """What to clean up: processes as [pid, creation time in seconds since 1970, signal that stops it]."""

    processes: list[tuple[int, float, int]]
    directories: list[str]


def is_alive(process: psutil.Process) -> bool:
    """Whether the process still runs; one that waits to be reaped (a zombie) does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def newest_state() -> State:
    """Read states until the parent is gone; return the last one that arrived whole."""
    newest: State = {"processes": [], "directories": []}
    pending = b""
    while chunk := os.read(0, 65536):
        *lines, pending = (pending + chunk).split(b"\n")
        if lines:
            newest = json.loads(lines[-1])
    return newest


def family(pid: int, created_s: float) -> list[psutil.Process]:
    """Return the process and all that descend from it; empty when the pid now belongs to another process."""
    try:
        process = psutil.Process(pid)
        if abs(process.create_time() - created_s) > CREATED_TOLERANCE_S:
            return []
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def stop(processes: list[tuple[int, float, int]]) -> None:
    """Signal every process, wait for it and its descendants, kill what is left after the grace."""
    left: list[psutil.Process] = []
    for pid, created_s, stop_signal in processes:
        members = family(pid, created_s)
        left += members
        for root in members[:1]:
            try:
                root.send_signal(stop_signal)
            except psutil.NoSuchProcess:
                continue
    give_up_s = time.monotonic() + GRACE_S
    while left := [process for process in left if is_alive(process)]:
        if time.monotonic() > give_up_s:
            for process in left:
                try:
                    process.kill()
                except psutil.NoSuchProcess:
                    continue
        time.sleep(POLL_S)


def main() -> None:
    """Wait for the end of the parent, then clean up."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    state = newest_state()
    stop(state["processes"])
    for directory in state["directories"]:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
