"""What is said at the end of quiet hours: what is still open, and what has ended meanwhile. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from rice_stream.budgets.states import Severity
from rice_stream.channels.definition import RANK

Event = Mapping[str, Any]
"""The CloudEvent of an alert."""
ALERTS_MAX = 200
"""Alerts in one digest; of more there are several digests."""


class Digest(NamedTuple):
    """One digest, as JSON, and the ids of the deliveries that it tells of."""

    content: dict[str, Any]
    severity: Severity
    """Of the worst that is still open."""
    told: tuple[int, ...]


def digests_of(held: Iterable[tuple[int, Event]], alerts_max: int = ALERTS_MAX) -> list[Digest]:
    """Digests of what was held, each with the id of its delivery: of each threshold what became of it last.

    What is still open comes first, the worst first, and then what is over again.
    """
    latest: dict[tuple[Any, ...], Event] = {}
    told: dict[tuple[Any, ...], list[int]] = {}
    for number, event in held:
        subject = _subject(event)
        told.setdefault(subject, []).append(number)
        if subject not in latest or event["data"]["sequence"] > latest[subject]["data"]["sequence"]:
            latest[subject] = event
    subjects = sorted(latest, key=lambda each: _order(latest[each]))
    parts = [subjects[first : first + alerts_max] for first in range(0, len(subjects), alerts_max)]
    return [_digest([latest[each] for each in part], [told[each] for each in part]) for part in parts]


def _digest(alerts: list[Event], told: list[list[int]]) -> Digest:
    severities: list[Severity] = [alert["data"]["severity"] for alert in alerts if not _is_over(alert)]
    worst: Severity = max(severities, key=RANK.__getitem__, default="info")
    return Digest({"alerts": alerts}, worst, tuple(sorted(number for numbers in told for number in numbers)))


def _subject(event: Event) -> tuple[Any, ...]:
    data = event["data"]
    start = None if data["period"].startswith("rolling") else data["period_start"]
    return data["tenant_id"], data["budget"], start, data["basis"], data["threshold"]


def _is_over(event: Event) -> bool:
    return bool(event["data"]["state"] == "resolved")


def _order(event: Event) -> tuple[Any, ...]:
    data = event["data"]
    return _is_over(event), -RANK[data["severity"]], data["tenant_id"], data["budget"], data["sequence"]
