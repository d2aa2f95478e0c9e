"""Exports on every database: rows add up to the headline to the microgram, and a manifest makes the same bytes later."""

import csv
import io
import json
import zipfile
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from rice_stream.canonical_json import canonical_json
from rice_stream.errors import NotFoundError, UsageError
from rice_stream.instants import epoch_us
from rice_stream.reports.exports.making import make_export
from rice_stream.reports.exports.manifests import differences_of, order_of
from rice_stream.reports.exports.orders import ExportOptions, ExportOrder
from rice_stream.store.engine import Engine
from rice_stream.store.scope import EVERYTHING, Scope
from tests.behaviours.test_cost_centres import charged, say
from tests.behaviours.test_restating import BY_METHOD, restate
from tests.support.closing import close
from tests.support.reports_store import NOON, Store, at

__all__ = ["charged"]
ORDER = ExportOrder(kind="chargeback", tenant="acme", month="2026-11", form="csv")
PRICED = ExportOptions(by=("user",), carbon_price_per_tonne="85.50", currency="EUR")


def filled(store: Store) -> Engine:
    """2.5 g each: of November two of search, two of ads, which CC-1 is charged for; others beside it."""
    say(store, "cost_centre", "ads", "CC-1")
    store.add(
        at("2026-10-31T23:59:59Z"),
        at("2026-11-01T00:00:00Z", user_id="=HYPERLINK(1)"),
        at("2026-11-02T09:00:00Z", user_id="u-1", team_id="search"),
        at("2026-11-02T10:00:00Z", user_id="u-2", team_id="ads"),
        at("2026-11-22T11:00:20Z", user_id="u-2", team_id="ads"),
        at("2026-11-22T11:00:20Z", tenant_id="globex", event_id="g"),
    )
    return store.engine


def made(engine: Engine, path: Path, scope: Scope = EVERYTHING, **changes: Any) -> tuple[bytes, dict[str, Any]]:
    """The bytes of an export and its manifest."""
    manifest = make_export(engine, scope, replace(ORDER, **changes), path)
    return path.read_bytes(), manifest


def rows_of(text: bytes) -> list[dict[str, str]]:
    """Of a CSV file."""
    return list(csv.DictReader(io.StringIO(text.decode(), newline="")))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where files go."""
    return tmp_path / "november"


class TestChargeback:
    """On every database."""

    def test_by_hand_cost_centres_and_what_nobody_is_charged_for_add_up(self, charged: Store, path: Path) -> None:
        """Four prompts of 2.5 g; at 85.50 a tonne all of it costs 0.000855, divided to the millionth."""
        data, manifest = made(filled(charged), path, options=PRICED)
        rows = rows_of(data)
        shown = ("cost_centre", "user_id", "unattributed", "prompts", "carbon_mid_gco2e", "carbon_cost", "currency")
        assert [tuple(row[name] for name in shown) for row in rows] == [
            ("", "'=HYPERLINK(1)", "true", "1", "2.500000", "0.000214", "EUR"),
            ("", "u-1", "true", "1", "2.500000", "0.000214", "EUR"),
            ("CC-1", "u-2", "false", "2", "5.000000", "0.000427", "EUR"),
        ]
        assert sum(Decimal(row["carbon_mid_gco2e"]) for row in rows) == Decimal(10)
        assert sum(Decimal(row["carbon_cost"]) for row in rows) == Decimal("0.000855")
        assert (manifest["totals"]["prompts"], manifest["totals"]["carbon_mid_ugco2e"]) == ("4", "10000000")
        for row in rows:
            low, mid, high = (Decimal(row[f"carbon_{end}_gco2e"]) for end in ("low", "mid", "high"))
            assert low <= mid <= high

    def test_every_format_says_the_same(self, charged: Store, path: Path) -> None:
        """One digest of what is said; Parquet and JSON hold decimals, digit by digit, and no workbook has a formula."""
        engine, options = filled(charged), PRICED
        text, of_csv = made(engine, path, options=options)
        as_of_us = epoch_us_of(of_csv)
        forms = {form: made(engine, path, form=form, options=options, as_of_us=as_of_us) for form in FORMS}
        assert {manifest["content_sha256"] for _, manifest in forms.values()} == {of_csv["content_sha256"]}
        table = pq.read_table(io.BytesIO(forms["parquet"][0])).to_pylist()
        document = json.loads(forms["json"][0])["rows"]
        for of_text, of_table, of_json in zip(rows_of(text), table, document, strict=True):
            assert str(of_table["carbon_mid_gco2e"]) == of_text["carbon_mid_gco2e"] == of_json["carbon_mid_gco2e"]
            assert of_table["carbon_cost"] == Decimal(of_text["carbon_cost"])
        with zipfile.ZipFile(io.BytesIO(forms["xlsx"][0])) as book:
            sheets = [book.read(name).decode() for name in book.namelist() if "sheets/" in name]
        assert len(sheets) == 2
        assert not any("<f>" in sheet for sheet in sheets)

    def test_made_again_later_it_is_the_same_to_the_byte(self, charged: Store, path: Path) -> None:
        """What comes, and what is corrected, after the instant of the manifest is left out; a later export has it."""
        engine = filled(charged)
        before = {form: made(engine, path, form=form) for form in ("csv", *FORMS)}
        charged.add(at("2026-11-03T08:00:00Z", event_id="late", team_id="ads"))
        restate(engine, BY_METHOD)
        for data, manifest in before.values():
            order, scope, kept = order_of(canonical_json(manifest).decode())
            again = make_export(engine, scope, order, path)
            assert path.read_bytes() == data
            assert differences_of(kept, again) == {"same_bytes": True, "same_content": True, "differs": []}
        now, manifest = made(engine, path)
        assert [row["carbon_mid_gco2e"] for row in rows_of(now)] == ["10.000000", "15.000000"]
        reported, _ = made(engine, path, options=ExportOptions(amounts="reported"))
        assert [row["carbon_mid_gco2e"] for row in rows_of(reported)] == ["5.000000", "7.500000"]
        told = differences_of(before["csv"][1], manifest)
        assert (told["same_bytes"], told["same_content"]) == (False, False)
        whats = {one["what"] for one in told["differs"]}
        assert {"file.sha256", "content_sha256", "totals.carbon_mid_ugco2e", "rests_on", "factors_sha256"} <= whats

    def test_another_library_that_writes_other_bytes_is_told(self, charged: Store, path: Path) -> None:
        """The content is the same: nobody has to compare rows."""
        _, kept = made(filled(charged), path, form="parquet")
        now = {**kept, "made_with": {**kept["made_with"], "pyarrow": "99"}, "file": {**kept["file"], "sha256": "0"}}
        told = differences_of(kept, now)
        assert (told["same_bytes"], told["same_content"]) == (False, True)
        assert [one["what"] for one in told["differs"]] == ["file.sha256", "made_with.pyarrow"]

    def test_a_closed_month_is_exported_as_it_lasted_with_its_checkpoint(self, charged: Store, path: Path) -> None:
        """The tenant has another time zone since."""
        engine = filled(charged)
        _, manifest = made(engine, path, month="2026-10")
        assert manifest["period"] == {"state": "open", "root": None, "checkpoint": None}
        closed = close(engine, "2026-10")
        charged.set_time_zone("acme", "Asia/Kathmandu")
        data, manifest = made(engine, path, month="2026-10")
        assert manifest["window"]["to"] == "2026-11-01T00:00:00Z"
        assert manifest["period"] == {"state": "closed", "root": closed.root.hex(), "checkpoint": closed.note}  # type: ignore[union-attr]
        assert [row["prompts"] for row in rows_of(data)] == ["1"]
        assert made(engine, path)[1]["window"]["from"] == "2026-11-01T00:00:00Z"

    def test_a_team_is_shown_what_is_its_own(self, charged: Store, path: Path) -> None:
        """And the manifest says within which scope it was made."""
        engine = filled(charged)
        data, manifest = made(engine, path, Scope(frozenset({"acme"}), frozenset({"search"})))
        assert [(row["cost_centre"], row["prompts"]) for row in rows_of(data)] == [("", "2")]
        assert manifest["scope"] == {"tenants": ["acme"], "teams": ["search"]}
        with pytest.raises(NotFoundError, match="globex"):
            made(engine, path, Scope(frozenset({"acme"})), tenant="globex")
        assert path.read_bytes() == data

    def test_a_month_without_prompts_has_no_rows(self, charged: Store, path: Path) -> None:
        """In every format, and is no error."""
        engine = filled(charged)
        for form in ("csv", *FORMS):
            data, manifest = made(engine, path, month="2026-09", form=form)
            assert manifest["file"]["rows"] == 0
            assert data

    def test_what_cannot_be_asked_is_refused(self, charged: Store, path: Path) -> None:
        """By the name of the field, and nothing is written."""
        engine = filled(charged)
        for changes, words in (
            ({"kind": "pie"}, "there is no export 'pie'"),
            ({"month": "2026-13"}, "month"),
            ({"as_of_us": epoch_us(NOON) * 2}, "as of"),
        ):
            with pytest.raises(UsageError, match=words):
                made(engine, path, **changes)
        assert not path.exists()
        with pytest.raises(UsageError, match="--out"):
            made(engine, path / "no" / "such" / "folder")
        assert [each.name for each in path.parent.iterdir() if each.suffix == ".part"] == []


FORMS = ("parquet", "xlsx", "json")


def epoch_us_of(manifest: dict[str, Any]) -> int | None:
    """The instant of a manifest."""
    return order_of(json.dumps(manifest))[0].as_of_us
