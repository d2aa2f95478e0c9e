"""docs/accounting.md describes every table, view, column and word of basis that the schema has, and no other."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, inspect

from rice_stream.alerting.judge import LATENESS
from rice_stream.basis import Basis
from rice_stream.budgets.definition import HYSTERESIS_DEFAULT, THRESHOLDS_DEFAULT
from rice_stream.budgets.rules import CLOSED_PERIODS_MAX
from rice_stream.instants import SLOT_S
from rice_stream.meter.amounts import AMOUNT_MAX
from rice_stream.meter.carbon_ends import MISSING_TOKENS_FACTOR_HIGH, MISSING_TOKENS_FACTOR_LOW
from rice_stream.store.engine import open_engine
from rice_stream.store.migrate import migrate
from rice_stream.store.totals_tables import TOTALS_TABLES
from tests.support.docs_reading import codes, first_codes, rows, section, text_of

PAGE = "docs/accounting.md"
SHARED = tuple(table.name for table in TOTALS_TABLES)
"""Tables that one section describes together; their own columns say whose they are."""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A database as `rice-stream migrate` makes it."""
    directory: Path = tmp_path_factory.mktemp("schema")
    engine = open_engine(f"sqlite:///{directory / 'rice.db'}")
    migrate(engine)
    yield engine
    engine.dispose()


def described() -> dict[str, list[str]]:
    """Table or view -> its columns as the page has them, in order."""
    found: dict[str, list[str]] = {}
    for heading in re.findall(r"^### (?:Table|Tables|View) `.+$", text_of(PAGE), flags=re.MULTILINE):
        table = [cells for cells in rows(section(text_of(PAGE), heading)) if len(cells) == 3]
        for name in codes(heading):
            found[name] = [codes(cells[0])[0] for cells in table if name not in SHARED or _belongs(cells[2], name)]
    return found


def _belongs(meaning: str, name: str) -> bool:
    """`slot_total only` limits a column to some of the tables described together."""
    return not meaning.endswith(" only") or name in codes(meaning)


def test_every_table_view_and_column_is_described(database: Engine) -> None:
    """What a BI tool finds in the database is on the page, in the same order, and nothing else is."""
    inspector = inspect(database)
    names = [name for name in inspector.get_table_names() if name != "alembic_version"] + inspector.get_view_names()
    existing = {name: [column["name"] for column in inspector.get_columns(name)] for name in names}
    assert described() == existing


def test_every_word_of_basis_is_described() -> None:
    """Whatever stands in a record's `basis` can be looked up."""
    table = section(text_of(PAGE), "### View `prompt_emission`").partition("The words of `basis`")[2]
    assert first_codes(table) == [flag.name.lower() for flag in Basis if flag.name]


def test_units_are_in_the_names_and_in_the_unit_column() -> None:
    """A column that ends with a unit is given in that unit."""
    units = {
        "_uwh": "µWh",
        "_ugco2e": "µg CO2e",
        "_wh": "Wh",
        "_gco2e": "g CO2e",
        "_tokens": "tokens",
        "_us": "µs",
        "_per_s": "requests/s",
        "_s": "s",
    }
    for cells in rows(text_of(PAGE)):
        if len(cells) == 3 and (name := codes(cells[0])):
            suffix = next((s for s in units if name[0].endswith(s)), None)
            if suffix and not name[0].startswith("alert"):
                assert cells[1] == units[suffix], name[0]


def test_the_numbers_in_the_text_are_those_of_the_code() -> None:
    """Bounds and defaults that the page states: a change of the code fails here until the page says so too."""
    text = " ".join(text_of(PAGE).split())
    assert "quarter hour" in text
    assert SLOT_S == 15 * 60
    assert AMOUNT_MAX == 10**13
    assert "at most 10 MWh and 10 t CO2e" in text
    assert THRESHOLDS_DEFAULT == (0.5, 0.8, 1.0)
    assert "by default 0.5, 0.8 and 1 of the limit" in text
    assert HYSTERESIS_DEFAULT == 0.05
    assert "(5 % of it by default)" in text
    assert LATENESS.days == 2
    assert "ended up to two days ago" in text
    assert f"up to {CLOSED_PERIODS_MAX}." in text
    assert (MISSING_TOKENS_FACTOR_LOW, MISSING_TOKENS_FACTOR_HIGH) == (0.1, 10.0)
    events = " ".join(text_of("docs/events.md").split())
    assert "from a tenth of the low end to ten times the high end" in events
