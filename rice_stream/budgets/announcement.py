"""Budgets and their changes as others see them: CloudEvents on the alerts topic, and status rows. Pure."""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from rice_stream.budgets.burn import BurnAlarm
from rice_stream.budgets.definition import MICRO_UNITS, Budget
from rice_stream.budgets.states import BudgetState, Consumed, Forecast, Transition
from rice_stream.instants import epoch_us, rfc3339

ALERT_TYPE = "dev.rice.carbon.budget.v1"


def alert_event(
    budget: Budget, transition: Transition, *, source: str, event_time_watermark: datetime | None, time: datetime
) -> dict[str, Any]:
    """A transition as the JSON object of a CloudEvents 1.0 event.

    `source` is the CloudEvents source, a URI reference such as "/rice/worker"; `time` is when the change was judged;
    `event_time_watermark` is the event time up to which the totals were complete then, None where unknown. The Kafka
    key is `partitionkey`, the tenant. `consumed_gco2e` has all three bounds; `ratio` is that of the budget's estimate
    and unit. Numbers are nearest floats of exact integers.
    """
    period, consumed = transition.period, transition.consumed
    return {
        "specversion": "1.0",
        "id": alert_id(budget, transition),
        "source": source,
        "type": ALERT_TYPE,
        "subject": budget.tenant_id,
        "time": rfc3339(epoch_us(time)),
        "datacontenttype": "application/json",
        "partitionkey": budget.tenant_id,
        "data": {
            "tenant_id": budget.tenant_id,
            "budget": budget.name,
            "scope": scope(budget),
            "period": budget.period,
            "time_zone": budget.time_zone,
            "period_start": rfc3339(epoch_us(period.start)),
            "period_end": rfc3339(epoch_us(period.end)),
            f"limit_{budget.unit}": in_units(budget, budget.limit),
            "estimate": budget.estimate,
            "consumed_gco2e": consumed_gco2e(consumed),
            "consumed_kwh": consumed.facility_energy_uwh / MICRO_UNITS["kwh"],
            "ratio": transition.ratio,
            "threshold": transition.threshold,
            "state": transition.state,
            "severity": transition.severity,
            "basis": transition.basis,
            "open_thresholds": list(transition.open_thresholds),
            **_early_figures(budget, transition),
            **({} if transition.ended_by is None else {"ended_by": transition.ended_by}),
            "event_time_watermark": rfc3339(epoch_us(event_time_watermark)) if event_time_watermark else None,
            "sequence": transition.sequence,
        },
    }


def forecast_figures(budget: Budget, ahead: Forecast) -> dict[str, Any]:
    """A forecast as it is shown: amounts in the budget's unit, dates as RFC 3339 text."""
    dates = {"low": ahead.exhausted_earliest, "mid": ahead.exhausted_at, "high": ahead.exhausted_latest}
    texts = {end: None if date is None else rfc3339(epoch_us(date)) for end, date in dates.items()}
    return {
        "exhausted_at": texts if any(texts.values()) else None,
        "end_of_period": {end: in_units(budget, getattr(ahead, end)) for end in ("low", "mid", "high")},
        "ratio": ahead.ratio,
        "elapsed_ratio": ahead.elapsed_ratio,
    }


def _early_figures(budget: Budget, transition: Transition) -> dict[str, Any]:
    """What an early warning rests on."""
    figures = transition.rests_on
    if isinstance(figures, BurnAlarm):
        hours = {"long_h": figures.rule.long, "short_h": figures.rule.short}
        return {
            "burn": {
                "speed": "fast" if figures.rule.severity == "page" else "slow",
                **{name: window / timedelta(hours=1) for name, window in hours.items()},
                "burn_rate_long": figures.burn_long,
                "burn_rate_short": figures.burn_short,
            }
        }
    return {} if figures is None else {"forecast": forecast_figures(budget, figures)}


def alert_id(budget: Budget, transition: Transition) -> str:
    """The stable identity of one change: 64 hex digits, the same whenever and wherever the change is announced.

    SHA-256 over tenant, budget (id and name), period start, threshold, state and sequence, and of an early warning its basis,
    each preceded by its length in bytes, so that no two lists of parts give the same bytes. A rolling window has no start that
    two workers would agree on; the word "rolling" stands for it.
    """
    parts = (
        budget.tenant_id,
        "" if budget.budget_id is None else str(budget.budget_id),
        budget.name,
        rfc3339(epoch_us(transition.period.start)) if transition.period.calendar else "rolling",
        repr(transition.threshold),
        transition.state,
        str(transition.sequence),
        *([transition.basis] if transition.basis != "actual" else ()),
    )
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(8, "big"))
        digest.update(encoded)
    return digest.hexdigest()


def budget_status(budget: Budget, state: BudgetState, consumed: Consumed) -> dict[str, Any]:
    """A budget with where it stands now, as the command line and the API show it.

    `limit` and `consumed` are in `unit` (gCO2e or kWh); `consumed` is by the budget's estimate.
    """
    return {
        **budget_definition(budget),
        "state": state.state,
        "consumed": in_units(budget, consumed.amount(budget)),
        "ratio": consumed.ratio(budget),
        "consumed_gco2e": consumed_gco2e(consumed),
        "consumed_kwh": consumed.facility_energy_uwh / MICRO_UNITS["kwh"],
    }


def budget_definition(budget: Budget) -> dict[str, Any]:
    """What a budget is, as `budget_status` shows it; `limit` is in `unit` (gCO2e or kWh)."""
    return {
        "name": budget.name,
        "tenant_id": budget.tenant_id,
        **scope(budget),
        "limit": in_units(budget, budget.limit),
        "unit": budget.unit,
        "period": budget.period,
        "time_zone": budget.time_zone,
        "thresholds": list(budget.thresholds),
        "estimate": budget.estimate,
        "hysteresis": budget.hysteresis,
        "early_warning": budget.early_warning,
    }


def scope(budget: Budget) -> dict[str, str | None]:
    """What narrows the budget within its tenant; None where it takes everything."""
    return {
        "team_id": budget.team_id,
        "project_id": budget.project_id,
        "cost_centre": budget.cost_centre,
        "user_id": budget.user_id,
        "model": budget.model,
    }


def in_units(budget: Budget, amount: int) -> float:
    """Micro-units of a budget as gCO2e or kWh."""
    return amount / MICRO_UNITS[budget.unit]


def consumed_gco2e(consumed: Consumed) -> dict[str, float]:
    """The carbon with its range, in grams."""
    return {
        "low": consumed.carbon_low_ugco2e / MICRO_UNITS["gco2e"],
        "mid": consumed.carbon_mid_ugco2e / MICRO_UNITS["gco2e"],
        "high": consumed.carbon_high_ugco2e / MICRO_UNITS["gco2e"],
    }


def restated(event: Mapping[str, Any], budget: Budget, consumed: Consumed) -> dict[str, Any]:
    """The event of a change that still holds, with what its period has consumed by now; its id stays."""
    figures = {
        "consumed_gco2e": consumed_gco2e(consumed),
        "consumed_kwh": consumed.facility_energy_uwh / MICRO_UNITS["kwh"],
        "ratio": consumed.ratio(budget),
        f"limit_{budget.unit}": in_units(budget, budget.limit),
    }
    return {**event, "data": {**event["data"], **figures}}
