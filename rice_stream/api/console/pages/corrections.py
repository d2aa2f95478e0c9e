"""What pages show of corrections: the bridge of a stretch of time, restatements, and what has corrected one record."""

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
from rice_stream.api.reads.restatements import RestatementParameters, answer_restatements
from rice_stream.api.writes.void import VoidBody, answer_void
from rice_stream.store.audit import Actor
from rice_stream.wording.causes import CAUSE_WORDS

_SHOWN = 10
_Figures = dict[str, Any]


class VoidForm(PageForm):
    """Why an event is wrong."""

    reason: str


def corrections_of(question: Question, start: date, end: date) -> _Figures:
    """`bridge` with its bars, and the latest `restatements`; nothing for those who see some teams only.

    RiceError: as from the reports.
    """
    product, caller = question.product, question.caller
    if product.scope(caller, Right.READ, question.tenant).teams:
        return {"bridge": None, "bridge_bars": None, "restatements": []}
    bridge = answer_bridge(product, caller, question.query(start=start, end=end))
    listed = answer_restatements(product, caller, RestatementParameters(tenant=question.tenant, limit=_SHOWN))
    return {"bridge": bridge, "bridge_bars": bridge_bars(bridge), "restatements": listed["rows"]}


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
