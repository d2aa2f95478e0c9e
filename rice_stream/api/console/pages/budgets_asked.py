"""What `/budgets` may be asked, and what its forms hold."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from http import HTTPStatus
from typing import Annotated, Any, Literal

from pydantic import Field

from rice_stream.api.console.asked import PageParameters
from rice_stream.api.console.forms import Blank, PageForm, Text
from rice_stream.api.parameters import Name
from rice_stream.api.problems import ProblemError
from rice_stream.budgets.definition import PeriodName

_Named = Annotated[Name | None, Blank]
NARROWING = ("team", "project", "cost_centre", "user", "model")
_FIELDS = {name: name if name in ("model", "cost_centre") else f"{name}_id" for name in NARROWING}
"""What they are called in `/v1/budgets`."""
THRESHOLDS = "50, 80, 100"
"""In percent, as a new form has them."""


class BudgetsAsked(PageParameters):
    """`name`: one budget; `change`, `remove`, `new`: a form. The others are what a new one would be for."""

    name: _Named = None
    said: Annotated[Annotated[str, Field(max_length=300)] | None, Blank] = None
    before: Annotated[Annotated[int, Field(ge=1, lt=2**63)] | None, Blank] = None
    """Changes before the one of this sequence."""
    page: Annotated[int, Field(ge=1, le=100_000)] = 1
    """Of the list."""
    change: bool = False
    remove: bool = False
    new: bool = False
    team: _Named = None
    project: _Named = None
    cost_centre: _Named = None
    user: _Named = None
    model: _Named = None
    period: Annotated[PeriodName, Field()] = "month"


class BudgetForm(PageForm):
    """A budget as people fill it in: thresholds and hysteresis in percent, one limit with its unit."""

    action: Literal["make", "change", "remove"]
    name: Text = None
    tenant: Text = None
    team: Text = None
    project: Text = None
    cost_centre: Text = None
    user: Text = None
    model: Text = None
    limit: Text = None
    unit: Literal["gco2e", "kgco2e", "kwh"] = "gco2e"
    period: Text = None
    time_zone: Text = None
    thresholds: Text = None
    estimate: Text = None
    hysteresis: Text = None
    early_warning: Literal["no", "yes"] = "no"
    etag: Text = None

    def values(self) -> dict[str, object]:
        """The same as `/v1/budgets` takes it, without name and tenant. ProblemError 422: a percentage is none."""
        return {
            **{_FIELDS[name]: getattr(self, name) for name in NARROWING},
            "limit_kwh" if self.unit == "kwh" else "limit_gco2e": _limit(self.limit, self.unit),
            "period": self.period,
            "time_zone": self.time_zone,
            "thresholds": None if self.thresholds is None else _shares("thresholds", self.thresholds),
            "estimate": self.estimate,
            "hysteresis": None if self.hysteresis is None else _shares("hysteresis", self.hysteresis)[0],
            "early_warning": self.early_warning == "yes",
        }


def filled_in(budget: Mapping[str, Any]) -> BudgetForm:
    """The form of a budget as it is."""
    return BudgetForm(
        action="change",
        name=budget["name"],
        tenant=budget["tenant_id"],
        **{name: budget[_FIELDS[name]] for name in NARROWING},
        limit=_plain(budget["limit"]),
        unit=budget["unit"],
        period=budget["period"],
        time_zone=budget["time_zone"],
        thresholds=", ".join(_plain(each, 100) for each in budget["thresholds"]),
        estimate=budget["estimate"],
        hysteresis=_plain(budget["hysteresis"], 100),
        early_warning="yes" if budget["early_warning"] else "no",
    )


def _plain(value: float, times: int = 1) -> str:
    """Without an exponent, and without the places that a float adds."""
    text = f"{Decimal(repr(value)) * times:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _limit(text: str | None, unit: str) -> str | None:
    """What is no number is left for the budget's own rules to name."""
    if text is None or unit != "kgco2e":
        return text
    try:
        return f"{Decimal(text) * 1000:f}"
    except InvalidOperation:
        return text


def _shares(field: str, text: str) -> list[float]:
    try:
        return [float(Decimal(part.strip().removesuffix("%").strip()) / 100) for part in text.split(",")]
    except InvalidOperation as error:
        problem = f"{field}: must be percentages, separated by commas, such as {THRESHOLDS}"
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, problem, slug="invalid-parameters") from error
