"""How many workers and how much disk a load needs, from what `make bench` measured.

python -m benchmarks.sizing                 the table of docs/operations.md, from benchmarks/sizing.json
python -m benchmarks.sizing --keep          benchmarks/sizing.json from benchmarks/results.json of this machine, and the table

The kept figures are few and committed, so that the table can be made again; results.json is of the last run of each machine.
"""

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.__main__ import RESULTS

KEPT = Path(__file__).with_name("sizing.json")
MEASURED = {
    "kafka to postgresql": "events/s",
    "worker peak memory": "MB",
    "disk of a prompt": "bytes",
    "disk of totals, a tenant and day": "MB",
}
"""What the table is made from: names and units in results.json; the size of an event stands beside the disk of its prompt."""
LOADS = (10, 100, 1_000, 5_000, 20_000)
"""Events a second, the mean of a day."""
PEAK = 3
"""How much more than the mean comes in the busiest hours."""
USED = 0.5
"""The share of what was measured that a worker is given at the peak: the rest is for catching up, neighbours and growth."""
WORKERS_MIN = 2
"""So that one may fail."""
PARTITIONS_MIN = 12
DAY_S = 86_400
_COLUMNS = (
    *("events/s, mean", "a day", "workers", "partitions", "memory of the workers"),
    *("records of a day", "of 90 days", "of a year", "topic of a day, at most"),
)


def kept_from(results: Sequence[Mapping[str, Any]], date: str) -> dict[str, Any]:
    """The figures that are kept of a run. KeyError: one was not measured; its message says which."""
    by_name = {row["name"]: row for row in results}
    figures = {name: by_name[name]["value"] for name in MEASURED}
    figures["event as JSON"] = by_name["disk of a prompt"]["ceiling_value"]
    return {"date": date, "figures": figures}


def table(kept: Mapping[str, Any]) -> str:
    """In Markdown."""
    lines = [f"| {' | '.join(_COLUMNS)} |", "|---" * len(_COLUMNS) + "|"]
    return "\n".join(lines + [_line(kept["figures"], load) for load in LOADS])


def _line(figures: Mapping[str, float], load: int) -> str:
    workers = max(WORKERS_MIN, math.ceil(load * PEAK / (figures["kafka to postgresql"] * USED)))
    partitions = max(PARTITIONS_MIN, 4 * workers)
    prompts = load * DAY_S
    record = prompts * figures["disk of a prompt"]
    cells = (
        f"{load:,}",
        _count(prompts),
        str(workers),
        str(partitions),
        _bytes(workers * figures["worker peak memory"] * 1e6),
        *(_bytes(record * days) for days in (1, 90, 365)),
        _bytes(prompts * figures["event as JSON"]),
    )
    return f"| {' | '.join(cells)} |"


def _count(number: float) -> str:
    return f"{_digits(number / 1e9)} billion" if number >= 1e9 else f"{_digits(number / 1e6)} million"


def _bytes(number: float) -> str:
    """Two digits: it is a size to plan with."""
    for size, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if number >= size:
            return f"{_digits(number / size)} {unit}"
    return f"{number:.0f} bytes"


def _digits(value: float) -> str:
    rounded = float(f"{value:.2g}")
    return f"{rounded:,.0f}" if rounded >= 10 else f"{rounded:g}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sizing", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="first keep the figures of benchmarks/results.json")
    if parser.parse_args().keep:
        try:
            kept = kept_from(json.loads(RESULTS.read_text()), f"{datetime.now(UTC):%Y-%m-%d}")
        except (OSError, KeyError) as error:
            parser.error(f"{RESULTS.name} lacks {error}: run `python -m benchmarks end-to-end storage` first")
        KEPT.write_text(json.dumps(kept, indent=1) + "\n")
    kept = json.loads(KEPT.read_text())
    print(f"As measured {kept['date']}:\n\n{table(kept)}")


if __name__ == "__main__":
    main()
