"""What the page of models shows: use in the window, a ranking for one prompt, a move of traffic, and names no table knows."""

from typing import Annotated, Any

from pydantic import Field

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.console.around import Around
from rice_stream.api.console.asked import Window, WindowParameters
from rice_stream.api.console.asking import IN_TABLES
from rice_stream.api.console.drawing.rankings import axis_to, tied_runs
from rice_stream.api.console.drawing.scatters import scatter_of
from rice_stream.api.console.forms import Blank
from rice_stream.api.console.kept import Figures
from rice_stream.api.console.nothing import nothing_of_tenant
from rice_stream.api.console.pages.mapping import MappedParameters, mapping_figures
from rice_stream.api.parameters import Name
from rice_stream.api.problems import problem_of
from rice_stream.api.product import Product
from rice_stream.api.reads.compare import CompareParameters, answer_comparison
from rice_stream.api.reads.models import RankParameters, answer_ranking
from rice_stream.api.reads.totals import answer_totals
from rice_stream.errors import NotFoundError, UsageError
from rice_stream.instants import DAY_S, SECOND_US, epoch_us, parse_instant
from rice_stream.quantities import TOKENS_MAX
from rice_stream.reports.coverage import unknown_names_later
from rice_stream.reports.totals_query import TotalsQuery
from rice_stream.reports.totals_together import look_ahead

MODELS_MAX = 25
"""Models with most carbon that are shown, and ranked; the others are one row."""
WINDOW: Window = "30d"
_PER_TOKENS = "carbon_gco2e_per_1000_output_tokens"
_PER_PROMPT = "carbon_gco2e_per_prompt"
_Tokens = Annotated[Annotated[int, Field(ge=1, le=TOKENS_MAX)] | None, Blank]
_Name = Annotated[Name | None, Blank]


class ModelsParameters(MappedParameters, WindowParameters):
    """Whose models in which time; for what prompt they are ranked; and what is moved where."""

    model: _Name = None
    provider: _Name = None
    input_tokens: _Tokens = None
    output_tokens: _Tokens = None
    region: _Name = None
    also: Annotated[Annotated[str, Field(max_length=2_000)] | None, Blank] = None
    move: _Name = None
    share: Annotated[Annotated[float, Field(gt=0, le=100)] | None, Blank] = None
    to_model: _Name = None
    to_region: _Name = None

    @property
    def also_models(self) -> list[str]:
        """Models to rank besides those in use."""
        return [name for each in (self.also or "").split(",") if (name := each.strip())]


def figures(product: Product, caller: Caller, asked: ModelsParameters, around: Around) -> Figures:
    """All of it, from the functions that the API answers from."""
    scope = product.scope(caller, Right.READ, asked.tenant)
    engine, now = product.engine_for(scope), product.now()
    of_models = _query(product, asked, "model", only=IN_TABLES)
    of_places = _query(product, asked, "region", only=(), ranges=False)
    if not product.is_wide(scope):
        look_ahead(engine, scope, (of_models, of_places), now)
    totals = answer_totals(product, caller, of_models)
    unknown_later = unknown_names_later(engine, scope, "model", now=now, days=_days(product, totals["window"]))
    places = answer_totals(product, caller, of_places)
    regions = [row["region"] for row in places["rows"]]
    used = [row["model"] for row in totals["rows"] if not row["other"]]
    rows = [(row["model"], row["output_tokens"], row["carbon_gco2e"]) for row in totals["rows"] if not row["other"]]
    known_regions = [region for region in regions if region and region != "unknown"]
    scatter = scatter_of(rows)
    ranking = _ranking(product, asked, totals["total"], used, known_regions)
    unknown = unknown_later()
    tenants = [each["tenant_id"] for each in around.tenants()]
    return {
        "totals": totals,
        "meta": totals["meta"],
        "zone": totals["meta"]["time_zone"],
        "asked": asked,
        "window": asked.stretch(WINDOW).get("window"),
        "tenants": tenants,
        "nothing": None
        if totals["total"]["prompts"]
        else nothing_of_tenant(around.scope, totals, asked.tenant, tenants),
        "regions": known_regions,
        "used": used,
        "scatter": scatter,
        "ranking": ranking,
        "unknown": unknown,
        "unknown_models": {row["name"] for row in unknown},
        "moved": _moved(product, caller, asked, totals["window"]),
        **mapping_figures(around.mappings(), caller, asked),
    }


def _query(product: Product, asked: ModelsParameters, by: str, **more: Any) -> TotalsQuery:
    return TotalsQuery(
        **more,
        tenant=asked.tenant,
        by=[by],
        time_zone=asked.time_zone,
        report_time_zone=product.settings.report_time_zone,
        top=MODELS_MAX,
        **asked.stretch(WINDOW),
    )


def _days(product: Product, window: dict[str, Any]) -> int | None:
    """Whole days that hold the window: names are looked for in these."""
    if window["from"] is None:
        return None
    elapsed_us = epoch_us(product.now()) - epoch_us(parse_instant(window["from"]))
    return max(1, -(-elapsed_us // (DAY_S * SECOND_US)))


def _ranking(
    product: Product, asked: ModelsParameters, total: dict[str, Any], used: list[str], regions: list[str]
) -> dict[str, Any] | None:
    """What `/v1/rank` answers for one prompt in one place, in runs that cannot be told apart; None: there is no model to rank."""
    names = [*used, *asked.also_models]
    if not names:
        return None
    prompts = max(1, total["prompts"])
    mean = {name: max(1, round(total[name] / prompts)) for name in ("input_tokens", "output_tokens")}
    question = {
        "input_tokens": asked.input_tokens or mean["input_tokens"],
        "output_tokens": asked.output_tokens or mean["output_tokens"],
        "region": asked.region or (regions[0] if regions else None),
    }
    document = answer_ranking(product, RankParameters.model_validate({"model": names, **question}))
    rows = document["rows"]
    runs = tied_runs([row["model"] for row in rows], [row["uncertain_against"] for row in rows])
    places = {row["model"]: row["rank"] for row in rows}
    return {
        **document,
        "mean": mean,
        "is_mean": question["input_tokens"] == mean["input_tokens"]
        and question["output_tokens"] == mean["output_tokens"],
        "runs": [(run, rows[run.first - 1 : run.last]) for run in runs],
        "places": places,
        "across": [
            (rows[run.last - 1]["model"], rows[run.last]["model"])
            for run in runs[:-1]
            if rows[run.last]["model"] in rows[run.last - 1]["uncertain_against"]
        ],
        "axis": axis_to(max(row[_PER_TOKENS]["high"] for row in rows), "carbon"),
        "largest": {name: max(row[name]["mid"] for row in rows) for name in (_PER_TOKENS, _PER_PROMPT)},
    }


def _moved(product: Product, caller: Caller, asked: ModelsParameters, window: dict[str, Any]) -> dict[str, Any] | None:
    """What `/v1/compare` answers to the move; `{"problem"}` where there is no answer; None: nothing is to be moved."""
    if asked.to_model is None and asked.to_region is None:
        return None
    question = {
        "tenant": asked.tenant,
        "only_model": asked.move,
        "from": window["from"],
        "to": window["to"],
        "model": asked.to_model,
        "region": asked.to_region,
        "share": (asked.share or 100.0) / 100,
    }
    try:
        return answer_comparison(product, caller, CompareParameters.model_validate(question))
    except (UsageError, NotFoundError) as error:
        return {"problem": problem_of(error).detail}
