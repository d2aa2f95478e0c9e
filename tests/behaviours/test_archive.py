"""Archived months: proven before retention drops them, and afterwards every answer is what it was, byte for byte."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from sqlalchemy import Engine

from rice_stream.errors import NotFoundError, UsageError
from rice_stream.instants import DAY_US, epoch_us
from rice_stream.ledger.archiving import Archiving, months_to_archive
from rice_stream.ledger.erasing import ErasureOrder, erase
from rice_stream.ledger.voiding import void_record
from rice_stream.proof.archive_verification import verify_archive
from rice_stream.proof.audit_verification import verify_trail
from rice_stream.proof.period_verification import verify_months
from rice_stream.proof.verification import verify
from rice_stream.reports.explanation import explain
from rice_stream.reports.exports.kinds import form_of
from rice_stream.reports.exports.making import make_export
from rice_stream.reports.exports.manifests import differences_of, order_of
from rice_stream.reports.exports.orders import ExportOptions, ExportOrder
from rice_stream.reports.exports.prompt_rows import prompt_rows
from rice_stream.reports.exports.table_files import csv_bytes
from rice_stream.reports.month_proofs import month_proof
from rice_stream.reports.name_filter import NameFilter
from rice_stream.reports.prompt_filter import PromptFilter
from rice_stream.reports.prompt_stream import stream_prompts
from rice_stream.reports.prompts import prompts
from rice_stream.reports.record_keys import find_key
from rice_stream.store.archive.iceberg import ArchiveTable
from rice_stream.store.retention import drop_records_before, move_horizon
from rice_stream.store.scope import EVERYTHING, Scope
from rice_stream.store.scoped import confined
from rice_stream.transparency.proof_files import check_proof_file
from tests.behaviours.test_restating import BY_BOTH, restate
from tests.support.closing import close
from tests.support.databases import Databases
from tests.support.fakes import OPERATOR, TOKEN_DEFAULTS
from tests.support.faults import small_disk
from tests.support.reports_store import Store, at, open_store
from tests.support.store_checks import rows_in

NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC)
EVENTS = [f"2026-10-{day:02}T08:00:0{day % 3}Z" for day in range(1, 31)]
LATE = "2026-10-20T09:00:00Z"


def filled(store: Store) -> Engine:
    """A signed October of two teams with one late prompt, one of another tenant, and one of November."""
    named = {"source": "/gateway", "cost_centre": "42"}
    store.add(
        *(
            at(each, team_id=("search", "ads")[place % 2], user_id=f"u-{place % 4}", **named)
            for place, each in enumerate(EVENTS)
        ),
        at("2026-10-05T08:00:00Z", tenant_id="globex"),
        at("2026-11-02T08:00:00Z", team_id="search"),
    )
    close(store.engine, "2026-10")
    store.add(at(LATE, team_id="search", user_id="u-late"))
    return store.engine


def archived(engine: Engine, warehouse: Path, **which: Any) -> list[dict[str, Any]]:
    """Archive what there is to archive; the rows of the answer."""
    archiving = Archiving(engine, warehouse, OPERATOR)
    wanted = months_to_archive(engine, **(which or {"before": "2026-11"}))
    return [archiving.archive(each) for each in wanted]


def answers(engine: Engine, scope: Scope = EVERYTHING) -> dict[str, str]:
    """What is said of each prompt of October, as it is written."""
    found = {}
    for event_id in (*EVENTS, LATE):
        told: list[Any] = [explain(engine, scope, event_id, "acme", defaults=TOKEN_DEFAULTS)]
        if event_id != LATE:
            told.append(month_proof(engine, scope, event_id, tenant="acme"))
            assert not check_proof_file(told[-1]).problems
        found[event_id] = json.dumps(told)
    return found


def test_explanations_and_proofs_are_the_same_once_the_records_are_gone(store: Store, tmp_path: Path) -> None:
    """Also of the prompt that came late; and what is not archived is gone, as ever."""
    engine = filled(store)
    before = answers(engine)
    [row] = archived(engine, tmp_path)
    assert (row["tenant_id"], row["month"], row["records"], row["late"], row["files"]) == ("acme", "2026-10", 31, 1, 2)
    drop_records_before(engine, NOVEMBER)
    assert len(rows_in(engine)("prompt_record")) == 1
    assert answers(engine) == before
    with pytest.raises(NotFoundError):
        explain(engine, EVERYTHING, "2026-10-05T08:00:00Z", "globex", defaults=TOKEN_DEFAULTS)
    assert verify_archive(engine)["ok"]
    found = verify_trail(engine)
    verify_months(engine, found)
    assert found.problems == []


def test_who_may_not_see_a_prompt_does_not_see_it_in_the_archive(store: Store, tmp_path: Path) -> None:
    """By tenant and by team, on an engine that PostgreSQL itself holds to the scope."""
    engine = filled(store)
    archived(engine, tmp_path)
    drop_records_before(engine, NOVEMBER)
    limited = confined(engine) if engine.dialect.name == "postgresql" else confined(engine, role=None)
    own, of_ads = EVENTS[0], EVENTS[1]
    for scope, seen in [
        (Scope(frozenset({"acme"})), {own, of_ads}),
        (Scope(frozenset({"acme"}), frozenset({"search"})), {own}),
        (Scope(frozenset({"globex"})), set()),
        (Scope(frozenset()), set()),
    ]:
        for event_id in (own, of_ads):
            if event_id in seen:
                record = explain(limited, scope, event_id, defaults=TOKEN_DEFAULTS)["record"]
                assert record["event_id"] == event_id
            else:
                with pytest.raises(NotFoundError):
                    explain(limited, scope, event_id, defaults=TOKEN_DEFAULTS)


def test_a_second_run_changes_nothing_and_adds_what_came_late_since(store: Store, tmp_path: Path) -> None:
    """Files stay byte for byte as they were."""
    engine = filled(store)
    archived(engine, tmp_path)
    written = {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")}
    assert archived(engine, tmp_path) == []
    store.add(at("2026-10-21T09:00:00Z", user_id="u-later"))
    [row] = archived(engine, tmp_path)
    assert (row["records"], row["late"], row["files"]) == (32, 2, 3)
    assert {path: path.read_bytes() for path in written} == written
    assert len([row for row in rows_in(engine)("audit_entry") if row["action"] == "archive.add"]) == 2


def test_retention_waits_for_the_archive(store: Store, tmp_path: Path) -> None:
    """Until a signed month is in it, and what came late to it."""
    engine = filled(store)
    move_horizon(engine, 1_793_491_200_000_000, only_archived=True)
    assert rows_in(engine)("retention")[0]["records_from_us"] == 1_790_812_800_000_000
    archived(engine, tmp_path)
    store.add(at("2026-10-21T09:00:00Z"))
    assert not move_horizon(engine, 1_793_491_200_000_000, only_archived=True)
    archived(engine, tmp_path)
    assert move_horizon(engine, 1_793_491_200_000_000, only_archived=True)
    assert rows_in(engine)("retention")[0]["records_from_us"] == 1_793_491_200_000_000


def test_a_month_that_is_open_or_gone_is_refused(store: Store) -> None:
    """With what to do."""
    engine = filled(store)
    with pytest.raises(UsageError, match="is not closed and signed"):
        months_to_archive(engine, tenant="acme", month="2026-11")
    with pytest.raises(NotFoundError, match="there is none"):
        months_to_archive(engine, tenant="nobody", before="2026-11")
    drop_records_before(engine, NOVEMBER)
    with pytest.raises(UsageError, match="have been dropped"):
        months_to_archive(engine, tenant="acme", month="2026-10")
    assert months_to_archive(engine, before="2027-01") == []


def test_one_damaged_byte_is_found(store: Store, tmp_path: Path) -> None:
    """Wherever it is in a file; and no answer is made of a page that was changed."""
    engine = filled(store)
    archived(engine, tmp_path)
    drop_records_before(engine, NOVEMBER)
    path = next(tmp_path.rglob("part-*.parquet"))
    whole = path.read_bytes()
    for place in range(4, len(whole), len(whole) // 20):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        found = verify_archive(engine)
        assert not found["ok"]
        assert str(path) in found["problems"][0]
    path.unlink()
    assert "is not there" in verify_archive(engine)["problems"][0]
    path.write_bytes(whole)
    assert verify_archive(engine)["ok"]


def test_a_full_disk_is_told_and_the_month_goes_on(store: Store) -> None:
    """Nothing is in the archive until there is room for all of it; then it is, in one go."""
    engine = filled(store)
    with small_disk(2) as disk:
        filler = disk / "filler"
        with pytest.raises(OSError, match="No space left"):
            filler.write_bytes(bytes(3_000_000))
        with pytest.raises(UsageError, match=rf"--warehouse {disk}: cannot be written \(.*No space left"):
            archived(engine, disk)
        assert rows_in(engine)("archived_month") == []
        filler.unlink()
        assert [row["records"] for row in archived(engine, disk)] == [31]
        assert verify_archive(engine)["ok"]


def test_others_read_the_table_as_it_is(store: Store, tmp_path: Path) -> None:
    """DuckDB its files, pyiceberg the table by its catalogue: every record, sums, the signed root; and nobody's name."""
    engine = filled(store)
    [row] = archived(engine, tmp_path)
    of_october = "FROM prompt_record WHERE tenant_key = 1 AND ended_at_us < :end"
    stored = store.rows(f"SELECT SUM(carbon_mid_ugco2e) AS carbon {of_october}", end=epoch_us(NOVEMBER))
    files = [str(path) for path in sorted(tmp_path.rglob("*.parquet"))]
    with duckdb.connect() as connection:
        asked = "SELECT model, COUNT(*), SUM(carbon_mid_ugco2e), MIN(ended_at) FROM read_parquet(?) GROUP BY model"
        [(_, records, carbon, ended_at)] = connection.execute(asked, [files]).fetchall()
    assert (records, carbon) == (31, stored[0]["carbon"])
    assert ended_at == datetime.fromisoformat(EVENTS[0])
    table = ArchiveTable(engine, tmp_path).table
    fields = ("event_id", "carbon_mid_ugco2e", "ended_at")
    read = table.scan(row_filter="month = '2026-10'", selected_fields=fields).to_arrow()
    assert sorted(read["event_id"].to_pylist()) == sorted([*EVENTS, LATE])
    names = {"tenant_id", "team_id", "project_id", "source", "cost_centre", "user_id"}
    assert not names & set(table.scan().to_arrow().column_names)
    [snapshot] = table.snapshots()
    assert snapshot.summary is not None
    assert (str(snapshot.snapshot_id), snapshot.summary["rice.root"]) == (row["snapshot"], row["root"])
    written = [
        path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.suffix not in (".db", ".db-wal")
    ]
    assert not any(name in each for name in (b"acme", b"/gateway", b"u-late") for each in written)


_OF_POSTING = ("adjustment_key", "line", "recorded_us")
"""Columns of entries that say with which others they were posted, and when."""


def exported(engine: Engine, scope: Scope = EVERYTHING, **narrowed: Any) -> list[tuple[Any, ...]]:
    """All prompts, as the stream of an export has them."""
    asked = PromptFilter(where=NameFilter(**narrowed), end=datetime(2026, 12, 1, tzinfo=UTC))
    return [row for _, rows in stream_prompts(engine, scope, asked, rows_at_once=7) for row in rows]


def test_exports_have_the_same_rows_once_the_records_are_gone(store: Store, tmp_path: Path) -> None:
    """In the same order, beside what is not archived and what is kept; narrowed by any name, and for a team."""
    engine = filled(store)
    of_search = Scope(frozenset({"acme"}), frozenset({"search"}))
    narrowed: list[dict[str, Any]] = [
        {},
        {"team": ("ads",)},
        {"user": ("u-1", "")},
        {"model": ("no-model",)},
        {"user": ("u-2",)},
    ]
    before = [exported(engine, **each) for each in narrowed], exported(engine, of_search)
    archived(engine, tmp_path)
    # As between the two steps of retention: records are in both places.
    move_horizon(engine, epoch_us(NOVEMBER))
    assert ([exported(engine, **each) for each in narrowed], exported(engine, of_search)) == before
    drop_records_before(engine, NOVEMBER)
    gone = [row for row in before[0][0] if "globex" not in row]
    assert exported(engine) == gone
    assert [exported(engine, **each) for each in narrowed[1:]] == [
        [row for row in rows if "globex" not in row] for rows in before[0][1:]
    ]
    assert exported(engine, of_search) == before[1]


def pages(
    engine: Engine, scope: Scope = EVERYTHING, *, newest_first: bool = True, **asked: Any
) -> list[dict[str, Any]]:
    """All prompts, page by page."""
    rows: list[dict[str, Any]] = []
    after: bytes | None = None
    wanted = PromptFilter(**asked)
    while True:
        found = prompts(engine, scope, wanted, after=after, limit=13, newest_first=newest_first)
        assert len(found["rows"]) == 13 or found["next"] is None
        rows, after = rows + found["rows"], found["next"]
        if after is None:
            return rows


def test_pages_of_prompts_go_on_where_the_records_are_gone(store: Store, tmp_path: Path) -> None:
    """In both directions, narrowed and for a team; each prompt once, also between the two steps of retention."""
    engine = filled(store)
    of_search = Scope(frozenset({"acme"}), frozenset({"search"}))
    asked: list[tuple[Scope, dict[str, Any]]] = [
        (EVERYTHING, {}),
        (EVERYTHING, {"tenant": "acme", "where": NameFilter(user=("u-1", ""))}),
        (EVERYTHING, {"start": datetime(2026, 10, 7, tzinfo=UTC), "end": datetime(2026, 10, 20, tzinfo=UTC)}),
        (of_search, {}),
        (Scope(frozenset({"globex"})), {}),
    ]

    def told(gone: str) -> list[list[dict[str, Any]]]:
        found = [
            pages(engine, scope, newest_first=newest_first, **narrowed)
            for scope, narrowed in asked
            for newest_first in (True, False)
        ]
        return [[row for row in rows if row["tenant_id"] != gone] for rows in found]

    everything, left = told(""), told("globex")
    assert [len(rows) for rows in everything[:2]] == [33, 33]
    archived(engine, tmp_path)
    move_horizon(engine, epoch_us(NOVEMBER))
    assert told("") == everything
    drop_records_before(engine, NOVEMBER)
    assert told("globex") == left
    assert told("") == left


def test_a_month_is_exported_to_the_same_bytes(store: Store, tmp_path: Path) -> None:
    """Every prompt of it, as a file."""
    engine = filled(store)
    order = ExportOrder(kind="prompts", tenant="acme", month="2026-10", form="csv")

    def written() -> bytes:
        made = prompt_rows(engine, EVERYTHING, order)
        return b"".join(csv_bytes(made.columns)(made.batches))

    before = written()
    assert len(before.splitlines()) == 32
    archived(engine, tmp_path)
    drop_records_before(engine, NOVEMBER)
    assert written() == before


def test_manifests_make_their_files_again_once_the_records_are_gone(store: Store, tmp_path: Path) -> None:
    """Of every kind, to the byte, whatever came late since; prompts from the archive, sums without it."""
    engine = filled(store)
    orders = [
        ExportOrder(kind=kind, tenant="acme", month="2026-10", form=form_of(kind, None), options=options)
        for kind, options in (
            ("prompts", ExportOptions()),
            ("chargeback", ExportOptions(by=("team", "model"))),
            ("chargeback", ExportOptions(amounts="reported")),
            ("focus", ExportOptions()),
            ("scope-pack", ExportOptions()),
            ("sci", ExportOptions()),
            ("netzero", ExportOptions()),
        )
    ]
    made = [make_export(engine, EVERYTHING, order, tmp_path / "first") for order in orders]
    # Before the month was closed, when nothing of it was recorded yet.
    early, scope, _ = order_of(json.dumps({**made[1], "as_of": "2026-11-01T00:00:00Z"}))
    made.append(make_export(engine, scope, early, tmp_path / "first"))
    store.add(at("2026-10-21T09:00:00Z", team_id="search", user_id="u-later"))
    archived(engine, tmp_path / "archive")
    # As between the two steps of retention: records are in both places.
    for are_dropped in (False, True):
        move_horizon(engine, epoch_us(NOVEMBER))
        if are_dropped:
            drop_records_before(engine, NOVEMBER)
        for manifest in made:
            order, scope, before = order_of(json.dumps(manifest))
            again = make_export(engine, scope, order, tmp_path / "first")
            assert differences_of(before, again) == {"same_bytes": True, "same_content": True, "differs": []}, order
    assert store.rows("SELECT COUNT(*) AS n FROM prompt_record") == [{"n": 1}]
    now = make_export(engine, EVERYTHING, orders[1], tmp_path / "now")
    assert now["totals"]["prompts"] == "32"
    with pytest.raises(UsageError, match="no longer"):
        make_export(engine, EVERYTHING, replace(early, tenant="globex"), tmp_path / "before")


def test_a_restatement_of_the_archive_posts_what_one_of_the_database_does(database: Databases, tmp_path: Path) -> None:
    """Record by record; and totals move by as much."""
    posted = []
    for is_dropped in (False, True):
        with open_store(database.migrated()) as store:
            engine = filled(store)
            if is_dropped:
                archived(engine, tmp_path)
                drop_records_before(engine, NOVEMBER)
            answer = restate(engine, BY_BOTH, from_us=epoch_us(NOVEMBER) - 31 * DAY_US, tenant_id="acme")
            entries = rows_in(engine)("adjustment_entry")
            posted.append(
                (
                    {name: answer[name] for name in ("records", "entries", "before_gco2e", "after_gco2e", "by_cause")},
                    sorted(repr([row[name] for name in row if name not in _OF_POSTING]) for row in entries),
                    sorted(repr(list(row.values())) for row in rows_in(engine)("day_total")),
                )
            )
            assert verify(engine)["ok"]
    assert posted[0] == posted[1]
    assert posted[0][0]["records"] == 32


def test_an_archived_prompt_is_voided_as_one_of_the_database(database: Databases, tmp_path: Path) -> None:
    """The same amounts leave the totals, once; also of one that was restated before, and not of one whose record is nowhere."""
    taken = []
    for is_dropped in (False, True):
        with open_store(database.migrated()) as store:
            engine = filled(store)
            restate(engine, BY_BOTH, from_us=epoch_us(NOVEMBER) - 31 * DAY_US, tenant_id="acme")
            found = {each: find_key(engine, EVERYTHING, each, "acme") for each in (EVENTS[1], LATE)}
            foreign = find_key(engine, EVERYTHING, "2026-10-05T08:00:00Z", "globex")
            if is_dropped:
                archived(engine, tmp_path)
                drop_records_before(engine, NOVEMBER)
                with pytest.raises(NotFoundError):
                    void_record(engine, foreign.key, "globex", foreign.event_id, reason="wrong", by=OPERATOR)
                assert find_key(engine, EVERYTHING, LATE, "acme") == found[LATE]
            for _ in range(2):
                voided = [
                    void_record(engine, each.key, "acme", each.event_id, reason="wrong", by=OPERATOR)["amounts"]
                    for each in found.values()
                ]
            totals = sorted(repr(list(row.values())) for row in rows_in(engine)("day_total"))
            taken.append((voided, totals))
            assert verify(engine)["ok"]
    assert taken[0] == taken[1]


def test_what_is_in_no_archive_is_not_restated(store: Store, tmp_path: Path) -> None:
    """Of nobody, where one tenant's records are gone."""
    engine = filled(store)
    archived(engine, tmp_path)
    drop_records_before(engine, NOVEMBER)
    with pytest.raises(UsageError, match="not all from 2026-10-05T08:00:00Z on are in the archive"):
        restate(engine, BY_BOTH, from_us=epoch_us(NOVEMBER) - 31 * DAY_US)


def test_erasing_a_name_changes_no_file_and_no_proof(store: Store, tmp_path: Path) -> None:
    """A person's, then the tenant's: what is said of archived prompts has stand-ins, and their month is what was signed."""
    engine = filled(store)
    archived(engine, tmp_path)
    drop_records_before(engine, NOVEMBER)
    written = {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")}
    event_id = EVENTS[1]
    before = month_proof(engine, EVERYTHING, event_id, tenant="acme")
    erased = erase(engine, ErasureOrder("acme", "they asked for it", user="u-1"), by=OPERATOR)
    told = explain(engine, EVERYTHING, event_id, "acme", defaults=TOKEN_DEFAULTS)
    assert told["record"]["user_id"] == erased["stands_for"] != "u-1"
    assert month_proof(engine, EVERYTHING, event_id, tenant="acme") == before
    erase(engine, ErasureOrder("acme", "they left"), by=OPERATOR)
    assert verify_archive(engine)["ok"]
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")} == written
    told = explain(engine, EVERYTHING, event_id, defaults=TOKEN_DEFAULTS)
    assert told["record"]["carbon_mid_ugco2e"] == 2_500_000
    assert month_proof(engine, EVERYTHING, event_id)["trees"] == before["trees"]
    [found] = [row for row in exported(engine) if event_id in row]
    assert not {"acme", "ads", "/gateway", "42", "u-1"} & set(map(str, found))
