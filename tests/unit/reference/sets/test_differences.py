"""How two sets differ."""

import pytest

from rice_stream.errors import UsageError
from rice_stream.reference.sets.differences import differences
from tests.support.factor_files import BRITAIN, SWEDEN, pue_row, rci_row, set_of


def test_rows_are_added_removed_or_changed() -> None:
    """A value by how many per cent; what is the same is not told."""
    before = set_of(rci_row(value=10), rci_row(BRITAIN, 200), rci_row("country:FR", 50))
    after = set_of(rci_row(value=12.5), rci_row("country:DE", 300), rci_row("country:FR", 50))
    told = [(row["change"], row["key"]["region"], row["change_percent"]) for row in differences(before, after)]
    assert told == [("changed", SWEDEN, 25.0), ("added", "country:DE", None), ("removed", BRITAIN, None)]
    assert differences(before, before) == []


def test_sets_of_two_kinds_are_not_compared() -> None:
    with pytest.raises(UsageError, match="B: is a set of pue, and A of rci; two sets of a kind are compared"):
        differences(set_of(rci_row()), set_of(pue_row(1.1, region=SWEDEN), kind="pue"))
