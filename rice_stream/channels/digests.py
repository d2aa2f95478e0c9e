"""What is said at the end of quiet hours: what is still open, and what has ended meanwhile. Pure."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from rice_stream.budgets.states import Severity
from rice_stream.channels.definition import RANK, ChannelType

Event = Mapping[str, Any]
"""The CloudEvent of an alert."""
ALERTS_MAX = 200
"""Alerts in one digest; of more there are several digests."""
WEBHOOK_BYTES_MAX = 16_000
"""Of a webhook's digest, as JSON: with what is around it there is room for all of it (`messages/webhook.py`), as programs need."""


class Digest(NamedTuple):
    """One digest, as JSON, and the ids of the deliveries that it tells of."""

    content: dict[str, Any]
    severity: Severity
    """Of the worst that is still open."""
    told: tuple[int, ...]


def digests_of(
    held: Iterable[tuple[int, Event]], channel_type: ChannelType, alerts_max: int = ALERTS_MAX
) -> list[Digest]:
    """The digest of what was held, each with the id of its delivery: of each threshold what became of it last.

    What is still open comes first, the worst first, and then what is over again. Several digests where one would be too long.
    """
    latest: dict[tuple[Any, ...], Event] = {}
    told: dict[tuple[Any, ...], list[int]] = {}
    for number, event in held:
        subject = _subject(event)
        told.setdefault(subject, []).append(number)
        if subject not in latest or event["data"]["sequence"] > latest[subject]["data"]["sequence"]:
            latest[subject] = event
    subjects = sorted(latest, key=lambda each: _order(latest[each]))
    bytes_max = WEBHOOK_BYTES_MAX if channel_type == "webhook" else None
    parts: list[list[tuple[Any, ...]]] = []
    size = 0
    for subject in subjects:
        length = len(json.dumps(latest[subject]).encode())
        size += length
        if not parts or len(parts[-1]) == alerts_max or (bytes_max is not None and size > bytes_max):
            parts.append([])
            size = length
        parts[-1].append(subject)
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
