"""`rice-stream rank`: which model would answer with less carbon, and whether that is certain."""

import time
from typing import Any

import click

from rice_stream.cli.base import STDERR, Session, answer, json_option, pass_session, table
from rice_stream.cli.requests import described, option_name
from rice_stream.errors import UsageError
from rice_stream.estimator.registry import METHOD_NAMES
from rice_stream.meter.ranking import PER_OUTPUT_TOKENS, Ranked, rank_document, rank_models
from rice_stream.quantities import PRECISIONS
from rice_stream.reference.types import KNOWN_MODEL_RUNGS
from rice_stream.runtime.opening import open_estimator

SMALLEST_B = 1.0
"""Smaller models are ranked when they are asked for: no hosted service is built on them."""
_MG_PER_G = 1000


@click.command()
@click.option("--model", "models", multiple=True, metavar="M", help="A model to rank; several times.")
@click.option("--search", metavar="WORDS", help="Rank the models of the table that match, as in `rice-stream models`.")
@click.option("--input-tokens", metavar="N", default="1000", show_default=True)
@click.option("--output-tokens", metavar="N", default="300", show_default=True)
@click.option("--cache-read-input-tokens", metavar="N", help="How many of the input tokens were cached.")
@click.option("--region", help="Such as azure:swedencentral, eu-west-1 or SE.")
@click.option("--provider", help="Such as openai or aws.bedrock.")
@click.option("--pue", metavar="X")
@click.option("--rci-gco2e-per-kwh", metavar="X")
@click.option("--hardware", help="Such as H100.")
@click.option("--devices", metavar="X")
@click.option("--batch-size", metavar="X", help="Requests decoded together; may be an average.")
@click.option("--precision", type=click.Choice(PRECISIONS))
@click.option("--method", "method_name", type=click.Choice(METHOD_NAMES))
@click.option("--profile", help="Serving profile: batch1, interactive, throughput or one of the settings.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="The N lowest only.")
@json_option
@pass_session
def rank(
    session: Session,
    /,
    models: tuple[str, ...],
    search: str | None,
    method_name: str | None,
    limit: int | None,
    *,
    as_json: bool,
    **given: str | None,
) -> None:
    """Models ordered by gCO2e per prompt and per 1,000 output tokens, with ranges, lowest first.

    Without --model and --search: every model of the table from 1 B parameters on, but for those that only benchmarks name.
    Where the ranges of two models overlap, which of them is lower is not certain; the region's carbon intensity is the same for all
    and decides nothing.

    Example: rice-stream rank --input-tokens 2000 --output-tokens 300 --region azure:swedencentral
    """
    estimator = open_estimator(session.settings, method_name)
    if models and search:
        raise UsageError("--search: give models with --model, or words to search with, not both")
    now_us = time.time_ns() // 1000
    names = list(models)
    if not names:
        names = _names(estimator.reference.search_models(search or "", at_us=now_us), search)
    cells = {name: value for name, value in given.items() if value is not None}
    request = described({**cells, "model": names[0]}, option_name)
    ranked = rank_models(names, request, estimator.at(now_us))
    shown = ranked[:limit]
    document = {
        "input_tokens": request.input_tokens,
        "output_tokens": request.output_tokens,
        "region": shown[0].estimated.values["region"],
        "method": shown[0].estimated.values["method"],
        "versions": shown[0].estimated.values["versions"],
        "models_total": len(ranked),
        "rows": rank_document(shown, request),
    }
    answer(document, as_json=as_json, human=lambda: _show(shown, len(ranked), document))


def _names(rows: list[dict[str, Any]], search: str | None) -> list[str]:
    """The models to rank of a search's answer. UsageError where it found none."""
    if search:
        found = [row["model_id"] for row in rows if row["rung"] in KNOWN_MODEL_RUNGS]
        if not found:
            raise UsageError(f"--search {search!r}: no model of the table matches; see `rice-stream models`")
        return found
    return [row["model_id"] for row in rows if not row["benchmark_only"] and row["params_total_b"]["mid"] >= SMALLEST_B]


def _show(shown: list[Ranked], total: int, document: dict[str, Any]) -> None:
    places = {one.model: one.rank for one in shown}
    rows = []
    for one, row in zip(shown, document["rows"], strict=True):
        per_tokens = row["carbon_gco2e_per_1000_output_tokens"]
        rows.append(
            [
                one.rank,
                one.model,
                *(value * _MG_PER_G for value in one.carbon_gco2e),
                per_tokens["mid"] * _MG_PER_G if per_tokens else None,
                _spans([places[name] for name in one.uncertain_against if name in places]),
            ]
        )
    columns = ["rank", "model", "low", "mid", "high", f"mid per {PER_OUTPUT_TOKENS:,} out", "not certain against rank"]
    title = (
        f"mgCO2e per prompt of {document['input_tokens']:,} + {document['output_tokens']:,} tokens,"
        f" region {document['region']}, {document['versions']['method']}"
    )
    table(columns, rows, title=title)
    certain = sum(1 for one in shown if not any(name in places for name in one.uncertain_against))
    STDERR.print(
        f"{len(shown)} of {total} models; the place of {certain} of them is certain."
        " Ranges that overlap do not say which model is lower: --hardware, --batch-size and --precision narrow them."
    )


def _spans(places: list[int]) -> str:
    """`1-3, 7` for [1, 2, 3, 7]; `-` for none.

    >>> _spans([1, 2, 3, 7])
    '1-3, 7'
    """
    spans: list[tuple[int, int]] = []
    for place in sorted(places):
        if spans and place == spans[-1][1] + 1:
            spans[-1] = (spans[-1][0], place)
        else:
            spans.append((place, place))
    return ", ".join(f"{first}-{last}" if last > first else str(first) for first, last in spans) or "-"
