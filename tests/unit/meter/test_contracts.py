"""What contracts cover: by hand, and whatever is used and contracted."""

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rice_stream.meter.contracts import Cell, Supply, covered_by, shares_of
from rice_stream.reference.types import GRANULARITIES

HOUR = 3600


def supply(name: str, granularity: str, left_uwh: int, rci: float = 0.0, kinds: frozenset[int] | None = None) -> Supply:
    """A contract of some kinds, or of all."""

    def covers(cell: Cell) -> bool:
        return kinds is None or cell[1] in kinds

    return Supply(name, "ppa", granularity, rci, covers, lambda _period: left_uwh)


def by_contract(used: dict[Cell, int], *supplies: Supply) -> dict[tuple[str, Cell], int]:
    """What each covers."""
    return {(each.supply.contract, each.cell): each.energy_uwh for each in covered_by(used, supplies)}


def test_an_hour_is_covered_by_what_is_delivered_in_it_alone() -> None:
    """100 an hour: of an hour that used 40 it covers 40, of one that used 300 it covers 100, a third of each kind."""
    used = {(0, 1): 40, (HOUR, 1): 200, (HOUR, 2): 100}
    assert by_contract(used, supply("h", "hourly", 100)) == {
        ("h", (0, 1)): 40,
        ("h", (HOUR, 1)): 66,
        ("h", (HOUR, 2)): 33,
    }


def test_a_month_is_covered_in_the_same_share_everywhere_and_the_closest_match_goes_first() -> None:
    """The hourly one takes 50 of the first hour; the annual one half of what the monthly one leaves."""
    used = {(0, 1): 100, (HOUR, 1): 150}
    found = by_contract(used, supply("a", "annual", 50), supply("b", "hourly", 50), supply("m", "monthly", 100))
    assert found == {
        ("b", (0, 1)): 50,
        ("b", (HOUR, 1)): 50,
        ("m", (0, 1)): 33,
        ("m", (HOUR, 1)): 66,
        ("a", (0, 1)): 16,
        ("a", (HOUR, 1)): 33,
    }


def test_shares_say_what_becomes_of_carbon_by_the_market() -> None:
    """Of 200 units 50 at 20 g/kWh and 50 at 0: half keeps its own, and 1/4 x 20 / 1000 µg a µWh come for all of them."""
    used = {(0, 1): 200}
    covered = covered_by(used, [supply("x", "monthly", 50, 20.0), supply("y", "annual", 50, 0.0)])
    [(cell, shares)] = shares_of(used, covered).items()
    assert cell == (0, 1)
    assert list(shares) == pytest.approx([0.5, 0.005])
    assert shares_of(used, []) == {}


@given(
    st.dictionaries(
        st.tuples(st.integers(0, 3).map(lambda hour: hour * HOUR), st.integers(1, 3)), st.integers(-5, 10**13)
    ),
    st.lists(
        st.tuples(
            st.sampled_from(GRANULARITIES),
            st.integers(-10, 10**13),
            st.frozensets(st.integers(1, 3)),
            st.floats(0, 2000),
        ),
        max_size=4,
    ),
)
def test_nothing_is_covered_twice_or_beyond_what_is_contracted(
    used: dict[Cell, int], contracts: list[tuple[str, int, frozenset[int], float]]
) -> None:
    """By cell at most what was used, by contract and period at most what is left; the order of what was used does not matter."""
    supplies = [supply(str(place), *terms[:2], terms[3], terms[2]) for place, terms in enumerate(contracts)]
    covered = covered_by(used, supplies)
    of_cells: Counter[Cell] = Counter()
    of_contracts: Counter[tuple[str, int]] = Counter()
    for each in covered:
        assert each.energy_uwh > 0
        of_cells[each.cell] += each.energy_uwh
        of_contracts[each.supply.contract, each.cell[0] if each.supply.granularity == "hourly" else 0] += (
            each.energy_uwh
        )
    assert all(energy <= used[cell] for cell, energy in of_cells.items())
    assert all(energy <= max(0, contracts[int(name)][1]) for (name, _), energy in of_contracts.items())
    assert covered_by(dict(reversed(used.items())), reversed(supplies)) == covered
    for cell, shares in shares_of(used, covered).items():
        assert 0.0 <= shares.kept <= 1.0
        assert shares.kept == pytest.approx(float(1 - Fraction(of_cells[cell], used[cell])))
