"""Closing months on the page Periods: what stands where, the checklist of one, and the form that closes it."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Annotated, Literal

from pydantic import Field

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.console.forms import PageForm, Text
from rice_stream.api.console.kept import Figures
from rice_stream.api.parameters import Name
from rice_stream.api.problems import ProblemError
from rice_stream.api.product import Product
from rice_stream.api.writes.periods import CloseBody, answer_checklist, check_may_close
from rice_stream.reports.closings import closing_page_later
from rice_stream.reports.periods import closed_periods
from rice_stream.reports.tenants import named_tenant
from rice_stream.store.audit import Actor
from rice_stream.store.scope import Scope

_ROWS_MAX = 60
_ORDERS_SHOWN = 5
TITLES = {
    "watermark": "Events have come from after its end",
    "quarantine": "What was refused is decided",
    "unattributed": "Enough is charged to a team",
    "coverage": "Enough is of known models and regions",
    "contracts": "Contracts for electricity are applied",
    "totals": "Totals are what their records add up to",
    "reconciliation": "Providers state what was recorded",
}
"""Of the lines of the checklist."""


_Line = Literal["watermark", "quarantine", "unattributed", "coverage", "contracts", "totals", "reconciliation"]


class CloseForm(PageForm):
    """Which month is closed how, and what of the checklist is accepted."""

    tenant: Name
    month: Annotated[str, Field(max_length=20)]
    how: Literal["soft", "hard"]
    accept: Annotated[list[_Line], Field()]
    reason: Text = None

    def order(self) -> CloseBody:
        """As the API takes it. ProblemError 400: something is accepted, and no reason is given."""
        reason = (self.reason or "").strip()
        if self.accept and not reason:
            raise ProblemError(HTTPStatus.BAD_REQUEST, "reason: say why what is not in order is accepted")
        accepted: dict[str, str] = dict.fromkeys(self.accept, reason)
        return CloseBody(tenant_id=self.tenant, month=self.month, soft=self.how == "soft", accept=accepted)


def standing(product: Product, scope: Scope, year: int, tenants: int, number: int = 1) -> Figures:
    """A page of the months of a year that are not open, latest first, and the state of each month over all tenants."""
    first = (number - 1) * _ROWS_MAX
    engine = product.engine_for(scope)
    found = closed_periods(engine, scope, year, limit=_ROWS_MAX, first=first)
    states = {month: _state(by_state, tenants) for month, by_state in found["states"].items()}
    return {
        "standing": found["rows"],
        "standing_total": found["rows_total"],
        "standing_first": first + 1,
        "standing_page": number,
        "state_of": states,
    }


def orders_later(product: Product, scope: Scope) -> Callable[[], Figures]:
    """The latest orders to close a month; asked now, and waited for when it is called."""
    listed = closing_page_later(product.engine_for(scope), scope, limit=_ORDERS_SHOWN)
    return lambda: {"closings": listed()["rows"]}


def _state(by_state: Mapping[str, int], tenants: int) -> str:
    """That of all tenants, or `partly`."""
    return next(iter(by_state)) if len(by_state) == 1 and sum(by_state.values()) >= tenants else "partly"


def beginning(product: Product, caller: Caller, tenant: str, month: str) -> Figures:
    """The checklist of a month that may be closed. RiceError, ProblemError: it may not, or not by this caller."""
    asked = CloseBody(tenant_id=tenant, month=month, dry_run=True)
    check_may_close(product, caller, asked)
    found = answer_checklist(product, asked, Actor("session", caller.name))
    return {
        "tenant": tenant,
        "month": month,
        "checklist": found["checklist"],
        "titles": TITLES,
        "zone": named_tenant(product.engine(), caller.scope(Right.READ), tenant)["time_zone"],
        "may_sign": caller.scope(Right.CLOSE_MONTHS).has_tenant(tenant),
    }
