"""Shapes of charts: where things stand, by hand and by property."""

from hypothesis import given
from hypothesis import strategies as st

from rice_stream.api.console.drawing.bars import axis_end, bar_of
from rice_stream.api.console.drawing.plots import Point, nice_top, plot_of
from rice_stream.api.console.drawing.stacks import stacks_of

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


def test_stacked_bars_are_as_high_as_their_sums_and_hatched_where_time_is_not_over() -> None:
    """On an axis that holds the ends of the ranges as well."""
    drawn = stacks_of(
        [("s1", "a", [1.0, 0.0, 3.0]), ("other", "Other (2)", [2.0, 0.0, 1.0])],
        "carbon",
        [(0, "1 Nov"), (2, "3 Nov")],
        incomplete=[2],
        ranges=[(2.0, 5.0), None, (3.0, 4.5)],
    )
    assert [series.bars.count("M") for series in drawn.series] == [1, 1]
    assert [len(series.hatched) for series in drawn.series] == [1, 1]
    lower, upper = (series.hatched[0] for series in drawn.series)
    assert (lower.height, upper.height) == (60.0, 20.0)
    assert (lower.y, upper.y) == (40.0, 20.0)
    assert drawn.up[0].text == "5.00 gCO₂e"
    assert drawn.ranges.count("V") == 2
    assert [tick.place for tick in drawn.across] == [16.67, 83.33]


def test_stacks_of_nothing_are_an_empty_chart() -> None:
    drawn = stacks_of([], "count", [])
    assert (drawn.series, drawn.ranges, drawn.across) == ([], "", [])
