"""Answers about budgets: what they are, where they stand, what is to come of them, and what was announced."""

from pydantic import Field

from rice_stream.api.document.shapes import Answer, Measure


class BudgetDefinition(Answer):
    """What a budget is; `limit` is in its `unit`."""

    name: str
    tenant_id: str
    team_id: str | None
    project_id: str | None
    cost_centre: str | None
    user_id: str | None
    model: str | None
    limit: float
    unit: str
    period: str
    time_zone: str
    thresholds: list[float]
    estimate: str
    hysteresis: float
    early_warning: bool


class Budget(BudgetDefinition):
    """A budget and where it stands; `consumed` is in its `unit`, by its `estimate`."""

    state: str
    consumed: float
    ratio: float
    consumed_gco2e: Measure
    consumed_kwh: float
    period_start: str
    period_end: str


class Dates(Answer):
    """The earliest, the expected and the latest date; null where it is not reached within the period."""

    low: str | None
    mid: str | None
    high: str | None


class Forecast(Answer):
    """The period's end; see `/v1/budgets/{name}/burn-down`."""

    exhausted_at: Dates | None
    end_of_period: Measure
    ratio: float
    elapsed_ratio: float


class BurnRate(Answer):
    """How fast a budget burnt before now; a rate of 1 uses its limit up exactly at the end of the period."""

    window: str
    start: str
    end: str
    consumed: float
    allowed: float
    burn_rate: float


class OpenAlert(Answer):
    """A threshold that is reached now, or an early warning; `since` and `id` are null where that has not been announced yet."""

    id: str | None
    threshold: float
    state: str
    basis: str
    since: str | None
    delivered_at: str | None


class BudgetOutlook(Budget):
    """A budget, and what is to come of it."""

    forecast: Forecast | None
    burn_rates: list[BurnRate]
    open_alerts: list[OpenAlert]


class SuggestedBudget(Answer):
    """What a budget could begin with; the limits are null where nothing was consumed."""

    tenant_id: str
    team_id: str | None
    project_id: str | None
    cost_centre: str | None
    user_id: str | None
    model: str | None
    period: str
    start: str
    end: str
    consumed_gco2e: Measure
    consumed_kwh: float
    at_pace_gco2e: Measure
    at_pace_kwh: float
    limit_gco2e: float | None
    limit_kwh: float | None


class UnreadableBudget(Answer):
    """A budget whose stored definition cannot be read, and what to do."""

    name: str
    tenant_id: str
    state: str
    problem: str


class BurnDownRow(Answer):
    """A stretch of the period; null where it is still to come. All in the budget's unit."""

    start: str
    end: str
    added: float | None
    consumed: float | None
    consumed_low: float | None
    consumed_high: float | None
    pace: float


class BurnDown(BudgetOutlook):
    """How the present period has been used up, and what is to come."""

    bucket: str
    rows: list[BurnDownRow]


class AlertDelivery(Answer):
    """An alert on one channel."""

    id: int
    channel: str
    kind: str
    state: str


class Alert(Answer):
    """A change of a budget's state."""

    id: str
    tenant_id: str
    budget: str
    threshold: float
    state: str
    basis: str
    sequence: int
    time: str
    delivered: bool
    delivered_at: str | None
    deliveries: list[AlertDelivery] = Field(
        default_factory=list, description="In lists of alerts: on the channels that the caller sees"
    )


class Burn(Answer):
    """The rule of burn rates that an early warning rests on: its two windows, and the rates in them."""

    speed: str
    long_h: float
    short_h: float
    burn_rate_long: float
    burn_rate_short: float


class AnnouncedAlert(Alert):
    """A change, with what was said of the budget then; it has one of the limits, and an early warning what it rests on."""

    period_start: str
    period_end: str
    ratio: float
    severity: str
    consumed_gco2e: Measure
    consumed_kwh: float
    limit_gco2e: float | None = None
    limit_kwh: float | None = None
    burn: Burn | None = None
    forecast: Forecast | None = None
