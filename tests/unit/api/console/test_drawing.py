"""Shapes of charts: where things stand, by hand and by property."""

from hypothesis import given
from hypothesis import strategies as st

from rice_stream.api.console.drawing.bars import axis_end, bar_of, told_apart
from rice_stream.api.console.drawing.plots import Point, nice_top, plot_of

_MEASURE = (
    st.tuples(*[st.floats(0, 1e9)] * 3)
    .map(sorted)
    .map(lambda ends: dict(zip(("low", "mid", "high"), ends, strict=True)))
)


def test_a_line_goes_from_the_lower_left_to_the_top_and_its_band_around_it() -> None:
    plot = plot_of(
        [("now", "Carbon", [Point(0, 0, 0, 0), Point(10, 400, 500, 1000)])], "carbon", [(0, "1"), (10, "11")]
    )
    assert plot.lines[0].line == "M0 1000 L1000 500"
    assert plot.lines[0].band == "M0 1000 L1000 0 L1000 600 L0 1000 Z"
    assert [tick.text for tick in plot.up] == ["1.00 kgCO₂e", "0.750", "0.500", "0.250", "0"]
    assert [tick.place for tick in plot.across] == [0, 100]


@given(st.floats(1e-9, 1e12))
def test_the_axis_ends_at_or_above_the_largest_and_below_three_times_it(largest: float) -> None:
    top = nice_top(largest)
    assert largest * (1 - 1e-6) <= top <= largest * 3


@given(st.lists(_MEASURE, min_size=1, max_size=20))
def test_bars_lie_within_their_axis_and_in_order(measures: list[dict[str, float]]) -> None:
    end = axis_end(measures)
    for measure in measures:
        bar = bar_of(measure, end)
        assert 0 <= bar.low <= bar.mid <= bar.high <= 100


def test_neighbours_whose_ranges_overlap_share_a_bracket() -> None:
    ranges: list[dict[str, float]] = [
        {"low": 8, "high": 12},
        {"low": 7, "high": 9},
        {"low": 3, "high": 4},
        {"low": 1, "high": 3.5},
        {"low": 0, "high": 0.5},
    ]
    assert told_apart(ranges) == [(0, 1), (2, 3)]
