"""`rice-stream models`: the models of the tables, and what a name resolves to."""

import time
from typing import Any

import click

from rice_stream.cli.base import Session, answer, json_option, pass_session
from rice_stream.cli.ranges import range_text
from rice_stream.cli.tables import table
from rice_stream.runtime.opening_reference import open_reference


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
    rows = reference.search_models(" ".join(query), at_us=time.time_ns() // 1000)

    def human() -> None:
        columns = ["model", "owner", "total B", "active B", "rung", "source"]
        table(columns, [_model_cells(row) for row in rows])

    answer({"factor_version": reference.version, "models": rows}, as_json=as_json, human=human)


def _model_cells(row: dict[str, Any]) -> list[object]:
    return [
        row["model_id"],
        row["owner"],
        range_text(row["params_total_b"]),
        range_text(row["params_active_b"]),
        row["rung"],
        row["source"],
    ]
