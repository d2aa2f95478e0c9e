"""The page of data quality: shares add up, footers are headlines, and refused items and names are settled from it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from rice_stream.api.console.drawing.day_bars import day_bars_of
from rice_stream.store.engine import open_engine
from rice_stream.store.migrate import migrate
from rice_stream.wording.amounts import count, percent
from tests.support.api_running import Api
from tests.support.asgi import Answer
from tests.support.cli_running import Shell
from tests.support.console_ledger import NOW, fill
from tests.unit.api.console.reading import ReadPage, read

UNKNOWN = "no-such-model-of-anybody"
_LINKED = ("/", "/models", "/quality")


@pytest.fixture(scope="module")
def small_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dashboard's ledger of ten days, with few prompts."""
    path = tmp_path_factory.mktemp("quality") / "rice.db"
    engine = open_engine(f"sqlite:///{path}")
    migrate(engine)
    engine.dispose()
    fill(f"sqlite:///{path}", days=10, share=0.15)
    return path


@pytest.fixture
def of_ten_days(small_ledger: Path, shell: Shell) -> Iterator[Api]:
    """A server in front of it, at its own time; nothing is changed."""
    shell.environment["RICE_DATABASE_URL"] = f"sqlite:///{small_ledger}"
    running = Api(shell)
    running.door.product.now = lambda: NOW
    yield running
    running.door.product.close()


def _table(page: ReadPage, heading: str) -> list[list[str]]:
    return next(table for table in page.tables if table[0][0] == heading)


def _plain(text: str) -> str:
    return text.replace("\u202f", " ")


@pytest.mark.parametrize(
    "scope", [{}, {"tenants": {"northwind"}}, {"tenants": {"northwind"}, "teams": frozenset({"search"})}]
)
@pytest.mark.parametrize("query", ["days=366", "days=7", "days=7&time_zone=Asia/Kathmandu"])
def test_tiers_and_days_add_up_to_the_totals_and_the_page_shows_them(
    of_ten_days: Api, scope: dict[str, Any], query: str
) -> None:
    said = of_ten_days.get(f"/v1/coverage?bucket=day&limit=100&{query}", **scope).document
    assert said["prompts"] > 0
    for rows in (said["tiers"], said["days"]):
        assert sum(row["prompts"] for row in rows) == said["prompts"]
        assert sum(row["carbon_gco2e"] for row in rows) == pytest.approx(said["carbon_gco2e"], rel=1e-12)
    for day in said["days"]:
        assert sum(row["prompts"] for row in day["tiers"]) == day["prompts"]
        assert sum(row["share_of_carbon"] for row in day["tiers"]) == pytest.approx(1)
    known = sum(row["share_of_carbon"] for row in said["tiers"][:3])
    assert said["covered_share"] == pytest.approx(known)
    assert said["covered_share"] == pytest.approx(1 - said["fallback_share"]["any"])
    page = read(of_ten_days.get(f"/quality?{query}", **scope))
    words = _table(page, "Word, and what it says")
    assert [_plain(row[3]) for row in words[1:]] == [_plain(count(row["prompts"])) for row in (*said["tiers"], said)]
    assert [_plain(row[1]) for row in words[1:-1]] == [_plain(percent(row["share_of_carbon"])) for row in said["tiers"]]
    days = _table(page, "Day")
    assert [row[0] for row in days[1:-1]] == [day["day"] for day in said["days"]]
    assert _plain(days[-1][-1]) == _plain(count(said["prompts"]))


def test_days_are_those_of_the_zone_that_the_page_names(of_ten_days: Api) -> None:
    for query, zone in (
        ("tenant=helix-pharma", "Asia/Kathmandu"),
        ("days=7", "UTC"),
        ("time_zone=Europe/Berlin", "Europe/Berlin"),
    ):
        asked = f"bucket=day&{'days=30&' if 'days' not in query else ''}{query}"
        said = of_ten_days.get(f"/v1/coverage?{asked}").document
        assert said["time_zone"] == zone
        assert zone in read(of_ten_days.get(f"/quality?{query}")).text
    totals = of_ten_days.get("/v1/totals?by=day&tenant=helix-pharma&from=2026-11-16").document
    by_day = {row["day"]: row["prompts"] for row in totals["rows"]}
    said = of_ten_days.get("/v1/coverage?bucket=day&days=30&tenant=helix-pharma").document
    assert {day["day"]: day["prompts"] for day in said["days"] if day["day"] >= "2026-11-16"} == by_day


def test_what_names_no_team_is_listed_by_its_key_with_the_sum_as_footer(of_ten_days: Api) -> None:
    said = of_ten_days.get("/v1/coverage?days=366").document["unattributed"]
    assert {(row["tenant_id"], row["api_key_id"]) for row in said["rows"]} >= {
        ("northwind", "key-intern-notebook"),
        ("unknown", "key-search"),
    }
    totals = of_ten_days.get("/v1/totals?by=tenant,team").document["rows"]
    nobodys = [row for row in totals if row["team"] is None]
    assert said["prompts"] == sum(row["prompts"] for row in nobodys) == sum(row["prompts"] for row in said["rows"])
    assert said["carbon_gco2e"] == pytest.approx(sum(row["carbon_gco2e"]["mid"] for row in nobodys))
    table = _table(read(of_ten_days.get("/quality?days=366")), "API key")
    assert [row[2] for row in table[1:]] == [count(row["prompts"]) for row in (*said["rows"], said)]
    assert (
        of_ten_days.get("/v1/coverage", tenants={"northwind"}, teams=frozenset({"search"})).document["unattributed"][
            "prompts"
        ]
        == 0
    )


def test_a_contradicted_record_stands_beside_what_the_other_event_said(of_ten_days: Api) -> None:
    (conflict,) = of_ten_days.get("/v1/coverage").document["conflicts"]
    assert conflict["said"]["output_tokens"] == conflict["recorded"]["output_tokens"] + 40
    both = {name for name, value in conflict["said"].items() if conflict["recorded"][name] != value}
    assert both == {"output_tokens"}
    table = _table(read(of_ten_days.get("/quality")), "Event")
    recorded, said = (conflict[each]["output_tokens"] for each in ("recorded", "said"))
    assert table[1][2] == f"output tokens {recorded}, then {said}"
    for scope in ({"tenants": {"acme-energy"}}, {"tenants": {"northwind"}, "teams": frozenset({"search"})}):
        assert of_ten_days.get("/v1/coverage", **scope).document["conflicts"] == []


def test_days_are_told_apart_only_where_they_are_few(of_ten_days: Api) -> None:
    for query in ("bucket=day", "bucket=day&days=367"):
        refused = of_ten_days.get(f"/v1/coverage?{query}")
        assert (refused.status, b"366 at most" in refused.body) == (400, True)


def test_bars_fill_a_day_and_leave_one_without_prompts_empty() -> None:
    chart = day_bars_of(
        date(2026, 11, 1), date(2026, 11, 3), {date(2026, 11, 1): [("measured", 0.25), ("missing", 0.75)]}
    )
    assert [bar.day.day for bar in chart.bars] == [1, 2, 3]
    first, second, _ = chart.bars
    assert [(piece.style, piece.top, piece.height) for piece in first.pieces] == [
        ("measured", 75, 25),
        ("missing", 0, 75),
    ]
    assert second.pieces == []


def test_refused_items_are_shown_without_text_and_to_those_who_see_everything_only(api: Api) -> None:
    page = read(api.get("/quality?item=1"))
    assert "Item 1, without text" in page.text
    assert "e-4" in page.text
    own = read(api.get("/quality?item=1", tenants={"acme"}))
    assert "Refused items" not in own.text
    assert "e-4" not in own.text


def _settled(api: Api, *fields: tuple[str, str], path: str = "/quality?do=settle") -> Answer:
    return api.fill_in(path, list(fields))


def test_an_item_is_dropped_once_that_is_confirmed(api: Api, ledger: Shell) -> None:
    asked = _settled(api, ("ids", "1"), ("action", "drop"))
    assert "Drop 1 item?" in read(asked).text
    assert len(ledger.json("quarantine", "list")["rows"]) == 1
    done = _settled(api, ("ids", "1"), ("action", "drop"), ("confirm", "yes"))
    assert done.status == 303
    assert "1 dropped" in read(api.get(done.headers["location"], role="editor")).text
    assert ledger.json("quarantine", "list")["rows"] == []
    assert "quarantine.drop" in [row["action"] for row in ledger.json("audit", "list")["rows"]]


def test_an_item_is_replayed_with_what_was_missing(api: Api, ledger: Shell) -> None:
    fields = "ended_at=2026-11-20T12:00:00Z\ninput_tokens=10\nrequest_model=gpt-4o"
    done = _settled(api, ("ids", "1"), ("action", "replay"), ("set", fields))
    assert done.status == 303, done.body
    assert "1 replayed" in read(api.get(done.headers["location"])).text
    assert ledger.json("explain", "e-4")["record"]["input_tokens"] == 10


def test_what_cannot_be_settled_says_why_on_the_page(api: Api, ledger: Shell) -> None:
    for fields, why in (
        ([("action", "replay")], b"no item was chosen"),
        ([("ids", "1"), ("action", "replay"), ("set", "tenant")], b"write field=value"),
        ([("ids", "1"), ("action", "replay"), ("set", "colour=red")], b"there is no such field"),
        ([("ids", "99"), ("action", "drop"), ("confirm", "yes")], b"not in quarantine"),
    ):
        refused = _settled(api, *fields)
        assert refused.status in (400, 404), refused.body
        assert why in refused.body
    assert len(ledger.json("quarantine", "list")["rows"]) == 1


def test_who_may_not_settle_is_offered_nothing_and_refused(api: Api, ledger: Shell) -> None:
    assert b"Replay those chosen" in api.get("/quality", role="editor").body
    assert b"Replay those chosen" not in api.get("/quality", role="reader").body
    drop = [("ids", "1"), ("action", "drop"), ("confirm", "yes")]
    assert api.fill_in("/quality?do=settle", drop, role="auditor").status == 403
    assert api.fill_in("/quality?do=settle", drop, tenants={"acme"}).status == 403
    assert len(ledger.json("quarantine", "list")["rows"]) == 1


def test_a_name_is_mapped_from_the_list(api: Api, ledger: Shell) -> None:
    done = api.fill_in("/quality", [("kind", "model"), ("name", UNKNOWN), ("target", "gpt-4o"), ("valid_from", "")])
    assert done.status == 303
    page = read(api.get(done.headers["location"], role="editor"))
    assert f"{UNKNOWN} stands for gpt-4o in events from" in page.text
    assert "Stands for gpt-4o" in next(row for row in _table(page, "Name") if row[0] == UNKNOWN)[-1]
    assert len(ledger.json("map", "list")["mappings"]) == 1


def test_empty_is_good_and_says_what_was_checked(of_ten_days: Api) -> None:
    page = read(of_ten_days.get("/quality?tenant=northwind&days=7", tenants={"northwind"}, teams=frozenset({"search"})))
    assert "Compare the ids of" not in page.text
    for sentence in (
        "prompts was looked up, and all are known",
        "prompts was charged to a team",
        "none is there twice",
    ):
        assert sentence in page.text
    assert "Nothing was checked" in read(of_ten_days.get("/quality", tenants={"nobody"})).text


def test_places_with_old_figures_are_listed_as_coverage_has_them(api: Api, ledger: Shell) -> None:
    """And the page says so where there are none."""
    look_up = partial(api.send, "GET", "/quality?days=30", role="admin", headers={"accept": "text/html"})
    assert "No carbon rests on carbon intensities that were more than 18 months old" in read(look_up()).text
    with closing(sqlite3.connect(ledger.directory / "rice.db")) as database, database:
        database.execute("""UPDATE factor_use SET detail = replace(detail, '"rci_year":2025', '"rci_year":2019')""")
    said = api.get("/v1/coverage?days=30", "admin").document["old_factors"]
    assert said["rows"]
    table = _table(read(look_up()), "Place")
    shown = [(row[0], row[1], _plain(row[2])) for row in table[1:]]
    assert shown == [(row["region"], "2019", _plain(count(row["prompts"]))) for row in said["rows"]]
    assert ledger.json("coverage", "--days=30")["old_factors"] == said


def test_ids_of_several_tenants_are_compared_when_somebody_wants_it(of_ten_days: Api) -> None:
    """By default the API compares them."""
    assert of_ten_days.get("/v1/coverage").document["repeated_ids_total"] == 0
    without = of_ten_days.get("/v1/coverage?repeated=false").document
    assert (without["repeated_ids"], without["repeated_ids_total"], without["repeated_records"]) == ([], None, None)
    page = read(of_ten_days.get("/quality"))
    assert "Compare the ids of 30 days" in page.text
    (compare,) = [link for link in page.links if "ids=true" in link]
    assert "none is there twice" in read(of_ten_days.get(compare.partition("#")[0])).text


def test_what_is_not_in_the_numbers_is_told_as_coverage_has_it(api: Api, ledger: Shell) -> None:
    """Page, API and command line: items, grams and the line of 5 %."""
    said = api.get("/v1/coverage?days=30", "admin").document["exclusions"]
    assert ledger.json("coverage", "--days=30")["exclusions"] == said
    page = read(api.send("GET", "/quality?days=30", role="admin", headers={"accept": "text/html"}))
    rows = _table(page, "Left out")[1:]
    assert [_plain(row[1]) for row in rows] == [_plain(count(row["items"])) for row in said["rows"]]
    assert [row["kind"] for row in said["rows"]] == ["refused", "put_aside", "voided"]
    above = said["share_of_carbon"] > said["share_max"]
    assert ("Above the line of 5" in page.text) == above
    assert _plain(percent(said["share_of_carbon"])) in _plain(page.text)
