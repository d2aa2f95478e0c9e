"""How canonical events are written, learnt from one of them: which fields in which order, and what stands between them.

Producers write the same fields in the same order. An event lies between edges: its opening brace, its commas and its closing
brace. A field of its own (id, times, tokens) is a value between two edges behind a text that is always the same; fields that many
events share are runs between two edges, whose bytes come again and again.
"""

import re
from typing import NamedTuple

from rice_stream.events.canonical import FIELD_NAMES
from rice_stream.events.columns import SERVICE_FIELDS

TIMES = ("started_at", "ended_at")
COUNTS = tuple(name for name in FIELD_NAMES if name.endswith("_tokens"))
EVENT_ID = "event_id"
WHO = ("tenant_id", "team_id", "project_id", "source", "user_id", "api_key_id")
"""Names of who used it; of the rest that events share a run says what served them, and how it went."""
OUTCOME = ("gateway_cache_hit", "status", "usage_quality")
WHAT = (*SERVICE_FIELDS, *OUTCOME)
NEEDED = (EVENT_ID, "ended_at", "tenant_id", "input_tokens", "output_tokens")
_NAMES_A_MODEL = frozenset(("request_model", "response_model"))
_END_BYTES_MAX = 64
OWN_FIELDS = frozenset((EVENT_ID, *TIMES, *COUNTS))
"""Of which nearly every event has other values."""
_ALWAYS_THE_SAME = frozenset(("schema_version",))
# What is between quotes is taken in long pieces, as one character at a time takes three times as long.
_VALUE = rb'(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"|[-+.0-9a-zA-Z]+)'
_MEMBER = re.compile(rb'[{,] ?"([a-z0-9_]+)": ?(%s)' % _VALUE)


class Own(NamedTuple):
    """A field of the event's own: from the edge of this number on `before` stands, then the value, up to the edge `until`."""

    field: str
    edge: int
    before: bytes
    until: int


class SharedRun(NamedTuple):
    """Fields that events share, from one edge (its byte included) to another."""

    fields: tuple[str, ...]
    edge: int
    until: int


class EventLayout(NamedTuple):
    """The parts of an event, in order and without gaps; behind the last edge `end` stands, a brace and what follows it."""

    own: tuple[Own, ...]
    runs: tuple[SharedRun, ...]
    commas: int
    end: bytes


class _Member(NamedTuple):
    field: str
    edge: int
    start: int
    value_start: int
    until: int


def layout_of(value: bytes) -> EventLayout | None:
    """How this event is written; None where it is written in a way that is not read together."""
    members = _members(value)
    if members is None:
        return None
    fields = [member.field for member in members]
    if len(set(fields)) < len(fields) or not set(fields) <= set(FIELD_NAMES) or not set(NEEDED) <= set(fields):
        return None
    own: list[Own] = []
    runs: list[list[_Member]] = []
    open_run: list[_Member] = []
    for member in members:
        if member.field in OWN_FIELDS:
            # What never changes needs no look-up of its own: it goes before the value.
            first = open_run[0] if open_run and all(each.field in _ALWAYS_THE_SAME for each in open_run) else member
            if first is not member:
                runs.remove(open_run)
            own.append(Own(member.field, first.edge, value[first.start : member.value_start], member.until))
            open_run = []
        elif open_run and _go_together(open_run, member):
            open_run.append(member)
        else:
            open_run = [member]
            runs.append(open_run)
    end = value[value.rindex(b"}", members[-1].value_start) :]
    shared = tuple(SharedRun(tuple(each.field for each in run), run[0].edge, run[-1].until) for run in runs)
    if len(end) > _END_BYTES_MAX or not _NAMES_A_MODEL.intersection(fields):
        return None
    return EventLayout(tuple(own), shared, value.count(b","), end)


def run_pattern(fields: tuple[str, ...]) -> re.Pattern[bytes]:
    """What the bytes of a run of these fields match as a whole, whatever the values, and those of any other run do not."""
    members = (rb' ?"%s": ?%s' % (field.encode(), _VALUE) for field in fields)
    return re.compile(b"[{,]" + b",".join(members))


def _go_together(run: list[_Member], member: _Member) -> bool:
    """Who used it and what served it are apart: there are fewer of each than of both."""
    kinds = {each.field in WHO for each in (*run, member) if each.field not in _ALWAYS_THE_SAME}
    return len(kinds) <= 1


def _members(value: bytes) -> list[_Member] | None:
    """All members of one flat object, each up to the edge behind it; None where it is anything else."""
    found: list[_Member] = []
    at, edge = 0, 0
    while True:
        member = _MEMBER.match(value, at)
        if member is None or (value[at : at + 1] == b"{") != (at == 0):
            return None
        until = edge + 1 + value.count(b",", at + 1, member.end())
        found.append(_Member(member[1].decode(), edge, at, member.start(2), until))
        at, edge = member.end(), until
        if value[at : at + 1] == b"}":
            return found if not value[at + 1 :].strip() else None
