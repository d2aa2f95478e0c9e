"""`rice-stream models` and `rice-stream regions`: what the tables know, and what a name resolves to."""

import time
from typing import Any

import click

from rice_stream.cli.base import Session, answer, json_option, pass_session, table
from rice_stream.reference.types import SCOPES
from rice_stream.runtime.opening import open_reference


@click.command()
@click.argument("query", nargs=-1)
@json_option
@pass_session
def models(session: Session, query: tuple[str, ...], *, as_json: bool) -> None:
    """Models with their parameters, sources and aliases; for a name that no row has, what it resolves to and by which
    rung of the ladder.

    Example: rice-stream models claude sonnet
    """
    reference = open_reference(session.settings)
    rows = reference.search_models(" ".join(query), at_us=_now_us())

    def human() -> None:
        columns = ["model", "owner", "total B", "active B", "rung", "source"]
        table(columns, [_model_cells(row) for row in rows])

    answer({"factor_version": reference.version, "models": rows}, as_json=as_json, human=human)


@click.command()
@click.argument("query", nargs=-1)
@json_option
@pass_session
def regions(session: Session, query: tuple[str, ...], *, as_json: bool) -> None:
    """Regions with their carbon intensity (lifecycle and direct), PUE and sources; or what a spelling resolves to.

    Example: rice-stream regions azure sweden
    """
    reference = open_reference(session.settings)
    rows = reference.search_regions(" ".join(query), at_us=_now_us())

    def human() -> None:
        columns = ["region", "name", "lifecycle g/kWh", "rung", "direct g/kWh", "rung", "PUE"]
        table(columns, [_region_cells(row) for row in rows])

    answer({"factor_version": reference.version, "regions": rows}, as_json=as_json, human=human)


def _now_us() -> int:
    return time.time_ns() // 1000


def _model_cells(row: dict[str, Any]) -> list[object]:
    return [
        row["model_id"],
        row["owner"],
        _span(row["params_total_b"]),
        _span(row["params_active_b"]),
        row["rung"],
        row["source"],
    ]


def _region_cells(row: dict[str, Any]) -> list[object]:
    cells: list[object] = [row["region_id"], row["name"]]
    for scope in SCOPES:
        rci = row["rci"][scope]
        cells += [_span(rci["rci_gco2e_per_kwh"]), rci["rung"]]
    return [*cells, row["pue"]]


def _span(span: dict[str, float]) -> str:
    if span["low"] == span["high"]:
        return f"{span['mid']:g}"
    return f"{span['mid']:.4g} ({span['low']:.4g} to {span['high']:.4g})"
