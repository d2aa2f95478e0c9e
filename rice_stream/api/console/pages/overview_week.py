"""The overview's last seven days: by tenant or team, beside the seven before, and which team changed most."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from rice_stream.api.console.kept import Figures
from rice_stream.api.console.pages.overview_asking import NOTHING, Asker, By, Compared, Row
from rice_stream.api.console.pages.overview_times import WEEK, Between
from rice_stream.instants import parse_instant

LARGEST = 5
_FEW = 50
"""Teams whose ranges are all worked out at once: sooner than to look for the one that matters first."""
_Names = tuple[str | None, ...]
_Amounts = dict[_Names, Mapping[str, float]]


class Mover(NamedTuple):
    """The team whose amount changed most in the direction of the whole."""

    tenant: str | None
    team: str | None
    change: Compared


def week_figures(ask: Asker, by: By, *, several: bool, many: bool, reaches: bool) -> Figures:
    """Of one tenant or of several. Of `many` it is asked in two steps: teams only of the tenants that matter.

    `reaches`: the ledger holds the week before.
    """
    fields = ["tenant", "team"] if several else ["team"]
    shown = ["tenant"] if by == "tenant" else fields
    week = ask.totals(window="7d", by=shown, top=LARGEST)
    start, end = (parse_instant(week["window"][name]) for name in ("from", "to"))
    stretch = Between(start - WEEK, end - WEEK)
    rows = [row for row in week["rows"] if not row["other"]]
    total: Mapping[str, float] | None = None
    before: _Amounts = {}
    if reaches and many:
        total = ask.during(stretch, top=1)["total"]["carbon_gco2e"]
        for tenant in dict.fromkeys(row["tenant"] for row in rows):
            before |= _amounts(ask.during(stretch, by=shown, tenant=tenant), shown)
    elif reaches:
        by_name = ask.during(stretch, by=shown)
        total, before = by_name["total"]["carbon_gco2e"], _amounts(by_name, shown)
    whole = Compared(week["total"]["carbon_gco2e"], total)
    mover = None
    if reaches and shown == fields and not many and week["names_total"] <= _FEW:
        has_all = len(rows) == len(week["rows"])
        everybody = week if has_all else ask.totals(window="7d", by=fields, ranges=False)
        # All others together have no name, as what names no team.
        ranged = _amounts({"rows": rows}, fields)
        mover = _mover_among(ask, fields, _amounts(everybody, fields), ranged, before, whole)
    elif reaches:
        mover = _mover(ask, stretch, fields, whole, many=many)
    return {
        "by": by,
        "week": week,
        "week_starts": start,
        "week_change": whole,
        "rows": [(row, _compared(row, before, shown, reaches=reaches)) for row in week["rows"]],
        "mover": mover,
    }


def _amounts(answer: Row, fields: Sequence[str]) -> _Amounts:
    return {tuple(row[name] for name in fields): row["carbon_gco2e"] for row in answer["rows"]}


def _compared(row: Row, before: _Amounts, fields: Sequence[str], *, reaches: bool) -> Compared:
    if not reaches or row["other"]:
        return Compared(row["carbon_gco2e"], None)
    return Compared(row["carbon_gco2e"], before.get(tuple(row[name] for name in fields), NOTHING))


def _mover_among(
    ask: Asker, fields: Sequence[str], now: _Amounts, ranged: _Amounts, before: _Amounts, whole: Compared
) -> Mover | None:
    """`now`: of everybody, without ranges perhaps; `ranged`: of those that have rows of their own."""
    names = _most_of(now, before, rose=_rose(whole))
    if names is None:
        return None
    amount = ranged.get(names) or (_of(ask, fields, names, None, window="7d") if names in now else NOTHING)
    return _mover_of(names, Compared(amount, before.get(names, NOTHING)))


def _mover_of(names: _Names, change: Compared) -> Mover:
    return Mover(names[0] if len(names) > 1 else None, names[-1], change)


def _rose(whole: Compared) -> bool:
    return whole.before is not None and whole.now["mid"] >= whole.before["mid"]


def _mover(ask: Asker, stretch: Between, fields: Sequence[str], whole: Compared, *, many: bool) -> Mover | None:
    """Of many tenants: the team that changed most of the tenant that did."""
    rose = _rose(whole)
    within: str | None = None
    if many:
        most = _most(ask, stretch, ["tenant"], rose=rose)
        if most is None:
            return None
        [within] = most
    names = _most(ask, stretch, fields, rose=rose, tenant=within)
    if names is None:
        return None
    change = Compared(
        _of(ask, fields, names, within, window="7d"),
        _of(ask, fields, names, within, start=stretch.start, end=stretch.end),
    )
    return _mover_of(names, change)


def _most(
    ask: Asker, stretch: Between, fields: Sequence[str], *, rose: bool, tenant: str | None = None
) -> _Names | None:
    """The names whose amount changed most; None: nothing changed in that direction."""
    now = _amounts(ask.totals(window="7d", by=fields, tenant=tenant, ranges=False), fields)
    before = _amounts(ask.during(stretch, by=fields, tenant=tenant, ranges=False), fields)
    return _most_of(now, before, rose=rose)


def _most_of(now: _Amounts, before: _Amounts, *, rose: bool) -> _Names | None:
    def moved(names: _Names) -> float:
        return float(now.get(names, NOTHING)["mid"] - before.get(names, NOTHING)["mid"]) * (1 if rose else -1)

    ordered = sorted({*now, *before}, key=lambda names: (-moved(names), [name or "" for name in names]))
    return ordered[0] if ordered and moved(ordered[0]) > 0 else None


def _of(ask: Asker, fields: Sequence[str], names: _Names, tenant: str | None, **stretch: Any) -> Mapping[str, float]:
    """The amount of some names with its range, without those of all others."""
    rows = ask.totals(by=fields, tenant=tenant, ranges=False, **stretch)["rows"]
    place = next((place for place, row in enumerate(rows) if tuple(row[name] for name in fields) == names), None)
    if place is None:
        return NOTHING
    [row] = ask.totals(by=fields, tenant=tenant, limit=1, offset=place, **stretch)["rows"]
    found: Mapping[str, float] = row["carbon_gco2e"]
    return found
