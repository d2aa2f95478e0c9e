"""`make bench`: every benchmark, a table on the screen, benchmarks/results.json (the last of each) for machines.

python -m benchmarks [--scale 0.1] [NAME ...]       a part of them, or a quicker and rougher run
python -m benchmarks --large [NAME ...]             `make bench-large`: those of 10 and 100 million records, which take hours

It fails where a ratio is beyond its bar, or all of it took too long (benchmarks/bars.py), once everything is measured and written
down.
What is measured at large is dated, goes to benchmarks/large.json, and is committed with the release.
"""

import argparse
import importlib
import inspect
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.bars import missed, too_long

BENCHMARKS = {
    "decode": "benchmarks.bench_decode:run",
    "estimator": "benchmarks.bench_estimator:run",
    "calibrated": "benchmarks.bench_calibrated:run",
    "formats": "benchmarks.bench_formats:run",
    "litellm": "benchmarks.bench_formats:run_kafka",
    "end-to-end": "benchmarks.bench_end_to_end:run",
    "duplicates": "benchmarks.bench_end_to_end:run_duplicates",
    "large-store": "benchmarks.bench_end_to_end:run_large_store",
    "processes": "benchmarks.bench_end_to_end:run_processes",
    "memory": "benchmarks.bench_end_to_end:run_memory",
    "sqlite": "benchmarks.bench_end_to_end:run_sqlite",
    "alert-latency": "benchmarks.bench_latency:run",
    "alert-under-load": "benchmarks.bench_latency:run_under_load",
    "alert-behind-backlog": "benchmarks.bench_latency:run_behind_backlog",
    "delivery-latency": "benchmarks.bench_latency:run_delivery",
    "failover": "benchmarks.bench_failover:run",
    "budgets": "benchmarks.bench_budgets:run",
    "totals": "benchmarks.bench_totals:run",
    "restating": "benchmarks.bench_restating:run",
    "storage": "benchmarks.bench_storage:run",
    "startup": "benchmarks.bench_startup:run",
    "api": "benchmarks.bench_api:run",
    "beside-reads": "benchmarks.bench_beside_reads:run",
    "console": "benchmarks.bench_console:run",
    "live": "benchmarks.bench_live:run",
    "live-traffic": "benchmarks.bench_profile:run_live",
    "closing": "benchmarks.bench_closing:run",
    "exports": "benchmarks.bench_exports:run",
    "archive": "benchmarks.bench_archive:run",
    "entries": "benchmarks.bench_entries:run",
}
LOOKED_AT = {"profile": "benchmarks.bench_profile:run", "beyond-one": "benchmarks.bench_beyond:run"}
"""For whoever makes it cheaper, or has outgrown one PostgreSQL: not in `make bench`."""
LARGE = {
    "store-of-20-million": "benchmarks.bench_end_to_end:run_store_of_20_million",
    "store-of-100-million": "benchmarks.bench_end_to_end:run_store_of_100_million",
    "memory-10-million": "benchmarks.bench_end_to_end:run_memory_10_million",
    "api-10-million": "benchmarks.bench_api:run_10_million",
    "closing-10-million": "benchmarks.bench_closing:run_10_million",
    "exports-10-million": "benchmarks.bench_exports:run_10_million",
    "archive-10-million": "benchmarks.bench_archive:run_10_million",
    "large-records": "benchmarks.bench_large_records:run",
}
RESULTS = Path(__file__).with_name("results.json")
RESULTS_LARGE = Path(__file__).with_name("large.json")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, *LOOKED_AT, *LARGE, []], help="which; default: all")
    parser.add_argument("--large", action="store_true", help="those of 10 and 100 million records")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full number of events")
    arguments = parser.parse_args()
    benchmarks, results = (LARGE, RESULTS_LARGE) if arguments.large else (BENCHMARKS, RESULTS)
    asked_for = arguments.names or list(benchmarks)
    benchmarks = benchmarks if arguments.large else {**benchmarks, **LOOKED_AT}
    unknown = [name for name in asked_for if name not in benchmarks]
    if unknown:
        parser.error(f"{unknown[0]} is {'not ' if arguments.large else ''}one of the large ones (--large)")
    dated = {"date": f"{datetime.now(UTC):%Y-%m-%d}"} if arguments.large else {}
    took_s: dict[str, int] = {}
    rows: list[dict[str, Any]] = json.loads(results.read_text()) if results.exists() else []
    for name in asked_for:
        module_name, _, function_name = benchmarks[name].partition(":")
        print(f"running {name} ...", file=sys.stderr, flush=True)
        function = getattr(importlib.import_module(module_name), function_name)
        scaled = "scale" in inspect.signature(function).parameters
        began = time.monotonic()
        found = function(scale=arguments.scale) if scaled else function()
        took_s[name] = round(time.monotonic() - began)
        rows = [row for row in rows if row["benchmark"] != name] + [
            {"benchmark": name, "took_s": took_s[name], **dated, **row} for row in found
        ]
        # At once: an hour of measuring must not be lost with its last minute.
        results.write_text(json.dumps(rows, indent=1) + "\n")
        print(f"{name} took {took_s[name]} s", file=sys.stderr, flush=True)
    measured = [row for row in rows if row["benchmark"] in asked_for]
    _show(measured)
    beyond = missed(measured)
    if not arguments.large:
        beyond += too_long(took_s)
    if beyond:
        sys.exit("\n".join(["below what is asked for:", *beyond]))


def _show(rows: list[dict[str, Any]]) -> None:
    table = Table(box=None, header_style="bold")
    for name, justify in (
        ("benchmark", "left"),
        ("value", "right"),
        ("unit", "left"),
        ("beside", "left"),
        ("its value", "right"),
        ("ratio", "right"),
    ):
        table.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for row in rows:
        table.add_row(
            row["name"],
            f"{row['value']:,.6g}",
            row["unit"],
            row["ceiling_name"],
            f"{row['ceiling_value']:,.6g}",
            f"{row['ratio']:.3g}",
        )
    console = Console()
    if not console.is_terminal:
        console.width = 180
    console.print(table)


if __name__ == "__main__":
    main()
