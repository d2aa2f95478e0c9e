"""What the page of data quality shows: what `/v1/coverage` and `/v1/quarantine` answer, and the bars of its days."""

from datetime import date
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.console.around import Around
from rice_stream.api.console.asked import PageParameters
from rice_stream.api.console.drawing.day_bars import DayBars, day_bars_of
from rice_stream.api.console.forms import Blank
from rice_stream.api.console.kept import Figures
from rice_stream.api.console.nothing import nothing_of_tenant
from rice_stream.api.console.pages.mapping import MappedParameters, mapping_figures
from rice_stream.api.parameters import RowId
from rice_stream.api.product import Product
from rice_stream.api.reads.quality import CoverageParameters, answer_coverage
from rice_stream.errors import NotFoundError
from rice_stream.reports.quarantine import quarantine_page, show
from rice_stream.store.quarantine import Choice
from rice_stream.store.scope import Scope

LINE = 0.95
"""What the GHG Protocol asks of a scope 3 inventory: at least so much of it covered."""
NAMES_MAX, ITEMS_MAX = 100, 50
COMPARED_MAX = 5_000
"""Records whose ids are compared without being asked to: to compare more takes longer than all the rest of the page."""
_Count = Annotated[Annotated[int, Field(ge=0, le=1_000_000)] | None, Blank]

TIER_WORDS = {
    "measured": "The server’s own meter gave the energy.",
    "reported": "The event brought factors of its own, such as the PUE or the carbon intensity of its place.",
    "estimated": "Model and place are known; the method works out the energy.",
    "defaulted": "A name was given that no table knows, of a model or a place: a fallback stands in for it.",
    "missing": "Nothing said where it ran, which model it was, or whose: an average stands in for it.",
}
"""Five words, always the same, each with its sentence."""


class QualityParameters(MappedParameters, PageParameters):
    """Whose data of how many days; which refused items, and which of them is looked at; what was done a moment ago."""

    days: Annotated[Annotated[int, Field(ge=1, le=366)] | None, Blank] = None
    reason: Annotated[Annotated[str, Field(max_length=100)] | None, Blank] = None
    item: Annotated[RowId | None, Blank] = None
    ids: bool = False
    do: Annotated[Literal["settle"] | None, Blank] = None
    replayed: _Count = None
    held: _Count = None
    dropped: _Count = None


def prepared(product: Product, asked: QualityParameters, around: Around) -> None:
    """Ask around the page what `figures` needs of all that the caller sees."""
    around.tenants()
    around.mappings()
    _refused(product, asked, around)


def figures(product: Product, caller: Caller, asked: QualityParameters, around: Around) -> Figures:
    """All of it, from the functions that the API answers from."""
    question = {
        "tenant": asked.tenant,
        "days": asked.days or 30,
        "limit": NAMES_MAX,
        "bucket": "day",
        "time_zone": asked.time_zone,
        # The ids of all records of many tenants, or of many records, are compared when somebody wants it.
        "repeated": asked.ids or not product.is_wide(product.scope(caller, Right.READ, asked.tenant)),
    }
    compared_max = None if asked.ids else COMPARED_MAX
    parameters = CoverageParameters.model_validate(question)
    coverage = answer_coverage(product, caller, parameters, compared_max=compared_max)
    seen = product.scope(caller, Right.READ, asked.tenant)
    zone = coverage["time_zone"]
    days = coverage["days"]
    tenants = [each["tenant_id"] for each in around.tenants()]
    meta = product.meta(seen, zone)
    of_window = {"meta": meta, "window": coverage["window"]}
    return {
        "asked": asked,
        "days": question["days"],
        "coverage": coverage,
        "nothing": None if coverage["prompts"] else nothing_of_tenant(around.scope, of_window, asked.tenant, tenants),
        "meta": meta,
        "zone": zone,
        "tenants": tenants,
        "line": LINE,
        "tier_words": TIER_WORDS,
        "bars": _bars(product, days, zone) if days else None,
        "worst": _worst(coverage),
        "refused": _refused(product, asked, around),
        "may_settle": caller.may(Right.WRITE) and caller.scope(Right.WRITE).is_everything,
        **mapping_figures(around.mappings(), caller, asked),
    }


def _worst(coverage: dict[str, Any]) -> dict[str, Any] | None:
    """The day of which least is covered; None: all of it is on every day."""
    shares = [(each["covered_share"], each["day"]) for each in coverage["days"] if each["covered_share"] is not None]
    if not shares or min(shares)[0] == 1:
        return None
    share, day = min(shares)
    when = date.fromisoformat(day)
    return {"covered_share": share, "day": f"{when.day} {when:%b %Y}"}


def _bars(product: Product, days: list[dict[str, Any]], zone: str) -> DayBars:
    today = product.now().astimezone(ZoneInfo(zone)).date()
    shares = {
        date.fromisoformat(day["day"]): [(row["tier"], row["share_of_carbon"] or 0.0) for row in day["tiers"]]
        for day in days
    }
    return day_bars_of(min(shares), max(today, *shares) if shares else today, shares)


def _refused(product: Product, asked: QualityParameters, around: Around) -> dict[str, Any] | None:
    """Items that were refused; None: the caller does not see all of them, and so none."""
    if not around.scope.is_everything:
        return None
    return around.once(("refused", asked.reason, asked.item), lambda: _refused_of(product, around.scope, asked))


def _refused_of(product: Product, scope: Scope, asked: QualityParameters) -> dict[str, Any]:
    found = quarantine_page(product.engine(), scope, Choice(reason=asked.reason), limit=ITEMS_MAX)
    every = (
        found["by_reason"]
        if asked.reason is None
        else quarantine_page(product.engine(), scope, Choice(), limit=1)["by_reason"]
    )
    sample = None
    if asked.item is not None:
        try:
            sample = show(product.engine(), scope, asked.item)
        except NotFoundError:
            sample = None  # settled and gone since the address was made
    return {**found, "every_reason": every, "sample": sample}
