"""Tables for people: whole words, whole lines when piped, columns left out rather than broken, data as it is."""

import sys

import pytest

from rice_stream.cli.explain import short_sources
from rice_stream.cli.tables import Styled, fitting_widths, table

COLUMNS = ["name", "found", "state", "remark"]
ROWS = [["acme-month", "several words that wrap", Styled("ok", "green"), "an-unbreakable-remark"]]
TEXTS = [["acme-month", "several words that wrap", "ok", "an-unbreakable-remark"]]


@pytest.mark.parametrize(
    ("available", "widths"),
    [
        (None, [10, 23, 5, 21]),  # piped: all of it
        (65, [10, 23, 5, 21]),
        (64, [10, 22, 5, 21]),  # texts wrap between words
        (49, [10, 7, 5, 21]),
        (48, [10, 23, 5]),  # the longest words no longer fit beside each other: the last column goes
        (18, [10]),
        (4, [4]),  # the first column always stays, if need be in pieces
    ],
)
def test_columns_are_left_out_from_the_last_on_before_a_word_is_broken(
    available: int | None, widths: list[int]
) -> None:
    assert fitting_widths(COLUMNS, TEXTS, available) == widths


def test_a_table_without_rows_has_its_heading() -> None:
    assert fitting_widths(["name", "found"], [], 80) == [4, 5]


def test_what_is_piped_is_one_line_a_row_however_long(capsys: pytest.CaptureFixture[str]) -> None:
    table(COLUMNS, [["x" * 300, "y z " * 50, None, 1234.5]])
    heading, row = capsys.readouterr().out.rstrip("\n").split("\n")
    assert heading.split() == COLUMNS
    assert row.split()[0] == "x" * 300
    assert row.split()[-2:] == ["-", "1,234.5"]


def test_a_narrow_terminal_says_what_is_left_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "48")
    table(COLUMNS, ROWS)
    printed = capsys.readouterr()
    assert "remark" not in printed.out
    assert "several words that wrap" in printed.out
    assert printed.err == "Left out, as the terminal is too narrow: remark. --json has everything.\n"


def test_data_is_never_read_as_markup(capsys: pytest.CaptureFixture[str]) -> None:
    """A tenant may be called `[red]`."""
    table(["tenant [b]", ""], [["[red]acme[/]", "[/]"]], title="[i]")
    assert capsys.readouterr().out.split() == ["[i]", "tenant", "[b]", "[red]acme[/]", "[/]"]


def test_sources_of_an_explanation_are_numbered_in_the_order_of_the_steps() -> None:
    """Each once, however many steps rest on it; a step without a source has no number."""
    assert short_sources(["tables", None, "the event", "tables"]) == {"tables": "[1]", "the event": "[2]"}
