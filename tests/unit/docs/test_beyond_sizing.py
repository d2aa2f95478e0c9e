"""The table of a billion prompts a day in docs/operations.md is made from what was measured, and says so."""

import json

import pytest

from benchmarks.beyond_sizing import BYTES, KEPT, PROCESSOR_TIME, kept_from, table
from tests.support.docs_reading import section, text_of


def test_the_table_is_the_one_that_the_kept_figures_make() -> None:
    """`python -m benchmarks.beyond_sizing` prints it."""
    kept = json.loads(KEPT.read_text())
    said = section(text_of("docs/operations.md"), "### Past one PostgreSQL")
    assert table(kept) in said
    assert kept["date"] in said


def test_a_billion_by_hand() -> None:
    """36 us of a billion are 10 core hours; a billion a day are 11,574 a second, which at 36 us each keep 0.42 cores busy."""
    figures = {**dict.fromkeys(PROCESSOR_TIME, 36.0), **{name: 100.0 for name, _, _ in BYTES.values()}}
    lines = table({"figures": figures}).splitlines()
    assert "cores at the mean, 11,574/s" in lines[0]
    assert "| PostgreSQL | 36.0 us | 10.0 core hours | 0.42 | 1.25 |" in lines
    assert "| records as Parquet | 100 bytes | 100 GB | | |" in lines


def test_figures_are_kept_from_a_run_that_has_them_all() -> None:
    rows = [{"name": row, "value": 2.0} for row in PROCESSOR_TIME.values()]
    rows += [{"name": row, "value": 2.0, "ceiling_value": 7.0} for _, row, _ in BYTES.values()]
    figures = kept_from(rows, "2026-11-29")["figures"]
    assert figures["event as JSON"] == 7.0
    assert {value for name, value in figures.items() if name != "event as JSON"} == {2.0}
    with pytest.raises(KeyError, match="log of PostgreSQL"):
        kept_from([row for row in rows if "log" not in str(row["name"])], "2026-11-29")
