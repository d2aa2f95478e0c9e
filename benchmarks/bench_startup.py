"""How long the command line takes to answer and the servers take to be ready, beside the bare imports that they cannot do without.

Whole processes, turn by turn so that all meet the same machine; medians of three. Commands: from start to exit. `serve` and
`worker`: from start to `/readyz`, on a real Kafka and PostgreSQL; and the worker until it has stored a record that waits on
the topic, which is its start and the join of the consumer group. Byte code is compiled before, as it is for an installed
package. The ratio is what is promised: `--version` 3, `--help` 6, `totals` 1.8, `serve` and `worker` 5 at most.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.harness import TOPIC, Row, stack
from benchmarks.traffic import events, produce
from rice_stream.sandbox.stack.ports import free_ports
from rice_stream.store.engine import open_engine
from rice_stream.store.migrate import migrate

RUNS = 3
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


_SERVERS = {"serve": "RICE_HTTP_PORT", "worker": "RICE_WORKER_HTTP_PORT"}
_READY_WITHIN_S = 120.0
_ASKS_EVERY_S = 0.002


def run() -> list[dict[str, Any]]:
    """A row for each command and server: its time beside that of the import."""
    with tempfile.TemporaryDirectory(prefix="rice-bench-") as made:
        return [*_commands(Path(made)), *_servers(Path(made))]


def _commands(directory: Path) -> list[dict[str, Any]]:
    url = f"sqlite:///{directory / 'rice.db'}"
    engine = open_engine(url)
    migrate(engine)
    engine.dispose()
    environment = _environment(directory, {"RICE_DATABASE_URL": url})
    programs = list(dict.fromkeys(program for pair in COMMANDS.values() for program in pair))

    def until_its_end(program: tuple[str, ...]) -> float:
        start = time.perf_counter()
        subprocess.run(program, env=environment, cwd=directory, stdout=subprocess.DEVNULL, check=True)
        return time.perf_counter() - start

    milliseconds = _in_turn({program: partial(until_its_end, program) for program in programs})
    return [
        _row(name, milliseconds[command], bare[-1], milliseconds[bare]) for name, (command, bare) in COMMANDS.items()
    ]


def _servers(directory: Path) -> list[dict[str, Any]]:
    with stack() as (servers, _engine):
        environment = _environment(directory, servers.environment())
        produce(servers.bootstrap_servers, TOPIC, events(1))

        def stores() -> float:
            # A group of its own: the record on the topic is there for it.
            group = {"RICE_KAFKA_GROUP_ID": f"start-{time.monotonic_ns()}"}
            return _until("worker", {**environment, **group}, "/metrics", lambda text: "rice_batches_total 1.0" in text)

        def bare() -> float:
            start = time.perf_counter()
            subprocess.run(_SQLALCHEMY, env=environment, cwd=directory, check=True)
            return time.perf_counter() - start

        milliseconds = _in_turn(
            {
                _SQLALCHEMY: bare,
                ("serve",): lambda: _until("serve", environment, "/readyz"),
                ("worker",): lambda: _until("worker", environment, "/readyz"),
                ("worker", "stores"): stores,
            }
        )
    names = {
        ("serve",): "serve, to /readyz",
        ("worker",): "worker, to /readyz",
        ("worker", "stores"): "worker, to its first record",
    }
    return [_row(name, milliseconds[kind], _SQLALCHEMY[-1], milliseconds[_SQLALCHEMY]) for kind, name in names.items()]


def _until(
    command: str, environment: Mapping[str, str], path: str, holds: Callable[[str], bool] = lambda _text: True
) -> float:
    """Seconds from the start of a server to an answer of 200 at the path of which this holds."""
    [port] = free_ports(1)
    start = time.perf_counter()
    process = subprocess.Popen(
        (_PROGRAM, command),
        env={**environment, _SERVERS[command]: str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while time.perf_counter() - start < _READY_WITHIN_S:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:  # ours
                    if holds(answer.read().decode()):
                        return time.perf_counter() - start
            except OSError:  # nobody listens yet, or it says that it is not ready
                pass
            time.sleep(_ASKS_EVERY_S)
        raise TimeoutError(f"{command} was not ready within {_READY_WITHIN_S:g} s")
    finally:
        process.terminate()
        process.wait()


def _environment(directory: Path, settings: Mapping[str, str]) -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**environment, **settings, "PYTHONPYCACHEPREFIX": str(directory / "pyc")}


def _in_turn(timed: Mapping[tuple[str, ...], Callable[[], float]]) -> dict[tuple[str, ...], float]:
    """Milliseconds of each, medians; the first turn compiles."""
    seconds: dict[tuple[str, ...], list[float]] = {name: [] for name in timed}
    for turn in range(RUNS + 1):
        for name, measure in timed.items():
            took_s = measure()
            if turn:
                seconds[name].append(took_s)
    return {name: statistics.median(values) * 1_000 for name, values in seconds.items()}


def _row(name: str, ours: float, module: str, theirs: float) -> dict[str, Any]:
    return Row.against(f"start-up: rice-stream {name}", ours, "ms", f"python -c '{module}'", theirs).as_dict()
