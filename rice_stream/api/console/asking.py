"""Questions about totals that a page asks: all of one caller, about the same names, in one calendar."""

from typing import Any, NamedTuple

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.product import Product
from rice_stream.api.reads.totals import answer_totals
from rice_stream.reports.name_filter import ALL_NAMES, NameFilter
from rice_stream.reports.totals_curves import Curves, curves
from rice_stream.reports.totals_query import AmountsAs, Only, TotalsQuery
from rice_stream.reports.totals_together import look_ahead
from rice_stream.store.scope import Scope

IN_TABLES: Only = ("energy", "tokens", "market")
"""What tables of pages have besides prompts and carbon."""


class Question(NamedTuple):
    """What all answers of a page have in common."""

    product: Product
    caller: Caller
    tenant: str | None
    time_zone: str | None
    where: NameFilter = ALL_NAMES
    amounts: AmountsAs = "restated"

    def totals(self, **more: Any) -> dict[str, Any]:
        """What `/v1/totals` answers. RiceError: as from there."""
        return answer_totals(self.product, self.caller, self.query(**more))

    def curves(self, **more: Any) -> Curves:
        """The same by name and bucket, as sums. RiceError: as from there."""
        scope = self.product.scope(self.caller, Right.READ, self.tenant)
        return curves(self.product.engine_for(scope), scope, self.query(**more), self.product.now())

    def query(self, **more: Any) -> TotalsQuery:
        """The question itself."""
        return TotalsQuery(
            **more,
            tenant=self.tenant,
            time_zone=self.time_zone,
            where=self.where,
            amounts=self.amounts,
            report_time_zone=self.product.settings.report_time_zone,
        )

    def look_ahead(self, *queries: TotalsQuery) -> None:
        """Have what will be asked of one tenant added up together: it is answered sooner. Of several it would take too long for one
        statement."""
        scope = self.product.scope(self.caller, Right.READ, self.tenant)
        if not self.product.is_wide(scope):
            look_ahead(self.product.engine_for(scope), scope, queries, self.product.now())


def one_calendar(product: Product, scope: Scope, asked: str | None) -> str | None:
    """The time zone to ask for where amounts of several tenants stand side by side or on one another: one for all of them, as for
    their sum. None: that of the only tenant of the scope."""
    is_one = scope.tenants is not None and len(scope.tenants) == 1
    return asked or (None if is_one else product.settings.report_time_zone)


def zone_of(product: Product, answer: dict[str, Any]) -> str:
    """Whose days an answer to a question in one calendar counts."""
    zone: str | None = answer["window"]["time_zone"]
    return zone or product.settings.report_time_zone
