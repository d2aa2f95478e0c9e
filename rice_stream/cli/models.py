"""`rice-stream models`: the models of the tables, and the card of one of them."""

import time
from typing import Any

import click

from rice_stream.cli.base import Session, answer, json_option, pass_session
from rice_stream.cli.ranges import range_text
from rice_stream.cli.tables import table
from rice_stream.runtime.opening_reference import open_reference


@click.command()
@click.argument("query", nargs=-1)
@click.option("--provider", help="Who serves the model; with a model's name.")
@json_option
@pass_session
def models(session: Session, query: tuple[str, ...], *, provider: str | None, as_json: bool) -> None:
    """Models that have all words of the query, with their parameters; for the name of one model its card: evidence,
    assumptions, what a request of 500 and 250 tokens comes to, and what its range is made of.

    Example: rice-stream models claude sonnet

    Example: rice-stream models gpt-4o --provider azure
    """
    reference, now_us = open_reference(session.settings), time.time_ns() // 1000
    name = " ".join(query).strip()
    rows = reference.search_models(name, at_us=now_us)
    document: dict[str, Any] = {"factor_version": reference.version, "models": rows}
    if name and (len(rows) == 1 or provider is not None or reference.is_model(name, now_us)):
        from rice_stream.meter.model_card import model_card
        from rice_stream.runtime.opening_estimator import open_estimator

        known = reference.resolve_model(provider, name, None, now_us).known
        asked = rows[0]["model_id"] if len(rows) == 1 and rows[0]["rung"] == "exact" and not known else name
        card = model_card(asked, provider, open_estimator(session.settings).at(now_us))
        answer({**card, **document}, as_json=as_json, human=lambda: _show_card(card))
        return

    def human() -> None:
        columns = ["model", "owner", "total B", "active B", "rung", "source"]
        table(columns, [_model_cells(row) for row in rows])

    answer(document, as_json=as_json, human=human)


def _model_cells(row: dict[str, Any]) -> list[object]:
    return [
        row["model_id"],
        row["owner"],
        range_text(row["params_total_b"]),
        range_text(row["params_active_b"]),
        row["rung"],
        row["source"],
    ]


def _show_card(card: dict[str, Any]) -> None:
    table(["model", card["model"]], _facts(card))
    click.echo()
    causes = [[name, f"{factor:.2f}"] for name, factor in card["range_factors"].items()]
    table(["range", "high over low"], causes or [["", "this method gives bounds, no parts"]])
    click.echo()
    columns = ["evidence", "what", "value", "unit", "date", "grade", "id", "source"]
    table(columns, [_evidence_cells(piece) for piece in card["evidence"]])


def _facts(card: dict[str, Any]) -> list[list[object]]:
    served, request, price = card["served"], card["request"], card["price"]
    energy, carbon = request["facility_energy_wh"], request["carbon_gco2e"]
    known = "estimated" if card["estimated"] else "published"
    at = f"{request['input_tokens']} in, {request['output_tokens']} out"
    rows = [
        ["owner", card["owner"]],
        ["found as", card["rung"]],
        [
            "parameters",
            f"{range_text(card['params_total_b'])} B, active {range_text(card['params_active_b'])} B, {known}",
        ],
        ["energy rests on", served["route"]],
        [
            "served on",
            f"{served['devices']:g} {served['hardware']}, {served['batch_size']:g} at a time, {served['precision']}",
        ],
        ["PUE", f"{served['pue']:g} ({served['pue_rung']}): {served['pue_source']}"],
        [
            "intensity",
            f"{range_text(served['rci_gco2e_per_kwh'])} gCO2e/kWh, {served['region']} ({served['region_rung']})",
        ],
        ["list price", "none known" if price is None else _price_text(price)],
        [f"energy ({at})", f"{range_text(energy)} Wh at the facility"],
        [f"carbon ({at})", f"{range_text(carbon)} gCO2e"],
        ["source", card["source"]],
        ["note", card["note"]],
    ]
    return [row for row in rows if row[1]]


def _price_text(price: dict[str, Any]) -> str:
    figures = (price[f"usd_per_mtok_{name}"] for name in ("input", "cache_read", "output"))
    text = " / ".join(f"{figure:g}" for figure in figures)
    return f"{text} USD per million tokens in / cached / out, {price['provider']} ({price['rung']}), {price['date']}"


def _evidence_cells(piece: dict[str, Any]) -> list[object]:
    low, high = piece["low"], piece["high"]
    value = f"{piece['value']:.4g}" if low is None else f"{piece['value']:.4g} ({low:.4g} to {high:.4g})"
    return [
        piece["kind"],
        piece["quantity"],
        value,
        piece["unit"],
        piece["date"],
        piece["grade"],
        piece["id"],
        piece["source"],
    ]
