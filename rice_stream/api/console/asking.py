"""Questions about totals that a page asks: all of one caller, about the same names, in one calendar."""

from typing import Any, NamedTuple

from rice_stream.api.access.callers import Caller
from rice_stream.api.product import Product
from rice_stream.api.reads.totals import answer_totals
from rice_stream.reports.name_filter import ALL_NAMES, NameFilter
from rice_stream.reports.totals_query import TotalsQuery
from rice_stream.store.scope import Scope


class Question(NamedTuple):
    """What all answers of a page have in common."""

    product: Product
    caller: Caller
    tenant: str | None
    time_zone: str | None
    where: NameFilter = ALL_NAMES

    def totals(self, **more: Any) -> dict[str, Any]:
        """What `/v1/totals` answers. RiceError: as from there."""
        query = TotalsQuery(
            **more,
            tenant=self.tenant,
            time_zone=self.time_zone,
            where=self.where,
            report_time_zone=self.product.settings.report_time_zone,
        )
        return answer_totals(self.product, self.caller, query)


def one_calendar(product: Product, scope: Scope, asked: str | None) -> str | None:
    """The time zone to ask for where amounts of several tenants stand side by side or on one another: one for all of them, as for
    their sum. None: that of the only tenant of the scope."""
    is_one = scope.tenants is not None and len(scope.tenants) == 1
    return asked or (None if is_one else product.settings.report_time_zone)


def zone_of(product: Product, answer: dict[str, Any]) -> str:
    """Whose days an answer to a question in one calendar counts."""
    zone: str | None = answer["window"]["time_zone"]
    return zone or product.settings.report_time_zone
