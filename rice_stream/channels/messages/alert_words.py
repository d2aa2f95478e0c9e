"""An alert in words: whose budget, how much of what, since when, and what to look at."""

from collections.abc import Mapping
from functools import cached_property
from shlex import quote
from typing import Any, cast
from zoneinfo import ZoneInfo

from rice_stream.budgets.states import Severity
from rice_stream.channels.messages.links import absolute
from rice_stream.instants import parse_instant
from rice_stream.wording.amounts import MINUS, THIN, Scale, exact, exact_percent, number, percent, scale_for
from rice_stream.wording.plain_text import visible
from rice_stream.wording.times import day_text, moment_text

_NAME_MAX = 80
"""Of a name in a title; the figures have it whole."""
# Alerts of versions before cost centres have none in their scope.
_SCOPE = (
    ("team_id", "Team", "team"),
    ("project_id", "Project", "project"),
    ("cost_centre", "Cost centre", "cost_centre"),
    ("user_id", "User", "user"),
    ("model", "Model", "model"),
)
_ROLLING = {"rolling-24h": "the last 24 hours", "rolling-7d": "the last 7 days", "rolling-30d": "the last 30 days"}
_JUDGED = {"low": "the low end of its range", "high": "the high end of its range"}
_ENDED = {
    "limit": "its limit itself is reached, so the early warning ends",
    "period": "its {period} is over, and the early warning with it",
    "settings": "its early warning was switched off",
}
"""Why an early warning ended, where that is not because the pace is lower again."""


class AlertWords:
    """The words of one alert, made of its CloudEvent."""

    def __init__(self, event: Mapping[str, Any]) -> None:
        self.event = event
        self.data: Mapping[str, Any] = event["data"]
        self.is_test = self.data.get("test") is True
        self.is_over = self.data["state"] == "resolved"
        self.severity = cast("Severity", self.data["severity"])
        self.tenant = visible(self.data["tenant_id"])
        self.budget = visible(self.data["budget"])
        self.is_early = self.data["basis"] != "actual"

    @property
    def still_beyond(self) -> tuple[float, ...]:
        """The thresholds that the budget is still beyond after this change, ascending, as far as the alert says."""
        return tuple(self.data.get("open_thresholds", ()))

    @property
    def title(self) -> str:
        """One line: the budget, whose it is, and what has happened."""
        return f"{_short(self.budget)} of {self._whom}: {self._news}"

    @property
    def lines(self) -> tuple[str, ...]:
        """What has to be known to judge it."""
        found = []
        if self.is_over and self.still_beyond:
            found.append(f"It is still beyond {_percent(self.still_beyond[-1])} of its limit.")
        limit_is_within = self._ends is not None and self._ends[0] < self._threshold_amount <= self._ends[1]
        if limit_is_within and not self.is_over and not self.is_early:
            found.append(
                f"The range of the estimate ({self._range}) holds {_percent(self.data['threshold'])} of the limit:"
                " it may not have been reached yet."
            )
        return tuple(found)

    @cached_property
    def facts(self) -> tuple[tuple[str, str], ...]:
        """Figures and their names."""
        scope = self.data["scope"]
        found = [("Tenant", self.tenant)]
        found += [(name, visible(scope[field])) for field, name, _ in _SCOPE if scope.get(field) is not None]
        found.append(("Used", f"{self._used} of {self._limit} ({_ratio(self.data['ratio'])})"))
        if self._ends is not None:
            found.append(("Range (80 %)", self._range))
        if self.data["estimate"] in _JUDGED and self._ends is not None:
            found.append(("Judged by", _JUDGED[self.data["estimate"]]))
        found += self._early_facts()
        found.append(("Period", self._period))
        found.append(("Since", self._moment(self.event["time"])))
        if self.data["event_time_watermark"] is not None:
            found.append(("Counted up to", self._moment(self.data["event_time_watermark"])))
        return tuple(found)

    def links(self, public_url: str | None) -> tuple[tuple[str, str], ...]:
        """What to look at."""
        if public_url is None:
            return ()
        tenant = ("tenant", self.data["tenant_id"])
        where = [tenant, ("by", "model"), ("from", self._first_day)]
        where += [
            (word, self.data["scope"][field]) for field, _, word in _SCOPE if self.data["scope"].get(field) is not None
        ]
        return (
            ("The budget and its forecast", absolute(public_url, "/budgets", [("name", self.data["budget"]), tenant])),
            ("Where it comes from, by model", absolute(public_url, "/explore", where)),
        )

    @property
    def command(self) -> str:
        """What says where it comes from, for who has no dashboard."""
        scope = self.data["scope"]
        narrowed = [("tenant", self.data["tenant_id"])]
        narrowed += [
            (word.replace("_", "-"), scope[field]) for field, _, word in _SCOPE if scope.get(field) is not None
        ]
        options = " ".join(f"--{name} {quote(visible(value))}" for name, value in narrowed)
        return f"rice-stream totals {options} --by model --from {self.data['period_start']}"

    @property
    def _whom(self) -> str:
        scope = self.data["scope"]
        named = [
            f"{word.replace('_', ' ')} {_short(visible(scope[field]))}"
            for field, _, word in _SCOPE
            if scope.get(field) is not None
        ]
        return ", ".join([_short(self.tenant), *named])

    @property
    def _news(self) -> str:
        threshold = self.data["threshold"]
        if (ended := _ENDED.get(self.data.get("ended_by", ""))) is not None:
            return ended.format(period=self.data["period"])
        if self.data["basis"] == "forecast":
            return self._forecast_news
        if self.data["basis"] == "burn_rate":
            rate = _plain(exact(threshold))
            if self.is_over:
                return f"no longer burns more than {rate} times as fast as it can last"
            return f"burns more than {rate} times as fast as it can last"
        if self.is_over and self._is_past:
            return f"its {self.data['period']} is over, at {_ratio(self.data['ratio'])} of {self._limit}"
        if self.is_over:
            return f"back below {_percent(threshold)} of {self._limit}"
        if threshold == 1:
            return f"over its limit, {self._used} of {self._limit}"
        return f"{_percent(threshold)} of its limit reached, {self._used} of {self._limit}"

    @property
    def _forecast_news(self) -> str:
        if self.is_over:
            return f"lasts its {self.data['period']} again at this pace"
        dates = (self.data.get("forecast") or {}).get("exhausted_at")
        when = (
            ""
            if dates is None or dates["mid"] is None
            else f": {self._limit} will be used up on {self._day(dates['mid'])}"
        )
        return f"will not last its {self.data['period']} at this pace{when}"

    def _early_facts(self) -> list[tuple[str, str]]:
        found = []
        burn, ahead = self.data.get("burn"), self.data.get("forecast")
        if burn is not None:
            rates = {name: _plain(number(burn[f"burn_rate_{name}"], 3)) for name in ("long", "short")}
            long, short = (_hours(burn[f"{name}_h"]) for name in ("long", "short"))
            text = f"{rates['long']} times as fast as it can last over {long}, {rates['short']} over {short}"
            found.append(("Burn rate", text))
        if ahead is not None:
            ends = ahead["end_of_period"]
            low, mid, high = (self._in_unit(ends[end]) for end in ("low", "mid", "high"))
            found.append(("Forecast for its end", f"{mid} {self._scale.unit} ({low} to {high})"))
            dates = ahead["exhausted_at"] or {}
            if dates.get("low") and dates.get("high"):
                found.append(("Used up", f"between {self._day(dates['low'])} and {self._day(dates['high'])}"))
        return found

    @cached_property
    def _scale(self) -> Scale:
        """Of the limit: what is used is told in the same unit."""
        return scale_for("carbon" if self._is_carbon else "energy", [self._limit_amount])

    @property
    def _is_carbon(self) -> bool:
        return "limit_gco2e" in self.data

    @property
    def _limit_amount(self) -> float:
        """Grams, or watt-hours."""
        return float(self.data["limit_gco2e"] if self._is_carbon else self.data["limit_kwh"] * 1000)

    @property
    def _threshold_amount(self) -> float:
        return float(self.data["threshold"]) * self._limit_amount

    @property
    def _ends(self) -> tuple[float, float] | None:
        """Of the carbon's range; energy has none."""
        if not self._is_carbon:
            return None
        return self.data["consumed_gco2e"]["low"], self.data["consumed_gco2e"]["high"]

    @property
    def _limit(self) -> str:
        return f"{_plain(exact(_whole(self._limit_amount / self._scale.size)))} {self._scale.unit}"

    @property
    def _used(self) -> str:
        """By the estimate that the budget is judged by."""
        if self._is_carbon:
            amount = self.data["consumed_gco2e"][self.data["estimate"]]
        else:
            amount = self.data["consumed_kwh"] * 1000
        return f"{_plain(number(amount / self._scale.size))} {self._scale.unit}"

    @property
    def _range(self) -> str:
        low, high = self._ends or (0.0, 0.0)
        size = self._scale.size
        return f"{_plain(number(low / size, 3))} to {_plain(number(high / size, 3))} {self._scale.unit}"

    def _in_unit(self, amount: float) -> str:
        """An amount in the budget's unit, grams or kilowatt-hours."""
        return _plain(number(amount * (1 if self._is_carbon else 1000) / self._scale.size, 3))

    @property
    def _period(self) -> str:
        period, zone = self.data["period"], self.data["time_zone"]
        if period in _ROLLING:
            return _ROLLING[period]
        start, end = (moment_text(self.data[name], zone) for name in ("period_start", "period_end"))
        return f"{period} from {start} to {end} ({zone})"

    @property
    def _is_past(self) -> bool:
        if self.data["period"] in _ROLLING:
            return False
        return parse_instant(self.event["time"]) >= parse_instant(self.data["period_end"])

    @property
    def _first_day(self) -> str:
        place = ZoneInfo(self.data["time_zone"])
        return parse_instant(self.data["period_start"]).astimezone(place).date().isoformat()

    def _moment(self, instant: str) -> str:
        return f"{moment_text(instant, self.data['time_zone'])} ({self.data['time_zone']})"

    def _day(self, instant: str) -> str:
        return day_text(instant, self.data["time_zone"])


def _ratio(share: float) -> str:
    """Of what is used; over the limit with a place more than elsewhere, so that it is seen to be over."""
    return f"{share * 100:.1f} %" if 1 < share < 10 else _plain(percent(share))


def _hours(hours: float) -> str:
    return f"{hours:g} h" if hours >= 1 else f"{round(hours * 60)} min"


def _percent(share: float) -> str:
    return _plain(exact_percent(share))


def _whole(value: float) -> float:
    """Without the last digits that a division leaves."""
    return float(f"{value:.12g}")


def _plain(text: str) -> str:
    """With blanks and signs that everything can show."""
    return text.replace(THIN, " ").replace(MINUS, "-")


def _short(name: str) -> str:
    return name if len(name) <= _NAME_MAX else f"{name[: _NAME_MAX - 1]}…"
