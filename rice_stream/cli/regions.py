"""`rice-stream regions`: the places of the tables, and what a spelling resolves to."""

import time
from typing import Any

import click

from rice_stream.cli.base import Session, answer, json_option, pass_session
from rice_stream.cli.ranges import range_text
from rice_stream.cli.tables import table
from rice_stream.reference.types import SCOPES
from rice_stream.runtime.opening_reference import open_reference


@click.command()
@click.argument("query", nargs=-1)
@json_option
@pass_session
def regions(session: Session, query: tuple[str, ...], *, as_json: bool) -> None:
    """Regions with their carbon intensity (lifecycle and direct), PUE and sources; or what a spelling resolves to.

    Example: rice-stream regions azure sweden
    """
    reference = open_reference(session.settings)
    rows = reference.search_regions(" ".join(query), at_us=time.time_ns() // 1000)

    def human() -> None:
        columns = ["region", "name", "lifecycle g/kWh", "rung", "direct g/kWh", "rung", "PUE"]
        table(columns, [_region_cells(row) for row in rows])

    answer({"factor_version": reference.version, "regions": rows}, as_json=as_json, human=human)


def _region_cells(row: dict[str, Any]) -> list[object]:
    cells: list[object] = [row["region_id"], row["name"]]
    for scope in SCOPES:
        rci = row["rci"][scope]
        cells += [range_text(rci["rci_gco2e_per_kwh"]), rci["rung"]]
    return [*cells, row["pue"]]
