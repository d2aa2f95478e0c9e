"""What pages show of corrections: the bridge of a stretch of time, restatements, and what has corrected one record."""

from collections.abc import Callable
from datetime import date
from typing import Any

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.console.asking import Question
from rice_stream.api.console.drawing.bridges import bridge_bars
from rice_stream.api.console.forms import PageForm
from rice_stream.api.product import Product
from rice_stream.api.reads.bridge import answer_bridge
from rice_stream.api.reads.prompts import RecordParameters
from rice_stream.api.writes.void import VoidBody, answer_void
from rice_stream.reports.restatements import restatement_page_later
from rice_stream.store.audit import Actor
from rice_stream.store.scope import Scope
from rice_stream.wording.causes import CAUSE_WORDS

_SHOWN = 10
_Figures = dict[str, Any]


class VoidForm(PageForm):
    """Why an event is wrong."""

    reason: str


def bridged(question: Question, start: date, end: date) -> _Figures:
    """`bridge` with its bars; nothing for those who see some teams only. RiceError: as from the report."""
    product, caller = question.product, question.caller
    if product.scope(caller, Right.READ, question.tenant).teams:
        return {"bridge": None, "bridge_bars": None}
    bridge = answer_bridge(product, caller, question.query(start=start, end=end))
    return {"bridge": bridge, "bridge_bars": bridge_bars(bridge)}


def restatements_later(product: Product, scope: Scope) -> Callable[[], _Figures]:
    """The latest `restatements`; asked now, and waited for when it is called."""
    threshold_percent = product.settings.restatement_threshold_percent
    engine = product.engine_for(scope)
    listed = restatement_page_later(engine, scope, limit=_SHOWN, threshold_percent=threshold_percent)
    return lambda: {"restatements": listed()["rows"]}


def adjustments_told(rows: list[dict[str, Any]]) -> _Figures:
    """The `adjustments` of a record, and whether it is voided by now."""
    return {
        "adjustments": rows,
        "cause_words": CAUSE_WORDS,
        "is_voided": sum(row["amounts"]["prompts"] for row in rows) < 0,
    }


def void_shown(
    product: Product, caller: Caller, event_id: str, asked: RecordParameters, reason: str, by: Actor
) -> None:
    """What `POST /v1/void` does, of the record that a page shows. RiceError, ProblemError: as from there."""
    ended_at = None if asked.ended_at is None else asked.ended_at.isoformat()
    # As the address has it: an id that no event can have is one that is not there.
    body = VoidBody.model_construct(event_id=event_id, reason=reason, tenant=asked.tenant, ended_at=ended_at)
    answer_void(product, caller, body, by)
