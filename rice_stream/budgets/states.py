"""A budget's state, which is kept between two judgements, and the changes that a judgement announces. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from rice_stream.budgets.burn import BurnAlarm
from rice_stream.budgets.definition import Budget
from rice_stream.budgets.periods import Period
from rice_stream.errors import RiceError
from rice_stream.instants import in_utc

State = Literal["ok", "warning", "exceeded", "resolved"]
Severity = Literal["info", "warning", "critical"]
AlertBasis = Literal["actual", "forecast", "burn_rate"]
"""What a transition rests on: what was consumed, where that will lead, or how fast it goes."""
WarningKind = Literal["fast_burn", "slow_burn", "forecast"]
"""What an early warning is about; of each a budget has one or none."""
EndedBy = Literal["pace", "limit", "period", "settings"]
"""Why an early warning ended: the pace is lower again, the limit itself is reached, its period is over or another one, or it was
switched off."""

EXCEEDED_RATIO = 1.0
"""A threshold of at least the whole limit means exceeded; one below it is a warning."""

SEQUENCE_MAX = 2**62
"""Far beyond any count of changes, and what follows it still fits the stores' BIGINT."""

SEVERITIES: Mapping[State, Severity] = {"ok": "info", "warning": "warning", "exceeded": "critical", "resolved": "info"}


@dataclass(frozen=True, slots=True)
class Consumed:
    """What a budget's scope consumed in one period: the exact integer sums of the totals, and the ends of the carbon's range.

    Low and high are the ends of the 80 % range in what is announced or shown, and wherever a budget is judged by them.

    Raises:
        TypeError: an amount is no int (PostgreSQL's SUM of BIGINT arrives as Decimal: convert it at the query).
    """

    carbon_low_ugco2e: int
    carbon_mid_ugco2e: int
    carbon_high_ugco2e: int
    facility_energy_uwh: int

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if type(getattr(self, name)) is not int:
                raise TypeError(f"{name} must be an int, got {getattr(self, name)!r}")

    def amount(self, budget: Budget) -> int:
        """The figure that is held against the limit, in the limit's micro-units."""
        if budget.unit == "kwh":
            return self.facility_energy_uwh
        by_estimate = {"low": self.carbon_low_ugco2e, "mid": self.carbon_mid_ugco2e, "high": self.carbon_high_ugco2e}
        return by_estimate[budget.estimate]

    def ratio(self, budget: Budget) -> float:
        """The share of the limit that is consumed, for people to read; judgements compare integers."""
        return self.amount(budget) / budget.limit


@dataclass(frozen=True, slots=True)
class Forecast:
    """The period's end if consumption goes on.

    `low`, `mid` and `high` are the amounts at the end, in the limit's micro-units. `mid` goes on from the budget's own estimate at
    the average pace since the period began, and `ratio` is its share of the limit. `low` goes on from the low end of the range at
    the slowest pace that was seen, `high` from the high end at the fastest. `exhausted_at`, `exhausted_latest` and
    `exhausted_earliest` are when these three reach the limit: None where the budget lasts the period, and before now where
    the limit has already been passed (then it is interpolated). `elapsed_ratio` is the share of the period that the
    average pace rests on: the smaller it is, the less the forecast is worth.
    """

    low: int
    mid: int
    high: int
    ratio: float
    exhausted_at: datetime | None
    exhausted_earliest: datetime | None
    exhausted_latest: datetime | None
    elapsed_ratio: float


@dataclass(frozen=True, slots=True)
class Transition:
    """One threshold's change, to be announced once.

    `sequence` counts a budget's transitions from 1 on, without gaps. `consumed` is what was judged, and `ratio` its
    share of the limit then. Of an early warning `threshold` is the burn rate that was exceeded, or the share of the limit that is
    forecast, and `rests_on` the figures of that moment (None where a period's end resolved it). `open_thresholds` are all that the
    budget is beyond after it, ascending. `ended_by` is why an early warning is resolved.
    """

    sequence: int
    threshold: float
    state: State
    period: Period
    consumed: Consumed
    ratio: float
    basis: AlertBasis = "actual"
    rests_on: BurnAlarm | Forecast | None = None
    open_thresholds: tuple[float, ...] = ()
    ended_by: EndedBy | None = None

    @property
    def severity(self) -> Severity:
        return SEVERITIES[self.state]


@dataclass(frozen=True, slots=True)
class ClosedPeriod:
    """A past period and the thresholds whose crossing was announced for it, ascending."""

    period: Period
    crossed: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class OpenWarning:
    """An early warning that was announced and holds, with what was announced."""

    kind: WarningKind
    threshold: float
    period: Period
    consumed: Consumed

    @property
    def basis(self) -> AlertBasis:
        return "forecast" if self.kind == "forecast" else "burn_rate"


@dataclass(frozen=True, slots=True)
class BudgetState:
    """All that has to be stored of a budget between two judgements; `BudgetState()` is a budget never judged.

    `active`: thresholds in alarm now; `crossed`: all that were in alarm at some time in `period`, a superset; both
    ascending. `period`: the calendar period last judged as the present one; for a rolling budget the window of the last
    transition. `over`: that calendar period was judged after its end. `consumed`: figures of the last transition in
    `period`. `closed`: earlier periods in which something was announced. `watched_from`: periods that start before it
    are not judged (the budget did not exist yet, or the period is forgotten). `warnings`: early warnings that hold.
    """

    sequence: int = 0
    active: tuple[float, ...] = ()
    crossed: tuple[float, ...] = ()
    period: Period | None = None
    over: bool = False
    consumed: Consumed | None = None
    closed: tuple[ClosedPeriod, ...] = ()
    watched_from: datetime | None = None
    warnings: tuple[OpenWarning, ...] = ()

    def __post_init__(self) -> None:
        if list(self.active) != sorted(set(self.active)) or list(self.crossed) != sorted(set(self.crossed)):
            raise ValueError(f"thresholds must ascend: active {self.active}, crossed {self.crossed}")
        if not set(self.active) <= set(self.crossed):
            raise ValueError(f"active thresholds {self.active} must be among the crossed ones {self.crossed}")
        if self.crossed and (self.period is None or self.consumed is None):
            raise ValueError("crossed thresholds need the period and the figures that were announced")
        if not 0 <= self.sequence <= SEQUENCE_MAX:
            raise ValueError(f"sequence must be between 0 and {SEQUENCE_MAX}, got {self.sequence}")
        if self.active and self.over:
            raise ValueError(f"a period that is over has no active thresholds, got {self.active}")

    @property
    def peaked(self) -> bool:
        """Whether the budget was in alarm at some time in this period."""
        return bool(self.crossed)

    @property
    def period_start(self) -> datetime | None:
        return self.period.start if self.period else None

    @property
    def state(self) -> State:
        """The worst of the thresholds: exceeded, warning, resolved (all of them again below), or ok."""
        if self.active:
            return crossing_state(self.active[-1])
        return "resolved" if self.peaked else "ok"

    def to_mapping(self) -> dict[str, Any]:
        """A JSON-able mapping that `from_mapping` reads back to an equal state."""
        return {
            "sequence": self.sequence,
            "active": list(self.active),
            "crossed": list(self.crossed),
            "period": _period_to_mapping(self.period) if self.period else None,
            "over": self.over,
            "consumed": _consumed_to_mapping(self.consumed) if self.consumed else None,
            "closed": [
                {"period": _period_to_mapping(closed.period), "crossed": list(closed.crossed)} for closed in self.closed
            ],
            "watched_from": self.watched_from.isoformat() if self.watched_from else None,
            **({"warnings": [_warning_to_mapping(each) for each in self.warnings]} if self.warnings else {}),
        }

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> "BudgetState":
        """The state that `to_mapping` wrote.

        Raises:
            RiceError: the mapping is not what `to_mapping` writes; the message says where.
        """
        try:
            return cls(
                sequence=int(mapping["sequence"]),
                active=tuple(float(threshold) for threshold in mapping["active"]),
                crossed=tuple(float(threshold) for threshold in mapping["crossed"]),
                period=_period_from_mapping(mapping["period"]) if mapping["period"] else None,
                over=bool(mapping["over"]),
                consumed=Consumed(**mapping["consumed"]) if mapping["consumed"] else None,
                closed=tuple(
                    ClosedPeriod(
                        period=_period_from_mapping(entry["period"]),
                        crossed=tuple(float(threshold) for threshold in entry["crossed"]),
                    )
                    for entry in mapping["closed"]
                ),
                watched_from=_instant(mapping["watched_from"]) if mapping["watched_from"] else None,
                # A state from before there were early warnings has none.
                warnings=tuple(_warning_from_mapping(entry) for entry in mapping.get("warnings", ())),
            )
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise RiceError(
                f"its stored state cannot be read ({type(error).__name__}: {error}); set the budget again to "
                "start it afresh"
            ) from error


def crossing_state(threshold: float) -> Literal["warning", "exceeded"]:
    """The state that a threshold in alarm stands for."""
    return "exceeded" if threshold >= EXCEEDED_RATIO else "warning"


def _period_to_mapping(period: Period) -> dict[str, Any]:
    return {"start": period.start.isoformat(), "end": period.end.isoformat(), "calendar": period.calendar}


def _period_from_mapping(mapping: Mapping[str, Any]) -> Period:
    return Period(_instant(mapping["start"]), _instant(mapping["end"]), calendar=bool(mapping["calendar"]))


def _consumed_to_mapping(consumed: Consumed) -> dict[str, int]:
    return {name: getattr(consumed, name) for name in Consumed.__slots__}


def _warning_to_mapping(warning: OpenWarning) -> dict[str, Any]:
    return {
        "kind": warning.kind,
        "threshold": warning.threshold,
        "period": _period_to_mapping(warning.period),
        "consumed": _consumed_to_mapping(warning.consumed),
    }


def _warning_from_mapping(mapping: Mapping[str, Any]) -> OpenWarning:
    if mapping["kind"] not in get_args(WarningKind):
        raise ValueError(f"there is no kind of warning {mapping['kind']!r}")
    return OpenWarning(
        kind=mapping["kind"],
        threshold=float(mapping["threshold"]),
        period=_period_from_mapping(mapping["period"]),
        consumed=Consumed(**mapping["consumed"]),
    )


def _instant(text: str) -> datetime:
    return in_utc(datetime.fromisoformat(text))
