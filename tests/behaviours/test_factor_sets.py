"""Factor sets in the database: who may add one, from when on it holds, and that it stays as it is."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from rice_stream.errors import NotFoundError, ReferenceDataError, UsageError
from rice_stream.instants import rfc3339, us_from_iso
from rice_stream.ledger.factor_sets import add_factors
from rice_stream.reference.loader import load_reference
from rice_stream.reference.sets.parsing import parse_factor_file
from rice_stream.reports.audit import audit_entries
from rice_stream.reports.factor_sets import factor_set, factor_set_differences, factor_sets
from rice_stream.store.database_clock import database_now_us
from rice_stream.store.engine import reading, writing
from rice_stream.store.factor_set_store import AddedSet
from rice_stream.store.mapping_store import LEAD_US
from rice_stream.store.scope import EVERYTHING
from tests.support.factor_files import BRITAIN, SWEDEN, contract_row, file_of, market_row, pue_row, rci_row
from tests.support.fakes import OPERATOR
from tests.support.reports_store import Store, at, picked

TABLES = load_reference()
SCOPE = "lifecycle"
NEW_YEAR = "2027-01-01"
NEW_YEAR_US = us_from_iso(NEW_YEAR)


def add(engine: Engine, *rows: dict[str, Any], effective_from: str | None = NEW_YEAR, **changes: Any) -> AddedSet:
    """Add a file with these rows."""
    file = parse_factor_file(file_of(*rows, **changes), "grid.yaml")
    return add_factors(engine, file, TABLES, effective_from=effective_from, scope=SCOPE, by=OPERATOR)


def listed(engine: Engine, now_us: int = NEW_YEAR_US) -> list[dict[str, Any]]:
    """All sets as of an instant."""
    return factor_sets(engine, EVERYTHING, now_us=now_us)


class TestFactorSets:
    """On every database."""

    def test_a_set_is_kept_with_what_it_says_and_is_in_the_audit_trail(self, engine: Engine) -> None:
        made = add(engine, rci_row(valid_from="2026-06-01"), rci_row(BRITAIN, 200, valid_from="2026-01-01"))
        [row] = listed(engine)
        told = {"kind": "rci", "name": "grid", "source": "Grid Co", "licence": "CC-BY-4.0", "published": "2026-11-01"}
        assert (
            row.items()
            >= {**told, "effective_from": "2027-01-01T00:00:00Z", "row_count": 2, "state": "in_force"}.items()
        )
        assert (row["valid_from"], row["valid_to"], row["digest"]) == ("2026-01-01", None, made.stored.digest)
        shown = factor_set(engine, EVERYTHING, made.stored.digest[:8], now_us=NEW_YEAR_US)
        assert [(one["region"], one["value"]) for one in shown["rows"]] == [(SWEDEN, 12.5), (BRITAIN, 200.0)]
        [entry] = audit_entries(engine, EVERYTHING, action="factors.add")["rows"]
        assert entry["subject"] == {"kind": "factor_set", "id": made.stored.digest}
        assert entry["after"] == {**told, "rows": 2, "effective_from": "2027-01-01T00:00:00Z"}

    def test_the_same_file_twice_adds_nothing(self, engine: Engine) -> None:
        """Nor does it by eight at once; another instant for it is told."""
        with ThreadPoolExecutor(4) as threads:
            added = list(threads.map(lambda _: add(engine, rci_row()), range(8)))
        assert sorted(one.is_new for one in added) == [False] * 7 + [True]
        assert add(engine, rci_row(), effective_from=None).stored == added[0].stored
        assert (len(listed(engine)), len(audit_entries(engine, EVERYTHING)["rows"])) == (1, 1)
        with pytest.raises(UsageError, match="effective_from: this set is there, effective from 2027-01-01T00:00:00Z"):
            add(engine, rci_row(), effective_from="2028-01-01")

    def test_without_an_instant_it_begins_when_every_worker_knows_of_it(self, engine: Engine) -> None:
        """Ten seconds from now by the database's clock; or from the file's instant, which an option comes before."""
        with reading(engine) as connection:
            now_us = database_now_us(connection)
        begins_us = add(engine, rci_row(), effective_from=None).stored.effective_from_us
        assert now_us + LEAD_US <= begins_us <= now_us + LEAD_US + 60_000_000
        file = parse_factor_file(file_of(rci_row(value=2), effective_from="2030-01-01"), "grid.yaml")
        of_file = add_factors(engine, file, TABLES, scope=SCOPE, by=OPERATOR)
        assert rfc3339(of_file.stored.effective_from_us) == "2030-01-01T00:00:00Z"
        other = parse_factor_file(file_of(rci_row(value=3), effective_from="2030-01-01"), "grid.yaml")
        assert (
            add_factors(
                engine, other, TABLES, effective_from=NEW_YEAR, scope=SCOPE, by=OPERATOR
            ).stored.effective_from_us
            == NEW_YEAR_US
        )
        with pytest.raises(UsageError, match=re.escape("effective_from: 'soon' is no ISO date (2027-01-01)")):
            add(engine, rci_row(value=4), effective_from="soon")
        with pytest.raises(UsageError, match="effective_from: '9999-01-01' must lie in the years 2000 to 2099"):
            add(engine, rci_row(value=4), effective_from="9999-01-01")

    def test_what_is_recorded_is_never_reached(self, store: Store) -> None:
        """A set begins after the latest event that is recorded, whether it says when or not."""
        store.add(at("2026-11-22T12:00:00.500Z"))
        said = "effective_from: events that ended up to 2026-11-22T12:00:00.501Z are recorded, and keep their estimates"
        with pytest.raises(UsageError, match=re.escape(said)):
            add(store.engine, rci_row(), effective_from="2026-11-22T12:00:00.500Z")
        assert listed(store.engine) == []
        add(store.engine, rci_row(), effective_from="2026-11-22T12:00:00.501Z")

    def test_a_later_edition_takes_the_place_of_the_earlier_one_and_an_empty_one_ends_it(self, engine: Engine) -> None:
        add(engine, rci_row())
        add(engine, rci_row(value=13), effective_from="2027-02-01")
        add(engine, effective_from="2027-03-01")
        add(engine, pue_row(1.1, region=SWEDEN), kind="pue")
        states = {
            day: picked(listed(engine, us_from_iso(day)), "kind", "state") for day in ("2026-12-31", "2027-02-01")
        }
        assert sorted(states["2026-12-31"]) == [("pue", "coming"), *[("rci", "coming")] * 3]
        assert sorted(states["2027-02-01"]) == [
            ("pue", "in_force"),
            ("rci", "coming"),
            ("rci", "in_force"),
            ("rci", "replaced"),
        ]
        assert [row["state"] for row in listed(engine, us_from_iso("2027-03-01")) if row["kind"] == "rci"][
            -1
        ] == "withdrawn"

    def test_sets_are_found_by_digits_or_name_and_compared(self, engine: Engine) -> None:
        first = add(engine, rci_row(value=10), name="grid-2026").stored
        add(engine, rci_row(value=15), name="grid-2027")
        add(engine, pue_row(1.1, region=SWEDEN), kind="pue", name="grid-2027")
        compared = factor_set_differences(engine, EVERYTHING, first.digest[:6], first.digest)
        assert (compared["a"], compared["rows"]) == (compared["b"], [])
        with pytest.raises(UsageError, match="B: 'grid-2027' are several sets; give more digits of the digest"):
            factor_set_differences(engine, EVERYTHING, "grid-2026", "grid-2027")
        file = parse_factor_file(file_of(rci_row(value=15)), "f").factor_set
        [row] = factor_set_differences(engine, EVERYTHING, "grid-2026", file)["rows"]
        assert (row["change"], row["change_percent"], row["before"]["value"], row["after"]["value"]) == (
            "changed",
            50,
            10,
            15,
        )
        with pytest.raises(NotFoundError, match="DIGEST: there is no factor set 'abc'; see `rice-stream factors list`"):
            factor_set(engine, EVERYTHING, "abc", now_us=0)

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE factor_set SET effective_from_us = 0",
            "DELETE FROM factor_set",
            "INSERT INTO factor_set SELECT * FROM factor_set",
        ],
    )
    def test_nobody_changes_or_removes_a_row(self, engine: Engine, statement: str) -> None:
        """The database itself refuses."""
        add(engine, rci_row())
        before = listed(engine)
        with pytest.raises(DBAPIError), writing(engine) as connection:
            connection.execute(text(statement))
        assert listed(engine) == before

    @pytest.mark.parametrize(
        ("row", "kind", "said"),
        [
            (
                rci_row(signal="marginal"),
                "rci",
                "row 1, column signal: marginal says what one more kilowatt-hour would emit",
            ),
            (
                rci_row(scope="direct"),
                "rci",
                "row 1, column scope: direct, but everything is estimated by lifecycle intensities",
            ),
            (rci_row(scope="direct", accounting="market"), "rci", "row 1, column scope: direct, but"),
            (market_row("supplier", 3, region=SWEDEN, scope="direct"), "market", "row 1, column scope: direct, but"),
            (
                market_row("residual_mix", 3, region=SWEDEN, scope="direct"),
                "market",
                "row 1, column scope: direct, but",
            ),
            (contract_row("wind", 5, "hourly", scope="direct"), "contract", "row 1, column scope: direct, but"),
        ],
    )
    def test_a_set_of_another_basis_is_refused(self, engine: Engine, row: dict[str, Any], kind: str, said: str) -> None:
        """With and without the making of plants and fuels, average and marginal: what would be mixed or never used."""
        with pytest.raises(ReferenceDataError, match=re.escape(f"grid.yaml {said}")):
            add(engine, row, kind=kind)
        assert listed(engine) == []

    def test_a_set_of_both_scopes_is_taken_for_the_one_that_is_estimated_in(self, engine: Engine) -> None:
        """Each row is looked up by its scope, so that nothing is mixed."""
        add(engine, rci_row(value=10), rci_row(value=7, scope="direct"))
        [row] = listed(engine)
        assert row["row_count"] == 2
        file = parse_factor_file(file_of(rci_row(value=11)), "grid.yaml")
        with pytest.raises(ReferenceDataError, match="column scope: lifecycle, but everything is estimated by direct"):
            add_factors(engine, file, TABLES, scope="direct", effective_from="2028-01-01", by=OPERATOR)

    def test_what_does_not_fit_the_tables_is_not_stored(self, engine: Engine) -> None:
        with pytest.raises(UsageError, match="row 1, column region: 'atlantis' is no place of the tables"):
            add(engine, rci_row("atlantis"))
        assert listed(engine) == []
