"""`rice-stream rank`: which model would answer with less carbon, and whether that is certain."""

import time
from typing import Any

import click

from rice_stream.cli.base import STDERR, Session, answer, json_option, pass_session
from rice_stream.cli.ranges import range_text
from rice_stream.cli.request_options import option_name, served_options
from rice_stream.cli.tables import table
from rice_stream.meter.described import described
from rice_stream.meter.ranking import PER_OUTPUT_TOKENS, Ranked, models_to_rank, rank_document, rank_models
from rice_stream.runtime.opening_estimator import open_estimator

_MG_PER_G = 1000


@click.command()
@click.option("--model", "models", multiple=True, metavar="M", help="A model to rank; several times.")
@click.option("--search", metavar="WORDS", help="Rank the models of the table that match, as in `rice-stream models`.")
@click.option("--input-tokens", metavar="N", default="1000", show_default=True)
@click.option("--output-tokens", metavar="N", default="300", show_default=True)
@served_options
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
    What two models share (place, how their provider serves, family) decides nothing between them: which is lower is certain
    where the range of their ratio does not hold 1.

    Example: rice-stream rank --input-tokens 2000 --output-tokens 300 --region azure:swedencentral
    """
    estimator = open_estimator(session.settings, method_name)
    now_us = time.time_ns() // 1000
    names = models_to_rank(estimator.reference, now_us, models=models, search=search)
    request = described({**given, "model": names[0]}, option_name)
    ranked = rank_models(names, request, estimator.at(now_us))
    document = rank_document(ranked, request, limit)
    answer(document, as_json=as_json, human=lambda: _show(ranked[:limit], len(ranked), document))


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
                range_text(row["ratio_to_first"]) if row["ratio_to_first"] else None,
                _spans([places[name] for name in one.uncertain_against if name in places]),
            ]
        )
    columns = [
        "rank",
        "model",
        "low",
        "mid",
        "high",
        f"mid per {PER_OUTPUT_TOKENS:,} out",
        "times the lowest",
        "not certain against rank",
    ]
    title = (
        f"mgCO2e per prompt of {document['input_tokens']:,} + {document['output_tokens']:,} tokens,"
        f" region {document['region']}, {document['versions']['method']}"
    )
    table(columns, rows, title=title)
    certain = sum(1 for one in shown if not any(name in places for name in one.uncertain_against))
    STDERR.print(
        f"{len(shown)} of {total} models; the place of {certain} of them is certain."
        " Which of two is lower is not certain where the range of their ratio holds 1: --provider, --hardware, --batch-size and"
        " --precision narrow it."
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
