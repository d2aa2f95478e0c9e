"""What a billion prompts a day take, by arithmetic from what was measured of each part.

python -m benchmarks.beyond_sizing            the table of docs/operations.md, from benchmarks/beyond.json
python -m benchmarks.beyond_sizing --keep     benchmarks/beyond.json from benchmarks/results.json of this machine, and the table
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.__main__ import RESULTS
from benchmarks.sizing import DAY_S, PEAK, bytes_text

KEPT = Path(__file__).with_name("beyond.json")
PROMPTS_A_DAY = 1_000_000_000
PROCESSOR_TIME = {
    "worker: decode, estimate, write": "split over two PostgreSQL: worker",
    "PostgreSQL": "split over two PostgreSQL: postgres",
    "Kafka's broker, once": "split over two PostgreSQL: broker",
}
"""What the table calls it, and its row of results.json, in microseconds an event."""
BYTES = {
    "the topic, as JSON": ("event as JSON", "disk of a prompt", "ceiling_value"),
    "records in PostgreSQL": ("record", "disk of a prompt", "value"),
    "log of PostgreSQL": ("log", "catching up: log of PostgreSQL", "value"),
    "records as Parquet": ("Parquet", "a record as Parquet", "value"),
}
"""What the table calls it, its name among the kept figures, and where it stands in results.json, in bytes a prompt."""


def kept_from(results: Sequence[Mapping[str, Any]], date: str) -> dict[str, Any]:
    """The figures that are kept of a run. KeyError: one was not measured; its message says which."""
    by_name = {row["name"]: row for row in results}
    figures = {name: by_name[row]["value"] for name, row in PROCESSOR_TIME.items()}
    figures |= {name: by_name[row][place] for name, row, place in BYTES.values()}
    return {"date": date, "figures": figures}


def table(kept: Mapping[str, Any]) -> str:
    """In Markdown."""
    figures, rate = kept["figures"], PROMPTS_A_DAY / DAY_S
    lines = [
        f"| part | of a prompt | a day | cores at the mean, {rate:,.0f}/s | cores at {PEAK} times that |",
        "|---|---|---|---|---|",
    ]
    for name in PROCESSOR_TIME:
        us = figures[name]
        hours, cores = us * PROMPTS_A_DAY / 3.6e9, us * rate / 1e6
        lines.append(f"| {name} | {us:.1f} us | {hours:.1f} core hours | {cores:.2f} | {PEAK * cores:.2f} |")
    for title, (name, _, _) in BYTES.items():
        lines.append(f"| {title} | {figures[name]:.0f} bytes | {bytes_text(figures[name] * PROMPTS_A_DAY)} | | |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.beyond_sizing", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="first keep the figures of benchmarks/results.json")
    if parser.parse_args().keep:
        try:
            kept = kept_from(json.loads(RESULTS.read_text()), f"{datetime.now(UTC):%Y-%m-%d}")
        except (OSError, KeyError) as error:
            parser.error(f"{RESULTS.name} lacks {error}: run `python -m benchmarks beyond-one storage profile` first")
        KEPT.write_text(json.dumps(kept, indent=1) + "\n")
    kept = json.loads(KEPT.read_text())
    print(f"As measured {kept['date']}:\n\n{table(kept)}")


if __name__ == "__main__":
    main()
