"""Every prompt of a month, a row each: the fields of the view `prompt_emission`, as recorded and without corrections."""

from collections.abc import Iterator, Sequence
from typing import Any

from rice_stream.instants import datetime_of
from rice_stream.reports.exports.columns import ExportColumn, Kind
from rice_stream.reports.exports.exported import ExportedRows, grounds_of
from rice_stream.reports.exports.orders import ExportOrder
from rice_stream.reports.month_amounts import MonthQuestion, month_amounts
from rice_stream.reports.prompt_filter import PromptFilter
from rice_stream.reports.prompt_stream import stream_prompts
from rice_stream.reports.prompts import TIMES
from rice_stream.store.engine import Engine
from rice_stream.store.scope import Scope
from rice_stream.store.snapshot import snapshot

_WHOLE_ENDS = ("_tokens", "_uwh", "_ugco2e", "_uj", "_ul")
_NUMBERS = ("pue", "rci_gco2e_per_kwh")


def prompt_rows(engine: Engine, scope: Scope, order: ExportOrder) -> ExportedRows:
    """All that ended in the month and was recorded by the instant, in the order of time; in constant memory.

    The totals beside it are as reported: what a correction changes is no record's. Voided prompts are among the rows.
    """
    question = MonthQuestion(tenant=order.tenant, month=order.month, amounts="reported", as_of_us=order.as_of_us)
    found = month_amounts(engine, scope, question)
    with snapshot(engine, scope) as connection:
        grounds = grounds_of(connection, scope, found)
    asked = PromptFilter(
        tenant=order.tenant,
        start=datetime_of(found.stretch.low_us),
        end=datetime_of(found.stretch.high_us),
        recorded_until_us=found.as_of_us,
    )
    batches = stream_prompts(engine, scope, asked)
    names, _ = next(batches)

    def rows() -> Iterator[Sequence[Any]]:
        for _, batch in batches:
            yield batch

    return ExportedRows([ExportColumn(name, prompt_kind(name)) for name in names], rows(), grounds)


def prompt_kind(name: str) -> Kind:
    """What the values of a field of a prompt are."""
    if name in TIMES:
        return "instant"
    if name.endswith(_WHOLE_ENDS):
        return "whole"
    return "number" if name in _NUMBERS else "text"
