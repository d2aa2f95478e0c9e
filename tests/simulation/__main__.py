"""Run schedules from the command line: one seed with all that happened in it, or many (a soak)."""

import argparse
import sys
import time
from collections import Counter

from tests.simulation.memory import MemoryStore
from tests.simulation.runner import run_schedule
from tests.simulation.store import SqliteStore, Store


def main() -> int:
    """Exit code 1: a schedule failed; its seed and history are printed."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the first seed (default 0)")
    parser.add_argument("--count", type=int, default=1, help="how many seeds from there on (default 1)")
    parser.add_argument("--store", choices=("memory", "sqlite"), default="memory")
    arguments = parser.parse_args()
    store: Store = SqliteStore() if arguments.store == "sqlite" else MemoryStore()
    counts: Counter[str] = Counter()
    started_s = time.monotonic()
    for seed in range(arguments.seed, arguments.seed + arguments.count):
        try:
            outcome = run_schedule(seed, store)
        except AssertionError as failure:
            print(failure)
            return 1
        counts.update(outcome.counts)
        if arguments.count == 1:
            print("\n".join(outcome.log))
    print(f"{arguments.count} schedules held in {time.monotonic() - started_s:.0f} s; {dict(counts)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
