"""Which sets hold when: by their instants alone, whatever the order in which they were added."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rice_stream.errors import ReferenceDataError
from rice_stream.instants import us_from_iso
from rice_stream.reference.loader import load_reference
from rice_stream.reference.sets.history import EffectiveSet, ReferenceHistory, version_with
from tests.support.factor_files import BRITAIN, SWEDEN, rci_row, set_of

BUILT_IN = load_reference()
DAY_1, DAY_2, DAY_3 = (us_from_iso(f"2027-01-0{day}") for day in (1, 2, 3))
FIRST, SECOND = set_of(rci_row(value=10)), set_of(rci_row(value=20))
OTHER = set_of(rci_row(BRITAIN, 30), name="islands")
NONE = set_of()


def mid(history: ReferenceHistory, at_us: int, region: str = SWEDEN) -> float:
    """The carbon intensity of an instant."""
    return history.at(at_us).resolve_region(region, None, "lifecycle", at_us).rci_gco2e_per_kwh.mid


def test_an_edition_holds_from_its_instant_until_the_next_of_its_name() -> None:
    """To the microsecond; the built-in tables hold before the first, and after one without rows."""
    sets = [EffectiveSet(DAY_1, FIRST), EffectiveSet(DAY_2, SECOND), EffectiveSet(DAY_3, NONE)]
    history = ReferenceHistory(BUILT_IN, sets)
    before = mid(history, DAY_1 - 1)
    assert before == BUILT_IN.resolve_region(SWEDEN, None, "lifecycle", DAY_1).rci_gco2e_per_kwh.mid
    assert [mid(history, at_us) for at_us in (DAY_1, DAY_2 - 1, DAY_2, DAY_3 - 1, DAY_3)] == [10, 10, 20, 20, before]
    assert history.at(DAY_1 - 1) is BUILT_IN
    assert history.at(DAY_3) is BUILT_IN
    assert {DAY_1, DAY_2, DAY_3} <= set(history.boundaries_us)


def test_sets_of_other_names_hold_together_and_the_version_names_them() -> None:
    """With one set the version ends in its digest; a row that two have is the later's."""
    over = set_of(rci_row(value=40), name="over")
    history = ReferenceHistory(
        BUILT_IN, [EffectiveSet(DAY_1, FIRST), EffectiveSet(DAY_2, OTHER), EffectiveSet(DAY_3, over)]
    )
    assert history.at(DAY_1).version == f"{BUILT_IN.version}+{FIRST.digest[:12]}"
    assert history.at(DAY_2).set_digests == (FIRST.digest, OTHER.digest)
    assert history.at(DAY_2).version == version_with(BUILT_IN.version, (FIRST.digest, OTHER.digest))
    assert (mid(history, DAY_2), mid(history, DAY_2, BRITAIN), mid(history, DAY_3)) == (10, 30, 40)


def test_a_set_of_another_release_that_names_what_these_tables_do_not_know_is_refused() -> None:
    """And not left out without a word: estimates would rest on something else than the version says."""
    history = ReferenceHistory(BUILT_IN, [EffectiveSet(DAY_1, set_of(rci_row("country:XX")))])
    assert history.at(DAY_1 - 1) is BUILT_IN
    with pytest.raises(ReferenceDataError, match="row 1, column region: 'country:XX' is no place of the tables"):
        history.at(DAY_1)


SETS = [FIRST, SECOND, OTHER, NONE]


@given(
    starts=st.lists(st.integers(DAY_1, DAY_1 + 5), min_size=4, max_size=4),
    order=st.permutations(range(4)),
    at_us=st.integers(DAY_1 - 1, DAY_1 + 6),
    later=st.integers(0, 3),
)
def test_order_of_adding_does_not_matter_and_a_set_changes_nothing_before_its_instant(
    starts: list[int], order: list[int], at_us: int, later: int
) -> None:
    """Also of sets that begin at the same instant. Whoever does not know yet of a set answers the same before it begins."""
    sets = [EffectiveSet(start_us, one) for start_us, one in zip(starts, SETS, strict=True)]
    one, other = ReferenceHistory(BUILT_IN, sets), ReferenceHistory(BUILT_IN, [sets[place] for place in order])
    assert [each.digest for each in one.in_force(at_us)] == [each.digest for each in other.in_force(at_us)]
    unknowing = ReferenceHistory(BUILT_IN, [each for place, each in enumerate(sets) if place != later])
    if at_us < starts[later]:
        assert one.in_force(at_us) == unknowing.in_force(at_us)
