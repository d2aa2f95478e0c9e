"""The sizing table of docs/operations.md is made from what was measured, and says so."""

import json
import re

import pytest

from benchmarks.sizing import KEPT, MEASURED, kept_from, table
from tests.support.docs_reading import section, text_of


def test_the_table_is_the_one_that_the_kept_figures_make() -> None:
    """`python -m benchmarks.sizing` prints it."""
    assert table(json.loads(KEPT.read_text())) in section(text_of("docs/operations.md"), "### A size to begin with")


def test_the_kept_figures_are_those_of_the_page_of_performance() -> None:
    """Whoever measures again and changes one page is told of the other."""
    figures = json.loads(KEPT.read_text())["figures"]
    measured = text_of("docs/performance.md")
    assert f"| {figures['kafka to postgresql']:,} events/s |" in measured
    assert f"at most {figures['worker peak memory']} MB" in measured
    assert f"| {figures['disk of a prompt']:.0f} bytes |" in measured
    half = figures["kafka to postgresql"] // 2
    assert re.search(rf"half of what it was measured to do.*{half:,} events/s", text_of("docs/operations.md"), re.S)


def test_a_load_by_hand() -> None:
    """1,000 events/s of 100 bytes each: 86.4 million a day, 8.64 GB. Three times that many are more than four do at 700/s."""
    figures = dict.fromkeys(MEASURED, 1.0) | {
        "kafka to postgresql": 1_400.0,
        "disk of a prompt": 100.0,
        "event as JSON": 500.0,
    }
    [row] = [line for line in table({"figures": figures}).splitlines() if line.startswith("| 1,000 |")]
    assert row == "| 1,000 | 86 million | 5 | 20 | 5 MB | 8.6 GB | 780 GB | 3.2 TB | 43 GB |"


def test_figures_are_kept_from_a_run_that_has_them_all() -> None:
    rows = [{"name": name, "value": 2.0, "ceiling_value": 7.0} for name in MEASURED]
    kept = kept_from(rows, "2026-11-29")
    assert kept["figures"] == {**dict.fromkeys(MEASURED, 2.0), "event as JSON": 7.0}
    with pytest.raises(KeyError, match="worker peak memory"):
        kept_from([row for row in rows if row["name"] != "worker peak memory"], "2026-11-29")
