"""Files of factor sets: what is taken, how it is kept, and what each mistake is told as, to the word."""

import datetime
import hashlib
import re
from typing import Any

import pytest
import yaml

from rice_stream.errors import UsageError
from rice_stream.reference.sets.hours import SERIES_MAX
from rice_stream.reference.sets.parsing import ROWS_MAX, parse_content, parse_factor_file
from tests.support.factor_files import BRITAIN, SWEDEN, file_of, pue_row, rci_row, set_of

FILE = """
kind: rci
name: grid
source: Grid Co
licence: CC-BY-4.0
published: 2026-11-01
effective_from: 2027-01-01
rows:
- {region: country:GB, scope: lifecycle, value: 200, unit: gCO2e/kWh, valid_from: 2026-06-01T12:00:00Z}
- {region: azure:swedencentral, scope: lifecycle, value: 12.5, unit: gCO2e/kWh, year: 2025}
"""
CONTENT = (
    b'{"kind":"rci","licence":"CC-BY-4.0","name":"grid","published":"2026-11-01","rows":['
    b'{"accounting":"location","region":"azure:swedencentral","scope":"lifecycle","signal":"average","unit":"gCO2e/kWh",'
    b'"value":12.5,"year":2025},'
    b'{"accounting":"location","region":"country:GB","scope":"lifecycle","signal":"average","unit":"gCO2e/kWh",'
    b'"valid_from":"2026-06-01T12:00:00Z","value":200}],"source":"Grid Co"}'
)


def test_a_file_is_kept_as_one_canonical_text_with_its_digest() -> None:
    """By hand: names sorted, rows by their keys, no empty cell, defaults filled in; and when it holds is no part of it."""
    parsed = parse_factor_file(yaml.safe_load(FILE), "grid.yaml")
    assert parsed.factor_set.content == CONTENT
    assert parsed.factor_set.digest == hashlib.sha256(CONTENT).hexdigest()
    assert parsed.effective_from == "2027-01-01"


def test_order_of_rows_and_spelling_of_dates_make_no_other_set() -> None:
    one = set_of(rci_row(), rci_row(BRITAIN, 200, valid_from="2026-06-01"))
    other = set_of(rci_row(BRITAIN, 200.0, valid_from=datetime.date(2026, 6, 1)), rci_row(signal="average"))
    assert one.digest == other.digest
    assert set_of(rci_row(value=12.6)).digest != set_of(rci_row()).digest


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        ([rci_row(value=None, by_hour=list(range(24))), rci_row(BRITAIN, note="of the grid")], "rci"),
        ([rci_row(value=None, by_month_and_hour=[[month] * 24 for month in range(12)])], "rci"),
        ([rci_row(value=None, series=[1, 2.5], valid_from="2027-01-01T05:00:00Z")], "rci"),
        ([pue_row(1.1, provider="openai"), pue_row(1.2, region=SWEDEN), pue_row(1.3, provider="aws", region=SWEDEN)], "pue"),
        ([{"provider": "openai", "model": "gpt-4o", "input": 1, "output": 2.5, "unit": "USD/Mtok"}], "price"),
        ([{"evidence_id": "own:1", "kind": "estimate", "quantity": "x", "value": 2, "unit": "Wh", "date": "2026-01"}], "evidence"),
        ([], "rci"),
    ],
)  # fmt: skip
def test_stored_content_reads_as_the_same_set(rows: list[dict[str, Any]], kind: str) -> None:
    """So that it can be taken again at any time."""
    made = set_of(*rows, kind=kind, url="https://example.com", note="as agreed")
    assert parse_content(made.content).content == made.content
    assert parse_content(made.content).digest == made.digest


def test_a_series_ends_with_its_last_hour() -> None:
    """It says nothing of later events: other rows hold again."""
    made = set_of(rci_row(value=None, series=[1, 2, 3], valid_from="2027-01-01"))
    assert [row.valid_to_us - row.valid_from_us for row in made.rows] == [3 * 3_600_000_000]


HEAD = "grid.yaml, field"
ROW = "grid.yaml row 1, column"


@pytest.mark.parametrize(
    ("loaded", "said"),
    [
        ([], "grid.yaml: must be a mapping with kind, name, source, licence, published, url, note, effective_from, rows"),
        (file_of(kind="gas"), f"{HEAD} kind: 'gas' is not allowed; it holds one of rci, pue, price, evidence"),
        (file_of(licence=""), f"{HEAD} licence: '' is not allowed; it holds text"),
        (file_of(name="a\x00b"), f"{HEAD} name: 'a\\x00b' is not allowed; it holds characters of text"),
        (file_of(rci_row(note="\ud800")), f"{ROW} note: '\\ud800' is not allowed; it holds characters of text"),
        (file_of(source=None), f"{HEAD} source: None is not allowed; it holds text"),
        (file_of(published="soon"), f"{HEAD} published: 'soon' is not allowed; it holds an ISO date (2025-03-01) or UTC time"),
        (file_of(licens="x"), f"{HEAD} 'licens': is unknown; did you mean licence?"),
        ({**file_of(), "rows": None}, f"{HEAD} rows: it holds a list of rows; an empty one withdraws the set of this name"),
        ({**file_of(), "rows": [1] * (ROWS_MAX + 1)}, f"{HEAD} rows: 20,001 rows; a set has 20,000 at most, so split it"),
        ({**file_of(), "rows": ["x"]}, "grid.yaml row 1: must be a mapping of columns"),
        (file_of(rci_row(value=-1)), f"{ROW} value: '-1' is not allowed; it holds a number from 0 up to 2000"),
        (file_of(rci_row(value=[1])), f"{ROW} value: [1] is not allowed; it holds one value"),
        (file_of(rci_row(unit="kg/MWh")), f"{ROW} unit: 'kg/MWh' is not allowed; it holds one of gCO2e/kWh"),
        (file_of(rci_row(scope="all")), f"{ROW} scope: 'all' is not allowed; it holds one of lifecycle, direct"),
        (file_of(rci_row(region="")), f"{ROW} region: '' is not allowed; it holds text"),
        (file_of(rci_row(regin="x")), f"{ROW} 'regin': is unknown; did you mean region?"),
        (file_of(rci_row(year=1889)), f"{ROW} year: '1889' is not allowed; it holds a whole number from 1990 up to 2100"),
        (file_of(rci_row(valid_from="May")), f"{ROW} valid_from: 'May' is not allowed; it holds an ISO date"),
        (
            file_of(rci_row(valid_from="2027-01-01", valid_to="2027-01-01")),
            f"{ROW} valid_to: it must be later than valid_from",
        ),
        (
            file_of(rci_row(), rci_row("AZURE:swedencentral", valid_from="2026-01-01")),
            "grid.yaml row 2, column region, scope, signal, accounting (azure:swedencentral, lifecycle, average, location): its",
        ),
        (
            file_of(rci_row(value=None, by_hour=[1] * 23)),
            f"{ROW} by_hour: it holds a list of 24 numbers, one for each hour of the day (UTC)",
        ),
        (
            file_of(rci_row(value=None, by_month_and_hour=[[1] * 24] * 11)),
            f"{ROW} by_month_and_hour: it holds a list of 12 months, each a list of 24 numbers",
        ),
        (
            file_of(rci_row(value=None, by_hour=[1] * 23 + [True])),
            f"{ROW} by_hour: value 24, True, is not allowed; each is a number from 0 up to 2000",
        ),
        (
            file_of(rci_row(value=None, series=[], valid_from="2027-01-01")),
            f"{ROW} series: it holds a list of 1 to {SERIES_MAX} numbers, one an hour from valid_from on",
        ),
        (
            file_of(rci_row(value=None, series=[1], valid_from="2027-01-01T00:30:00Z")),
            f"{ROW} valid_from: a series begins at it, so give the start of an hour (UTC)",
        ),
        (file_of(rci_row(by_hour=[1] * 24)), f"{ROW} value: give value or by_hour, not both"),
        (
            file_of(rci_row(value=None, by_hour=[1] * 24, series=[1])),
            f"{ROW} series: give by_hour or series, not both",
        ),
        (file_of(pue_row(0.9, region=SWEDEN), kind="pue"), f"{ROW} value: '0.9' is not allowed; it holds a number from 1 up to 3"),
        (file_of(pue_row(1.1), kind="pue"), f"{ROW} provider: give a provider, a region or both"),
        (file_of(pue_row(1.1, region=SWEDEN, by_hour=[1] * 24), kind="pue"), f"{ROW} 'by_hour': is unknown; there are provider"),
        (
            file_of({"provider": "openai", "model": "m", "input": "free", "output": 1, "unit": "USD/Mtok"}, kind="price"),
            f"{ROW} input: 'free' is not allowed; it holds a number from 0 up to 100000",
        ),
    ],
)  # fmt: skip
def test_each_mistake_is_told_with_row_and_column(loaded: object, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        parse_factor_file(loaded, "grid.yaml")


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(
        UsageError, match=r"row 1, column value: .*; grid.yaml row 2, column unit: .*; grid.yaml row 3: must"
    ):
        parse_factor_file({**file_of(), "rows": [rci_row(value=9e9), rci_row(unit="g"), 3]}, "grid.yaml")
