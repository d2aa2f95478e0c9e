"""A month of a team or a cost centre in words, on one page. Pure; the figures are those of `reports/statements.py`."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from rice_stream.channels.letters import STATEMENT_TYPE, Letter
from rice_stream.channels.messages.links import absolute
from rice_stream.wording.amounts import amount, change, count, exact, number, percent, range_text
from rice_stream.wording.plain_text import visible
from rice_stream.wording.times import day_text

_UNITS = {"gco2e": "gCO₂e", "kwh": "kWh"}
_KINDS = {"model": "Model", "project": "Project", "user": "User"}
_NOTHING = "nothing"
_PAGE = "/explore"
_ASKED = {
    "tenant": "tenant_id",
    "team": "team_id",
    "cost_centre": "cost_centre",
    "from": "from",
    "to": "to",
    "time_zone": "time_zone",
}
"""What the page is asked, and where the figures have it."""


def statement_letter(figures: Mapping[str, Any]) -> Letter:
    """The statement of one team or cost centre, with a link to the page that shows the same month."""
    month, before = _month(figures["month"]), _month(_previous(figures["month"]))
    _, name = _whose(figures)
    rows = tuple(_movers(figures["movers"]))
    return Letter(
        event_type=STATEMENT_TYPE,
        title=f"{name}, {month}: {_headline(figures, before)}",
        time=figures["as_of"],
        lines=(*_budgets(figures["budgets"], is_over=figures["is_over"]), *_remarks(figures)),
        facts=tuple(_facts(figures, month, before)),
        columns=("What moved it", before, month, "Change") if rows else (),
        rows=rows,
        path=absolute("", _PAGE, [(asked, value) for asked, field in _ASKED.items() if (value := figures[field])]),
        subject=figures["tenant_id"],
        data=figures,
    )


def _whose(figures: Mapping[str, Any]) -> tuple[str, str]:
    """What the month is of, and its name."""
    if figures["team_id"] is None:
        return "Cost centre", visible(figures["cost_centre"])
    return "Team", visible(figures["team_id"])


def _headline(figures: Mapping[str, Any], before: str) -> str:
    total, last = figures["total"], figures["before"]
    if total is None:
        return "nothing was used"
    grams = total["carbon_gco2e"]["mid"]
    moved = None if last is None else change(grams, last["carbon_gco2e"]["mid"])
    return amount(grams, "carbon") + (f", {moved} against {before}" if moved else "")


def _facts(figures: Mapping[str, Any], month: str, before: str) -> Iterator[tuple[str, str]]:
    total, last = figures["total"], figures["before"]
    yield "Tenant", visible(figures["tenant_id"])
    yield _whose(figures)
    yield "Month", f"{month}, days of {figures['time_zone']}"
    if total is not None:
        yield "Carbon", amount(total["carbon_gco2e"]["mid"], "carbon")
        yield "Range (80 %)", range_text(total["carbon_gco2e"], "carbon")
        if _has_market(total):
            yield "By the market", amount(total["carbon_market_gco2e"], "carbon") + _market_moved(total, last, before)
        yield "Energy", amount(total["facility_energy_wh"], "energy")
        yield "Prompts", count(total["prompts"])
    if last is None:
        yield before, _NOTHING
    else:
        market = f" ({amount(last['carbon_market_gco2e'], 'carbon')} by the market)" if _has_market(last) else ""
        yield before, f"{amount(last['carbon_gco2e']['mid'], 'carbon')}{market}, {count(last['prompts'])} prompts"


def _has_market(amounts: Mapping[str, Any]) -> bool:
    """Whether carbon by the market is another one than that by location."""
    return bool(amounts["carbon_market_gco2e"] != amounts["carbon_gco2e"]["mid"])


def _market_moved(total: Mapping[str, Any], last: Mapping[str, Any] | None, before: str) -> str:
    moved = None if last is None else change(total["carbon_market_gco2e"], last["carbon_market_gco2e"])
    return f", {moved} against {before}" if moved else ""


def _budgets(budgets: Sequence[Mapping[str, Any]], *, is_over: bool) -> Iterator[str]:
    for each in budgets:
        unit, crossed = _UNITS[each["unit"]], each["alerts"]
        used = f"{percent(each['ratio'])} of {exact(each['limit'])} {unit} a {each['period']}"
        if each["period"].startswith("rolling"):
            used = f"{percent(each['ratio'])} of {exact(each['limit'])} {unit} in {each['period'].removeprefix('rolling-')}"
        at = "at the end of the month" if is_over else "so far"
        alerts = {0: "no alert", 1: "1 alert"}.get(crossed, f"{crossed} alerts")
        yield f"Budget {visible(each['name'])}: {used} ({number(each['consumed'])} {unit}) {at}, {alerts} in the month."


def _remarks(figures: Mapping[str, Any]) -> Iterator[str]:
    if figures["movers"]["user"] is None:
        yield "Users are not told apart: the records of these months are no longer all kept."
    written = day_text(figures["as_of"], figures["time_zone"])
    if figures["is_over"]:
        yield f"As of {written}. Prompts of the month that arrive later are counted as well, on the page behind the link."
    else:
        yield f"As of {written}: the month is not over."


def _movers(movers: Mapping[str, Sequence[Mapping[str, Any]] | None]) -> Iterator[tuple[str, ...]]:
    for field, word in _KINDS.items():
        for each in movers[field] or ():
            name = f"Without a {field}" if each["name"] is None else f"{word} {visible(each['name'])}"
            now, before, moved = each["gco2e"], each["before_gco2e"], each["change_gco2e"]
            sign = "+" if moved > 0 else ""
            relative = change(now, before)
            told = f"{sign}{amount(moved, 'carbon')}" + ("" if relative is None else f" ({relative})")
            yield name, *(amount(grams, "carbon") if grams else _NOTHING for grams in (before, now)), told


def _month(text: str) -> str:
    return f"{date.fromisoformat(f'{text}-01'):%B %Y}"


def _previous(text: str) -> str:
    year, month = divmod(int(text[:4]) * 12 + int(text[5:]) - 2, 12)
    return f"{year:04}-{month + 1:02}"
