"""Keeping what was refused, so that it can be looked up: as a record on the topic, which the worker puts into quarantine."""

from collections import OrderedDict
from collections.abc import Callable

from rice_stream.api.access.callers import Caller
from rice_stream.api.ingestion.publishing import Outgoing
from rice_stream.api.ingestion.receiving import Received
from rice_stream.events.door_refusals import refusals_record
from rice_stream.events.refused_items import REFUSED_PER_RECORD_MAX

_REMEMBERED = 4_096


class RefusalLog:
    """Makes one record of a body's refused items. A body that is sent again is kept once, as long as it is remembered."""

    def __init__(self, unkept: Callable[[int], object]) -> None:
        """`unkept` is told how many items are not kept."""
        self._kept: OrderedDict[tuple[str, int], None] = OrderedDict()
        self._unkept = unkept

    def record_of(self, received: Received, path: str, sender: Caller) -> Outgoing | None:
        """The record to publish; None where nothing was refused, or it is kept already, or the sender has too many."""
        items = sorted([*received.refused, *received.forbidden], key=lambda refused: refused.item)
        if not items or self._key(received, sender) in self._kept:
            return None
        if sender.share.refusals.take(min(len(items), REFUSED_PER_RECORD_MAX + 1)):
            self._unkept(len(items))
            return None
        return Outgoing(None, refusals_record(items, f"POST {path} by {sender.name}"))

    def not_confirmed(self, received: Received) -> None:
        """The broker has not confirmed the record, and nobody will try again."""
        self._unkept(len(received.refused) + len(received.forbidden))

    def kept(self, received: Received, sender: Caller) -> None:
        """The broker has confirmed the record."""
        if received.refused or received.forbidden:
            self._kept[self._key(received, sender)] = None
            if len(self._kept) > _REMEMBERED:
                self._kept.popitem(last=False)

    def _key(self, received: Received, sender: Caller) -> tuple[str, int]:
        """The offset of the record that a body is read as is a digest of the body."""
        return sender.name, (received.refused or received.forbidden)[0].record.offset
