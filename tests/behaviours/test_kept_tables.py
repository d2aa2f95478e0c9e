"""Versions of the reference tables: kept before records rest on them, never changed, and used again by `restate --factors`."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from rice_stream.reference.kept import reference_of
from rice_stream.reference.loader import load_reference
from rice_stream.reports.factor_sets import tables_kept
from rice_stream.runtime.opening_factors import keep_tables_of
from rice_stream.store.engine import reading, writing
from rice_stream.store.kept_tables import kept_content, kept_versions
from rice_stream.store.scope import EVERYTHING, Scope
from tests.support.cli_running import Shell
from tests.support.factor_files import file_of, pue_row

SHIPPED = load_reference()
MONTH = ("--from", "2026-11-01", "--to", "2026-12-01", "--reason", "another version of the tables")


class TestKeptTables:
    """On every database."""

    def test_a_version_is_kept_once_however_many_keep_it_at_the_same_time(self, engine: Engine) -> None:
        with ThreadPoolExecutor(4) as several:
            list(several.map(lambda _: keep_tables_of(engine, SHIPPED), range(8)))
        with reading(engine) as connection:
            [kept] = kept_versions(connection)
            content = kept_content(connection, SHIPPED.version)
            assert kept_content(connection, "factors-000000000000") is None
        assert kept.version == SHIPPED.version
        assert content is not None
        assert reference_of(content, kept.version).version == SHIPPED.version

    @pytest.mark.parametrize(
        "statement",
        ["UPDATE reference_tables SET content = 'x'", "DELETE FROM reference_tables"],
        ids=["changed", "removed"],
    )
    def test_nobody_changes_or_removes_a_version(self, engine: Engine, statement: str) -> None:
        keep_tables_of(engine, SHIPPED)
        with pytest.raises(DBAPIError, match="append-only"), writing(engine) as connection:
            connection.execute(text(statement))

    def test_who_does_not_see_everything_sees_none(self, engine: Engine) -> None:
        keep_tables_of(engine, SHIPPED)
        assert [row["version"] for row in tables_kept(engine, EVERYTHING)] == [SHIPPED.version]
        assert tables_kept(engine, Scope(frozenset({"acme"}))) == []


class TestRestatingByAVersion:
    """By hand, on the command line: a folder of the user's own tables that is gone by the next month."""

    @pytest.fixture
    def shell(self, tmp_path: Path) -> Shell:
        """A store with two prompts in Mumbai, estimated with a PUE of 2 that the user gave; the tables have 1.42."""
        shell = Shell(tmp_path)
        own = tmp_path / "own"
        own.mkdir()
        (own / "pue.csv").write_text(
            "subject,basis,pue,year,valid_from,valid_to,source,note\naws:ap-south-1,region,2,2024,,,aws-disclosure,\n"
        )
        event = {
            "tenant_id": "acme",
            "request_model": "gpt-4o",
            "provider": "aws",
            "inference_region": "aws:ap-south-1",
        }
        counts = {"ended_at": "2026-11-20T12:00:00Z", "input_tokens": 100_000, "output_tokens": 50_000}
        events = tmp_path / "events.jsonl"
        events.write_text("\n".join(json.dumps({**event, **counts, "event_id": f"e-{n}"}) for n in range(2)))
        shell.json("migrate")
        shell.json("ingest", str(events), RICE_REFERENCE_DIR=str(own))
        return shell

    def test_tables_that_are_gone_are_used_again_to_the_microgram(self, shell: Shell) -> None:
        before = self.totals(shell)
        assert self.pue(before) == pytest.approx(2.0)
        [own] = shell.json("factors", "list")["tables"]
        assert own["version"] != SHIPPED.version

        self.restated(shell)
        assert self.pue(self.totals(shell)) == pytest.approx(1.42)
        assert [kept["version"] for kept in shell.json("factors", "list")["tables"]] == [
            own["version"],
            SHIPPED.version,
        ]

        answer = self.restated(shell, "--factors", own["version"])
        assert answer["versions"]["factors"] == own["version"]
        assert self.totals(shell) == before
        assert shell.json("verify")["ok"]

    def test_sets_of_the_version_come_with_it(self, shell: Shell, tmp_path: Path) -> None:
        """A version after the `+` names what was laid over the tables."""
        grid = tmp_path / "pue.yaml"
        row = {"provider": "aws", "region": "aws:ap-south-1", **pue_row(1.5)}
        grid.write_text(json.dumps(file_of(row, kind="pue", name="mumbai")))
        added = shell.json("factors", "add", str(grid), "--effective-from", "2026-11-21T00:00:00Z")["factor_set"]
        version = f"{SHIPPED.version}+{added['digest'][:12]}"
        assert self.restated(shell, "--factors", version)["versions"]["factors"] == version
        assert self.pue(self.totals(shell)) == pytest.approx(1.5)

    @pytest.mark.parametrize("version", ["factors-000000000000", f"{SHIPPED.version}+000000000000", "yesterday's"])
    def test_a_version_that_nobody_kept_is_said_to_be_none(self, shell: Shell, version: str) -> None:
        refused = shell.run("restate", *MONTH, "--factors", version)
        assert (refused.exit_code, "--factors" in refused.stderr, "factors list" in refused.stderr) == (2, True, True)

    def totals(self, shell: Shell) -> dict[str, Any]:
        """The one row of the tenant."""
        [row] = shell.json("totals", "--tenant", "acme")["rows"]
        return cast("dict[str, Any]", row)

    def pue(self, row: dict[str, Any]) -> float:
        """Facility energy over IT energy."""
        return float(row["facility_energy_wh"] / row["it_energy_wh"])

    def restated(self, shell: Shell, *more: str) -> dict[str, Any]:
        """November, again."""
        return cast("dict[str, Any]", shell.json("restate", *MONTH, *more))
