"""Prompts one by one: pages in the order of time that meet without gap or repeat, and a stream of all of them."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from rice_stream.errors import UsageError
from rice_stream.events.canonical import wire_time
from rice_stream.instants import rfc3339
from rice_stream.reports.explanation import explain
from rice_stream.reports.name_filter import NameFilter
from rice_stream.reports.prompt_filter import PromptFilter
from rice_stream.reports.prompt_stream import stream_prompts
from rice_stream.reports.prompts import TIMES, prompts
from rice_stream.store.scope import EVERYTHING, Scope
from tests.support.fakes import NOON_US, TOKEN_DEFAULTS
from tests.support.reports_store import NOON, Store, at, picked

ALL = PromptFilter()


def named(**names: list[str]) -> PromptFilter:
    return PromptFilter(where=NameFilter.of(names))


def pages(store: Store, asked: PromptFilter = ALL, **options: Any) -> list[list[dict[str, Any]]]:
    """All pages, each asked for after the one before it."""
    found, after = [], None
    while True:
        page = prompts(store.engine, EVERYTHING, asked, after=after, **options)
        found.append(page["rows"])
        after = page["next"]
        if after is None:
            return found


class TestPrompts:
    """On every database."""

    def test_a_prompt_is_the_record_that_explain_shows(self, store: Store) -> None:
        """The same fields and values, to the last digit; no text of a prompt is among them."""
        store.add(at("2026-11-22T11:00:00.123456Z", event_id="e", user_id="u-1", started_at="2026-11-22T10:59:59Z"))
        [row] = prompts(store.engine, EVERYTHING, ALL)["rows"]
        assert row == explain(store.engine, EVERYTHING, "e", defaults=TOKEN_DEFAULTS)["record"]
        assert (row["ended_at"], row["started_at"]) == ("2026-11-22T11:00:00.123456Z", "2026-11-22T10:59:59Z")
        assert (row["tenant_id"], row["team_id"], row["user_id"], row["model"]) == ("acme", "search", "u-1", "small")
        assert (row["carbon_mid_ugco2e"], row["it_energy_uwh"], row["provider"]) == (2_500_000, 5_000_000, None)

    @pytest.mark.parametrize("newest_first", [True, False])
    def test_pages_meet_without_gap_or_repeat(self, store: Store, newest_first: bool) -> None:
        """Seven prompts of three tenants in pages of three; a prompt that comes in between shifts none of them."""
        moments = [NOON - timedelta(minutes=7 * n) for n in range(1, 8)]
        store.add(*(at(wire_time(each), tenant_id=f"t{n % 3}", event_id=f"e{n}") for n, each in enumerate(moments)))
        listed = pages(store, limit=3, newest_first=newest_first)
        assert [len(page) for page in listed] == [3, 3, 1]
        ids = [row["event_id"] for page in listed for row in page]
        expected = [f"e{n}" for n in range(7)]
        assert ids == (expected if newest_first else expected[::-1])
        first = prompts(store.engine, EVERYTHING, ALL, limit=3)
        store.add(at(wire_time(NOON), event_id="new"))
        second = prompts(store.engine, EVERYTHING, ALL, limit=3, after=first["next"])
        assert picked(second["rows"], "event_id") == [("e3",), ("e4",), ("e5",)]

    def test_of_a_page_that_is_just_full_nothing_follows(self, store: Store) -> None:
        """No empty page at the end."""
        store.add(*(at(f"2026-11-22T11:0{n}:00Z") for n in range(4)))
        assert [len(page) for page in pages(store, limit=2)] == [2, 2]
        assert prompts(store.engine, EVERYTHING, PromptFilter(tenant="nobody")) == {"rows": [], "next": None}

    def test_every_filter_leaves_out_the_others(self, store: Store) -> None:
        """One prompt has all the names, the other none of them; "" asks for those without a name."""
        names: dict[str, Any] = {
            "team": ("team_id", "search"),
            "project": ("project_id", "ranker"),
            "user": ("user_id", "u-17"),
            "provider": ("provider", "openai"),
        }
        store.add(
            at(
                "2026-11-22T11:00:00Z",
                event_id="named",
                inference_region="azure:swedencentral",
                **dict(names.values()),
            ),
            at("2026-11-22T11:20:00Z", event_id="bare", team_id=..., request_model="big"),
        )
        for name, (_, value) in names.items():
            assert picked(pages(store, named(**{name: [value]}))[0], "event_id") == [("named",)]
            assert picked(pages(store, named(**{name: [""]}))[0], "event_id") == [("bare",)]
            assert len(pages(store, named(**{name: [value, "", "nobody"]}))[0]) == 2
        assert picked(pages(store, named(model=["small"]))[0], "event_id") == [("named",)]
        assert picked(pages(store, named(region=["azure:swedencentral"]))[0], "event_id") == [("named",)]
        assert pages(store, named(team=["search"], model=["big"])) == [[]]

    def test_bounds_are_exact_and_days_are_those_of_the_zone(self, store: Store) -> None:
        """The start counts, the end does not; a day in Kathmandu begins at 18:15Z."""
        store.add(
            *(at(each) for each in ("2026-11-21T18:14:59.999999Z", "2026-11-21T18:15:00Z", "2026-11-22T11:00:00Z"))
        )
        asked = PromptFilter(
            start=date(2026, 11, 22), time_zone="Asia/Kathmandu", end=datetime(2026, 11, 22, 11, tzinfo=UTC)
        )
        assert picked(pages(store, asked)[0], "ended_at") == [("2026-11-21T18:15:00Z",)]
        with pytest.raises(UsageError, match="--from must lie before --to"):
            prompts(store.engine, EVERYTHING, PromptFilter(start=NOON, end=NOON))

    def test_prompts_of_one_instant_have_an_order_too(self, store: Store) -> None:
        """Also those of several tenants: pages of one row list each of them once."""
        moment = "2026-11-22T11:00:00Z"
        store.add(*(at(moment, tenant_id=tenant, event_id=f"e{n}") for tenant in ("a", "b") for n in range(3)))
        rows = [row for page in pages(store, limit=1) for row in page]
        assert len({(row["tenant_id"], row["event_id"]) for row in rows}) == len(rows) == 6

    def test_a_position_of_another_list_is_refused(self, store: Store) -> None:
        """Whatever the bytes."""
        for after in (b"", b"x" * 19, b"x" * 21):
            with pytest.raises(UsageError, match="no position in this list"):
                prompts(store.engine, EVERYTHING, ALL, after=after)

    def test_a_stream_has_every_prompt_once_in_batches(self, store: Store) -> None:
        """Tenant by tenant in the order of time; what comes in meanwhile is not in it."""
        count, at_once = 53, 50
        events = [at(wire_time(NOON - timedelta(seconds=n)), event_id=f"e{n}", tenant_id="b") for n in range(count)]
        store.add(*events, at("2026-11-22T11:00:00Z", tenant_id="a", event_id="first"))
        batches: list[list[dict[str, Any]]] = []
        for names, rows in stream_prompts(store.engine, EVERYTHING, ALL, rows_at_once=at_once):
            if not batches:
                store.add(at("2026-11-22T11:59:00Z", event_id="late", tenant_id="b"), received_at_us=NOON_US)
            batches.append([dict(zip(names, row, strict=True)) for row in rows])
        assert max(map(len, batches)) <= at_once < sum(map(len, batches))
        streamed = [row for batch in batches for row in batch]
        assert [row["event_id"] for row in streamed] == ["first", *(f"e{n}" for n in reversed(range(count)))]
        assert (streamed[-1]["ended_at"], streamed[-1]["started_at"]) == (NOON_US, None)
        newest = prompts(store.engine, Scope(frozenset({"b"})), ALL, limit=1)["rows"][0]
        assert {name: newest[name] for name in newest if name != "ended_at"} == {
            name: value for name, value in streamed[-1].items() if name != "ended_at"
        }

    @pytest.mark.parametrize("at_once", [1, 2, 3, 100])
    def test_a_stream_is_the_same_in_batches_of_any_size(self, store: Store, at_once: int) -> None:
        """Whether a batch ends with a tenant's last prompt or within them; the values are those of pages."""
        named = {
            "user_id": 'ü, "1"',
            "started_at": "2026-11-22T10:59:59.000001Z",
            "inference_region": "azure:swedencentral",
        }
        store.add(
            *(at(f"2026-11-22T11:00:0{n}Z", event_id=f"é{n}", tenant_id=tenant) for tenant in "ba" for n in range(3)),
            at("2026-11-22T11:00:09.5Z", event_id="named", tenant_id="a", **named),
        )
        streamed = [
            dict(zip(names, row, strict=True))
            for names, rows in stream_prompts(store.engine, EVERYTHING, ALL, rows_at_once=at_once)
            for row in rows
        ]
        paged = prompts(store.engine, EVERYTHING, ALL, newest_first=False)["rows"]
        for row in streamed:
            row.update({name: None if row[name] is None else rfc3339(row[name]) for name in TIMES})
        assert streamed == sorted(paged, key=lambda row: (row["tenant_id"], row["ended_at"]))

    def test_a_stream_is_filtered_as_pages_are(self, store: Store) -> None:
        """By names and scope."""
        store.add(
            at("2026-11-22T11:00:00Z", user_id="u"), at("2026-11-22T11:01:00Z"), at("2026-11-22T11:02:00Z", team_id="x")
        )
        _, (_, rows) = stream_prompts(store.engine, EVERYTHING, named(user=["u"]))
        assert len(rows) == 1
        (names, _), (_, rows) = stream_prompts(store.engine, Scope(None, frozenset({"x"})), ALL)
        assert [row[names.index("team_id")] for row in rows] == ["x"]
