"""Golden identities: tenant, source, id, end and key of every sample payload's events, as they were always stored.

Whoever changes one of them makes history, read again, count twice: the records are there under the old key. Such a change
needs a dated switch: CONTRIBUTING.md, "What an event is known by", says how. Only new payloads may be added without one.
"""

import json
from typing import Any

import pytest

from rice_stream.events.formats.reading.options import FORMATS, FormatOptions
from tests.support.identities import SAMPLES, TABLE, identities, own_format, table

GOLDEN: list[dict[str, Any]] = json.loads(TABLE.read_text("utf-8"))
IDENTITY = ("tenant_id", "source", "event_id", "ended_at", "key")
EVERYTHING_ELSE = (
    FormatOptions(estimate_missing_usage=True),
    FormatOptions(count_log_events=False),
    FormatOptions(skipped_scopes=frozenset({"my.scope", "litellm", "vllm.llm_engine"})),
)


def golden(name: str) -> list[dict[str, Any]]:
    """The identities of one payload's events."""
    return [{field: row[field] for field in IDENTITY} for row in GOLDEN if row["payload"] == name]


def test_every_sample_is_known_by_what_it_was_always_known_by() -> None:
    """The whole table, row by row, and no payload without a row unless it holds no event."""
    assert table() == GOLDEN
    assert {row["format"] for row in GOLDEN} == set(FORMATS) - {"auto"}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_topic_set_to_the_format_gives_the_same_events_as_one_that_is_not(name: str) -> None:
    """`RICE_EVENT_FORMATS` may be set, or taken away, before history is read again."""
    assert identities(SAMPLES[name], FormatOptions(default_format=own_format(name))) == golden(name)


@pytest.mark.parametrize("options", EVERYTHING_ELSE, ids=["estimates", "no log events", "skipped scopes"])
@pytest.mark.parametrize("name", SAMPLES)
def test_other_settings_leave_events_out_and_never_change_one(name: str, options: FormatOptions) -> None:
    known = golden(name)
    assert all(identity in known for identity in identities(SAMPLES[name], options))
