"""`make bench`: every benchmark, a table on the screen, benchmarks/results.json (the last of each) for machines.

python -m benchmarks [--scale 0.1] [NAME ...]       a part of them, or a quicker and rougher run
"""

import argparse
import importlib
import inspect
import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

BENCHMARKS = {
    "decode": "benchmarks.bench_decode:run",
    "estimator": "benchmarks.bench_estimator:run",
    "calibrated": "benchmarks.bench_calibrated:run",
    "formats": "benchmarks.bench_formats:run",
    "end-to-end": "benchmarks.bench_end_to_end:run",
    "duplicates": "benchmarks.bench_end_to_end:run_duplicates",
    "large-store": "benchmarks.bench_end_to_end:run_large_store",
    "memory": "benchmarks.bench_end_to_end:run_memory",
    "sqlite": "benchmarks.bench_end_to_end:run_sqlite",
    "alert-latency": "benchmarks.bench_latency:run",
    "failover": "benchmarks.bench_latency:run_failover",
    "budgets": "benchmarks.bench_budgets:run",
}
RESULTS = Path(__file__).with_name("results.json")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], help="which; default: all")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full number of events")
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    for name in arguments.names or BENCHMARKS:
        module_name, _, function_name = BENCHMARKS[name].partition(":")
        print(f"running {name} ...", file=sys.stderr, flush=True)
        function = getattr(importlib.import_module(module_name), function_name)
        scaled = "scale" in inspect.signature(function).parameters
        found = function(scale=arguments.scale) if scaled else function()
        rows = [row for row in rows if row["benchmark"] != name] + [{"benchmark": name, **row} for row in found]
        # At once: an hour of measuring must not be lost with its last minute.
        RESULTS.write_text(json.dumps(rows, indent=1) + "\n")
    _show([row for row in rows if row["benchmark"] in (arguments.names or BENCHMARKS)])


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
