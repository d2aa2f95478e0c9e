"""How the overview asks the API's functions: all of its questions for one caller, in the days of one time zone."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.console.asked import PageParameters
from rice_stream.api.console.asking import Question
from rice_stream.api.console.drawing.bars import overlap
from rice_stream.api.console.pages.overview_times import Between
from rice_stream.api.product import Product
from rice_stream.api.reads.totals import answer_totals
from rice_stream.reports.totals_query import Only, TotalsQuery

NOTHING = {"low": 0.0, "mid": 0.0, "high": 0.0}
_TOLD: Only = ("market",)
Row = dict[str, Any]
By = Literal["tenant", "team"]


class Compared(NamedTuple):
    """An amount and the same of a time before; `before` None: the ledger does not reach back that far."""

    now: Mapping[str, float]
    before: Mapping[str, float] | None

    @property
    def overlap(self) -> bool:
        """Whether the ranges have anything in common."""
        return self.before is not None and overlap(self.now, self.before)


class Asker:
    """The questions of one page to the API's functions, for one caller."""

    def __init__(self, product: Product, caller: Caller, asked: PageParameters, zones: Mapping[str, str]) -> None:
        """`zones`: the time zones of the tenants that the caller sees."""
        self._product, self._caller, self._asked = product, caller, asked
        only = next(iter(zones.values())) if len(zones) == 1 else None
        self._zone: str | None = asked.time_zone or zones.get(asked.tenant or "") or only
        self._answers: dict[TotalsQuery, dict[str, Any]] = {}
        self.scope = product.scope(caller, Right.READ, asked.tenant)

    def totals(self, *, tenant: str | None = None, by: Sequence[str] = (), **query: Any) -> dict[str, Any]:
        """What `/v1/totals` answers of prompts and of carbon, by location and by the market, in the days of the zone of its first
        answer.

        `tenant`: of another one than the page's.
        """
        question = self._question(tenant).query(only=_TOLD, by=tuple(by), **query)
        answer = self._answers.get(question)
        if answer is None:
            answer = self._answers[question] = answer_totals(self._product, self._caller, question)
        self._zone = answer["window"]["time_zone"]
        return answer

    def look_ahead(self, *queries: dict[str, Any]) -> None:
        """Have what `totals` will be asked added up together."""
        question = self._question()
        question.look_ahead(*(question.query(only=_TOLD, **each) for each in queries))

    def _question(self, tenant: str | None = None) -> Question:
        return Question(self._product, self._caller, tenant or self._asked.tenant, self._zone)

    @property
    def zone(self) -> str:
        """Whose days are counted, once something has been asked."""
        return self._zone or self._product.settings.report_time_zone

    def during(self, stretch: Between, **query: Any) -> dict[str, Any]:
        """The same of a stretch of time."""
        return self.totals(start=stretch.start, end=stretch.end, **query)
