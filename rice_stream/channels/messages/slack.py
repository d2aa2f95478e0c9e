"""What Slack gets, or whoever takes messages as Slack's incoming webhooks do: blocks, with a text for notifications."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from rice_stream.channels.definition import Channel, HttpMessage, Parcel, Secrets
from rice_stream.channels.messages.required import required_address
from rice_stream.channels.messages.telling import Mark, ToldPart, telling_of

_MARKS: dict[Mark, str] = {
    "critical": "\N{LARGE RED CIRCLE}",
    "warning": "\N{LARGE ORANGE CIRCLE}",
    "info": "\N{INFORMATION SOURCE}\N{VARIATION SELECTOR-16}",
    "resolved": "\N{WHITE HEAVY CHECK MARK}",
}
_HEADER_MAX, _TEXT_MAX, _FIELD_MAX = 150, 3_000, 2_000
_FIELDS_MAX, _BLOCKS_MAX = 10, 50
"""Slack's own limits: it refuses what is longer."""
_WIDTH_MAX = 40


def messages(
    parcel: Parcel, channel: Channel, secrets: Secrets, *, public_url: str | None, now: datetime
) -> tuple[HttpMessage, ...]:
    """The one request. UsageError: there is no address."""
    telling = telling_of(parcel, public_url)
    title = f"{_MARKS[telling.mark]} {telling.title}"
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": _cut(title, _HEADER_MAX), "emoji": True}}
    ]
    blocks += [_section(_escaped(line)) for line in telling.lines]
    for part in telling.parts:
        blocks += _part(part)
    if telling.rows:
        blocks.append(_section(_table(telling.columns, telling.rows)))
    if telling.links:
        blocks.append(_section(_linked(telling.links)))
    if len(blocks) > _BLOCKS_MAX:
        blocks = [*blocks[: _BLOCKS_MAX - 1], _section("There is more than Slack takes; the dashboard has all of it.")]
    body = json.dumps({"text": _escaped(title), "blocks": blocks}, ensure_ascii=False).encode()
    return (HttpMessage(required_address(secrets), body, {"Content-Type": "application/json; charset=utf-8"}),)


def _part(part: ToldPart) -> Iterator[dict[str, Any]]:
    if part.heading is not None:
        yield _section("\n".join([f"*{_escaped(part.heading)}*", *map(_escaped, part.lines)]))
    for first in range(0, len(part.facts), _FIELDS_MAX):
        fields = [
            _text(f"*{_escaped(name)}*\n{_escaped(text)}", _FIELD_MAX)
            for name, text in part.facts[first : first + _FIELDS_MAX]
        ]
        yield {"type": "section", "fields": fields}
    if part.links:
        yield _section(_linked(part.links))


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _text(text, _TEXT_MAX)}


def _text(text: str, length_max: int) -> dict[str, Any]:
    # verbatim: a name that looks like a user, a channel or an address is none.
    return {"type": "mrkdwn", "text": _cut(text, length_max), "verbatim": True}


def _linked(links: Sequence[tuple[str, str]]) -> str:
    return " · ".join(f"<{_escaped(address)}|{_escaped(text)}>" for text, address in links)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Names at the left, figures at the right, in a block of code: Slack has no tables."""
    lines = [columns, *rows] if columns else rows
    widths = [min(_WIDTH_MAX, max(len(line[place]) for line in lines)) for place in range(len(lines[0]))]
    written = [
        "  ".join(
            _cut(cell, width).ljust(width) if place == 0 else _cut(cell, width).rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    return f"```{_cut(_escaped(chr(10).join(written)), _TEXT_MAX - 6)}```"


def _escaped(text: str) -> str:
    """As Slack asks: nothing in it is a link, a mention or an entity."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cut(text: str, length_max: int) -> str:
    return text if len(text) <= length_max else f"{text[: length_max - 1]}…"
