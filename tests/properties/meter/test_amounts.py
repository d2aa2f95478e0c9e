"""Totals are exact whatever the order, the spread of the keys or the cut into batches; ranges stay ordered."""

from collections import defaultdict
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rice_stream.basis import Basis
from rice_stream.estimator.method import Estimates
from rice_stream.instants import MINUTE_S, SLOT_S
from rice_stream.meter.amounts import (
    AMOUNT_MAX,
    ROWS_MAX,
    Totals,
    amounts,
    cap_flags,
    exact_sums,
    floor_to,
    measure_matrix,
    roll_up,
)
from rice_stream.quantities import IMPACT_COLUMNS, MEASURES, MICRO, Floats, Ints
from rice_stream.store.record_columns import TOKEN_COLUMNS
from tests.support.site_columns import site_columns

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
key_values = st.one_of(
    st.integers(0, 3),
    st.integers(INT64_MIN, INT64_MAX),
    st.sampled_from([INT64_MIN, -1, 0, 1, 2**31, 2**62, INT64_MAX]),
)
Row = tuple[tuple[int, ...], tuple[int, ...]]


@st.composite
def tables(draw: st.DrawFn) -> list[Row]:
    """Rows of (keys, measures): one to five key columns, two measures."""
    width = draw(st.integers(1, 5))
    keys = st.tuples(*[key_values] * width)
    pool = draw(st.lists(keys, min_size=1, max_size=6))
    measures = st.tuples(st.integers(0, 2**40), st.integers(-(2**40), 2**40))
    return draw(st.lists(st.tuples(st.sampled_from(pool) | keys, measures), min_size=1, max_size=30))


def rolled(rows: list[Row]) -> Totals:
    keys = [np.array(column, dtype=np.int64) for column in zip(*(keys for keys, _ in rows), strict=True)]
    return roll_up(keys, np.array([measures for _, measures in rows], dtype=np.int64))


def as_dict(totals: Totals) -> dict[tuple[int, ...], tuple[int, ...]]:
    pairs = zip(totals.keys.tolist(), totals.sums.tolist(), strict=True)
    return {tuple(keys): tuple(sums) for keys, sums in pairs}


def naive(rows: list[Row]) -> dict[tuple[int, ...], tuple[int, ...]]:
    """Sums with Python's own integers."""
    sums: dict[tuple[int, ...], list[int]] = defaultdict(lambda: [0, 0])
    for keys, measures in rows:
        for k, value in enumerate(measures):
            sums[keys][k] += value
    return {keys: tuple(values) for keys, values in sums.items()}


@settings(deadline=None, max_examples=200)
@given(tables())
@example([((INT64_MIN, INT64_MAX), (1, 1)), ((INT64_MAX, INT64_MIN), (2, 2)), ((INT64_MIN, INT64_MAX), (4, 4))])
@example([((k % 7, 2**61 * (k % 2), k % 3), (k, -k)) for k in range(30)])
def test_roll_up_equals_a_naive_sum_and_is_in_key_order(rows: list[Row]) -> None:
    totals = rolled(rows)
    assert as_dict(totals) == naive(rows)
    assert len(totals) == len(naive(rows))
    keys = [tuple(row) for row in totals.keys.tolist()]
    assert all(a < b for a, b in pairwise(keys)), "writers take locks in this order"


@settings(deadline=None, max_examples=100)
@given(tables(), st.randoms(use_true_random=False), st.data())
def test_order_and_cut_do_not_change_a_total(rows: list[Row], random: object, data: st.DataObject) -> None:
    """The same rows shuffled, and added up in two batches instead of one, give equal sums."""
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert as_dict(rolled(shuffled)) == as_dict(rolled(rows))
    cut = data.draw(st.integers(0, len(rows)))
    sums: dict[tuple[int, ...], list[int]] = defaultdict(lambda: [0, 0])
    for part in (shuffled[:cut], shuffled[cut:]):
        if part:
            for keys, values in as_dict(rolled(part)).items():
                sums[keys] = [a + b for a, b in zip(sums[keys], values, strict=True)]
    assert {keys: tuple(values) for keys, values in sums.items()} == naive(rows)


def test_nothing_rolls_up_to_nothing() -> None:
    totals = roll_up([np.empty(0, np.int64)] * 3, np.empty((0, 4), np.int64))
    assert totals.keys.shape == (0, 3)
    assert totals.sums.shape == (0, 4)


def estimates(it_low: Floats, it_mid: Floats, it_high: Floats) -> Estimates:
    zeros = np.zeros(len(it_mid))
    return Estimates(
        prefill_j=zeros,
        decode_j=zeros,
        gpu_energy_j=zeros,
        gpu_energy_j_low=zeros,
        gpu_energy_j_high=zeros,
        it_energy_wh_low=it_low,
        it_energy_wh=it_mid,
        it_energy_wh_high=it_high,
        latency_s=zeros,
        flags=np.zeros(len(it_mid), dtype=np.int32),
    )


wh = st.floats(0, 1e18, allow_subnormal=False)
three_wh = st.tuples(wh, wh, wh).map(sorted)
rci = st.floats(0, 2000, allow_subnormal=False)
three_rci = st.tuples(rci, rci, rci).map(sorted)
flag_values = st.sampled_from([0, int(Basis.INPUT_TOKENS_MISSING), int(Basis.OUTPUT_TOKENS_MISSING), 3, 4])


@settings(deadline=None)
@given(st.lists(st.tuples(three_wh, three_rci, st.floats(1, 3), flag_values), min_size=1, max_size=20))
def test_low_mid_high_stay_ordered_after_rounding(
    rows: list[tuple[list[float], list[float], float, int]],
) -> None:
    it = np.array([row[0] for row in rows])
    grid = np.array([row[1] for row in rows])
    of = amounts(
        estimates(it[:, 0], it[:, 1], it[:, 2]),
        site_columns(np.array([row[2] for row in rows]), grid[:, 0], grid[:, 1], grid[:, 2]),
        flags=np.array([row[3] for row in rows], dtype=np.int32),
    )
    assert (of.carbon_low_ugco2e <= of.carbon_mid_ugco2e).all()
    assert (of.carbon_mid_ugco2e <= of.carbon_high_ugco2e).all()
    assert (of.carbon_low_ugco2e >= 0).all()
    assert (of.facility_energy_uwh >= of.it_energy_uwh).all(), "PUE is at least 1"


def one(value: float) -> Floats:
    return np.array([value])


def test_pue_is_applied_once_to_energy_and_once_to_carbon() -> None:
    """By hand: 2 Wh of IT energy x PUE 1.5 = 3 Wh; 3 Wh x 400 g/kWh = 1.2 g; the range 1..4 Wh and 300..500 g/kWh
    gives 1 x 1.5 x 0.3 = 0.45 g and 4 x 1.5 x 0.5 = 3 g."""
    of = amounts(
        estimates(one(1.0), one(2.0), one(4.0)),
        site_columns(one(1.5), one(300.0), one(400.0), one(500.0)),
        flags=np.zeros(1, dtype=np.int32),
    )
    assert of.it_energy_uwh.tolist() == [2_000_000]
    assert of.facility_energy_uwh.tolist() == [3_000_000]
    assert of.carbon_low_ugco2e.tolist() == [450_000]
    assert of.carbon_mid_ugco2e.tolist() == [1_200_000]
    assert of.carbon_high_ugco2e.tolist() == [3_000_000]


def test_unknown_tokens_widen_the_range_tenfold_and_leave_the_middle() -> None:
    """By hand, with a PUE of 1 and 1,000 g/kWh: 1..2..4 Wh become 0.1..2..40 g."""
    for flag in (Basis.INPUT_TOKENS_MISSING, Basis.OUTPUT_TOKENS_MISSING):
        of = amounts(
            estimates(one(1.0), one(2.0), one(4.0)),
            site_columns(one(1.0), one(1000.0), one(1000.0), one(1000.0)),
            flags=np.array([flag], dtype=np.int32),
        )
        assert of.carbon_low_ugco2e.tolist() == [100_000]
        assert of.carbon_mid_ugco2e.tolist() == [2_000_000]
        assert of.carbon_high_ugco2e.tolist() == [40_000_000]


def test_a_nonsensical_estimate_is_bounded_and_never_wraps_around() -> None:
    """10^15 Wh for one prompt would be beyond 64 bits of micrograms; a million such prompts still fit a total."""
    of = amounts(
        estimates(np.array([1e14, 1.0]), np.array([1e15, 2.0]), np.array([np.inf, 3.0])),
        site_columns(
            np.array([3.0, 1.0]), np.array([2000.0, 1000.0]), np.array([2000.0, 1000.0]), np.array([2000.0, 1000.0])
        ),
        flags=np.zeros(2, dtype=np.int32),
    )
    for column in (of.it_energy_uwh, of.facility_energy_uwh, of.carbon_low_ugco2e, of.carbon_high_ugco2e):
        assert column[0] == AMOUNT_MAX
    assert of.carbon_mid_ugco2e.tolist() == [AMOUNT_MAX, 2_000_000], "its neighbour is as it was"
    assert cap_flags(of).tolist() == [Basis.AMOUNT_CAPPED, 0]


def test_sums_of_a_batch_are_exact_or_refused_and_never_wrap_around() -> None:
    """As many prompts at the cap as fit 64 bits; one more is an error."""
    assert ROWS_MAX == 922_337
    key = np.zeros(ROWS_MAX, dtype=np.int64)
    assert roll_up([key], np.full((ROWS_MAX, 1), AMOUNT_MAX, dtype=np.int64)).sums.tolist() == [[ROWS_MAX * AMOUNT_MAX]]
    more = np.full((ROWS_MAX + 1, 1), AMOUNT_MAX, dtype=np.int64)
    with pytest.raises(OverflowError, match="922,338 rows at once"):
        roll_up([np.append(key, 0)], more)
    assert exact_sums(more) == [(ROWS_MAX + 1) * AMOUNT_MAX]
    assert roll_up([np.append(key, 0)], more // 10**12).sums.tolist() == [[(ROWS_MAX + 1) * 10]]


def test_a_row_of_totals_has_room_for_the_highest_throughput_all_through_a_month() -> None:
    """72,000 events a second of one tenant, all alike: 47 g and 47 million tokens of each, which docs/accounting.md says."""
    events = 72_000 * 86_400 * 31
    assert INT64_MAX // events // MICRO == 47


def test_unknown_tokens_add_nothing_to_token_totals_and_every_prompt_counts_one() -> None:
    def column(*values: int) -> Ints:
        return np.array(values, dtype=np.int64)

    of = amounts(
        estimates(np.array([1.0, 1.0]), np.array([1.0, 1.0]), np.array([1.0, 1.0])),
        site_columns(np.ones(2), np.ones(2), np.ones(2), np.ones(2)),
        flags=np.zeros(2, dtype=np.int32),
    )
    matrix = measure_matrix(
        input_tokens=column(-1, 7),
        cache_read_input_tokens=column(-1, 2),
        cache_write_input_tokens=column(-1, 1),
        output_tokens=column(5, -1),
        reasoning_output_tokens=column(3, -1),
        amounts=of,
        impacts={"embodied_ugco2e": column(-1, 40), "water_ul": column(-1, 9)},
    )
    sums = dict(zip(MEASURES, matrix.sum(axis=0).tolist(), strict=True))
    assert sums["prompts"] == 2
    assert (sums["input_tokens"], sums["cache_read_input_tokens"], sums["cache_write_input_tokens"]) == (7, 2, 1)
    assert (sums["output_tokens"], sums["reasoning_output_tokens"]) == (5, 3)
    assert sums["it_energy_uwh"] == 2 * MICRO
    assert (sums["impact_prompts"], sums["embodied_ugco2e"], sums["water_ul"]) == (1, 40, 9)
    assert sums["carbon_market_ugco2e"] == sums["carbon_mid_ugco2e"]
    tokens = dict.fromkeys(TOKEN_COLUMNS, column(0, 0))
    impacts = dict.fromkeys(IMPACT_COLUMNS, column(0, 0))
    market = measure_matrix(amounts=of, impacts=impacts, carbon_market_ugco2e=column(-1, 0), **tokens)
    assert market[:, MEASURES.index("carbon_market_ugco2e")].tolist() == [of.carbon_mid_ugco2e[0], 0]


@given(st.lists(st.integers(0, 4_102_444_800 * MICRO), min_size=1), st.sampled_from([MINUTE_S, SLOT_S, 3600]))
def test_a_bucket_holds_its_times_and_starts_on_its_grid(times_us: list[int], bucket_s: int) -> None:
    starts = floor_to(np.array(times_us, dtype=np.int64), bucket_s).tolist()
    for time_us, start_s in zip(times_us, starts, strict=True):
        assert start_s % bucket_s == 0
        assert start_s * MICRO <= time_us < (start_s + bucket_s) * MICRO
