"""How many requests a server decodes together, from how long its own requests took: open models on known hardware. Pure.

The time of a step rises with the batch, so the seconds that each further token of the answer took say what the batch was. Waiting
and the prompt are before the first token: they are in the line's beginning and not in its slope. For a closed model the
same seconds fit a small model in a large batch as well as a large one in a small batch, so nothing is learnt there.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from rice_stream.estimator.calibrated.method import CalibratedMethod
from rice_stream.estimator.method import Context, Requests
from rice_stream.estimator.spread import Z80
from rice_stream.quantities import Floats, Ints, Range

EVENTS_MIN = 1000
"""Requests of one kind below which their times are not used."""
OUTPUT_TOKENS_MIN = 32
"""Shorter answers say more about waiting than about decoding."""
SPEED_LOG_SD_MAX = 0.25
"""Scatter of the speeds (standard deviation of the logarithm) above which one batch does not explain them."""
LENGTHS_RATIO_MIN = 2.0
"""The longest tenth of the answers over the shortest tenth: below, waiting cannot be told from decoding."""
LAW_LOG_SD = 0.30
"""Error of the method's seconds for models it never saw: 15 to 30 % (docs/validation-calibrated.md)."""
OUTSIDE_LOG_MAX = 3 * LAW_LOG_SD
"""How far (logarithm) the observed speed may be from what any batch explains."""
_ALONE_MAX = 4.0
"""A batch of one is not among what a batch of more than this stands for."""
_BINS = 10
_BATCHES = 2.0 ** (np.arange(0, 41) / 4)
"""1 to 1,024, a quarter of a doubling apart."""
_QUARTILES_PER_SD = 1.349


@dataclass(frozen=True, slots=True)
class Timed:
    """Requests of one kind with their times, shape (n,) each. Only such as succeeded, and whose counts are known."""

    context: Context
    duration_s: Floats
    input_tokens: Ints
    output_tokens: Ints


class NotNarrowed(NamedTuple):
    """Why the times of one kind say nothing about its energy."""

    why: str


class Narrowed(NamedTuple):
    """What the times of one kind say."""

    batch_size: Range
    seconds_per_token: float
    """Of the slope: what each further token of an answer took."""
    waiting_s: float
    """Before the first token: queue, network and prompt."""
    speed_log_sd: float
    events: int
    factor_before: float
    """High end over low end of the 80 % range of IT energy, as the kind is estimated without its times."""
    factor_after: float


def unfit(*, open_model: bool, hardware_known: bool, batch_stated: bool) -> NotNarrowed | None:
    """Why a kind of request cannot be narrowed by its times, whatever they are; None: it may be."""
    if not open_model:
        return NotNarrowed(
            "the model's size is not public: the same speed fits a small model in a large batch and a large one in a small"
            " batch (docs/methodology.md), so its times narrow nothing"
        )
    if not hardware_known:
        return NotNarrowed(
            "the hardware is not known, and faster hardware looks like a smaller batch: state it on the events, or in"
            " serving_overrides"
        )
    if batch_stated:
        return NotNarrowed("its batch size is stated already, which says more than its times")
    return None


def narrowed(timed: Timed, method: CalibratedMethod) -> Narrowed | NotNarrowed:
    """The batch that explains the times, with what is left unknown; or why they say nothing."""
    use = (timed.output_tokens >= OUTPUT_TOKENS_MIN) & (timed.duration_s > 0.0)
    steps = timed.output_tokens[use].astype(np.float64) - 1.0
    seconds, inputs = timed.duration_s[use], timed.input_tokens[use]
    if len(steps) < EVENTS_MIN:
        return NotNarrowed(
            f"{len(steps):,} requests with a duration and at least {OUTPUT_TOKENS_MIN} output tokens; it takes {EVENTS_MIN:,}"
        )
    lengths, times = _medians(steps, seconds)
    if lengths[-1] < LENGTHS_RATIO_MIN * lengths[0]:
        return NotNarrowed("the answers are all about as long as each other: waiting cannot be told from decoding")
    slope, waiting_s = np.polyfit(lengths, times, 1).tolist()
    if waiting_s < 0.0:
        slope, waiting_s = float((lengths * times).sum() / (lengths * lengths).sum()), 0.0
    if slope <= 0.0:
        return NotNarrowed("longer answers did not take longer: these are no times of decoding")
    decoding = seconds - waiting_s
    speeds = np.log(steps[decoding > 0.0] / decoding[decoding > 0.0])
    scatter = float(np.subtract(*np.quantile(speeds, (0.75, 0.25)))) / _QUARTILES_PER_SD
    if scatter > SPEED_LOG_SD_MAX:
        return NotNarrowed(
            f"the speeds scatter too much (standard deviation of the logarithm {scatter:.2f}, at most {SPEED_LOG_SD_MAX}):"
            " one batch does not explain them, or waiting is in the middle of answers"
        )
    ends = (float(np.median(inputs)), float(lengths[0]), float(lengths[-1]))
    expected = np.log(_step_seconds(timed.context, method, *ends))
    observed = math.log(slope)
    if not expected.min() - OUTSIDE_LOG_MAX <= observed <= expected.max() + OUTSIDE_LOG_MAX:
        than = "faster than one request alone" if observed < expected.min() else "slower than any batch"
        return NotNarrowed(
            f"it is {than} would be on this hardware ({slope * 1000:.3g} ms a token): check hardware, devices and precision"
        )
    batch = _posterior(expected, observed, method.resolve(timed.context).serving.batch_size)
    if abs(float(expected[0]) - observed) <= LAW_LOG_SD and batch.low > _ALONE_MAX:
        return NotNarrowed(
            "the same speed fits one request at a time in a loop that waits for each kernel: state the batch size, or the profile"
        )
    before, after = (_factor(context, method) for context in (timed.context, with_batch(timed.context, batch, method)))
    if after >= before:
        return NotNarrowed(
            f"the time of a step hardly depends on the batch at this load: {batch.low:g} to {batch.high:g} requests together"
            f" explain {slope * 1000:.3g} ms a token, which is no narrower than what is assumed without it"
        )
    return Narrowed(batch, slope, waiting_s, scatter, len(steps), before, after)


def with_batch(context: Context, batch: Range, method: CalibratedMethod) -> Context:
    """The context with a profile of one's own that has this batch; everything else as it was served before."""
    served = method.resolve(context).serving
    profile = replace(
        method.profiles[next(iter(method.profiles))],
        hardware=served.hardware,
        batch_size=batch,
        precision=served.precision,
        idle_share=served.idle_share,
    )
    return replace(context, profile="own", own_profile=profile, hosting=None, list_price=None, price_ceiling=None)


def _medians(steps: Floats, seconds: Floats) -> tuple[Floats, Floats]:
    """Medians of length and time in tenths of the requests by length."""
    parts = np.array_split(np.argsort(steps, kind="stable"), _BINS)
    return np.array([np.median(steps[part]) for part in parts]), np.array([np.median(seconds[part]) for part in parts])


def _step_seconds(
    context: Context, method: CalibratedMethod, input_tokens: float, shortest: float, longest: float
) -> Floats:
    """Seconds of each further token of an answer, by the method, for each of _BATCHES."""
    contexts = [
        replace(context, batch_size=float(batch), hosting=None, list_price=None, price_ceiling=None)
        for batch in _BATCHES
    ]
    rows, tokens = np.arange(len(contexts)), round(input_tokens)

    def latency_s(steps: float) -> Floats:
        requests = Requests(
            context=rows,
            input_tokens=np.full(len(rows), tokens, dtype=np.int64),
            cache_read_input_tokens=np.zeros(len(rows), dtype=np.int64),
            output_tokens=np.full(len(rows), round(steps) + 1, dtype=np.int64),
            inference=np.ones(len(rows), dtype=np.bool_),
        )
        return method.estimate(method.coefficients(contexts), requests).latency_s

    found: Floats = (latency_s(longest) - latency_s(shortest)) / (round(longest) - round(shortest))
    return found


def _posterior(expected: Floats, observed: float, prior: Range) -> Range:
    """Low, middle and high (10, 50, 90 %) of the batch: what was believed before, times how well each batch explains the time.

    The slope itself is sure to a percent after a thousand requests; what is not is the law's seconds.
    """
    logs = np.log(_BATCHES)
    # A batch that is said exactly is as likely as its neighbours: the times are asked, not the guess.
    width = max(math.log(prior.high / prior.low) / (2.0 * Z80), 0.5)
    weight = -0.5 * ((logs - math.log(prior.mid)) / width) ** 2 - 0.5 * ((expected - observed) / LAW_LOG_SD) ** 2
    share = np.exp(weight - weight.max())
    cumulated = (np.cumsum(share) - 0.5 * share) / share.sum()
    low, mid, high = np.exp(np.interp((0.1, 0.5, 0.9), cumulated, logs)).tolist()
    return Range(_digits(low), _digits(mid), _digits(high))


def _factor(context: Context, method: CalibratedMethod) -> float:
    [kind] = method.kinds([context])
    if kind.spread is None:
        raise AssertionError("only the version of the method that gives spreads is calibrated")
    return math.exp(2.0 * Z80 * kind.spread.energy_log_sd)


def _digits(value: float) -> float:
    return max(1.0, float(f"{value:.3g}"))


def serving_settings(name: str, found: Sequence[tuple[Mapping[str, str], Context]]) -> str:
    """A part of a settings file: a profile for each kind and the override that uses it; the same values give the same text.

    Each kind is (its `provider`, `model` and `source`, its context with the profile that was found).
    """
    lines = ["# Made by `rice-stream calibrate --from-ledger`. Overrides are tried in their order: these come first."]
    for number, (said, context) in enumerate(found, start=1):
        own = context.own_profile
        if own is None:
            raise AssertionError("a narrowed kind has a profile of its own")
        batch, idle = own.batch_size, own.idle_share
        lines += [
            "",
            "[[serving_profiles]]",
            f"name = {_text(f'{name}-{number}')}",
            f"hardware = {_text(own.hardware)}",
            f"batch_size = [{batch.low:g}, {batch.mid:g}, {batch.high:g}]",
            f"precision = {_text(own.precision)}",
            f"idle_share = [{idle.low:g}, {idle.mid:g}, {idle.high:g}]",
            f"source = {_text(said['source'])}",
            "",
            "[[serving_overrides]]",
            *([f"provider = {_text(said['provider'])}"] if said["provider"] else []),
            f"model = {_text(said['model'])}",
            f"profile = {_text(f'{name}-{number}')}",
            f"hardware = {_text(own.hardware)}",
            *([f"devices = {context.devices:g}"] if context.devices is not None else []),
        ]
    return "\n".join(lines) + "\n"


def _text(value: str) -> str:
    """A TOML string: JSON's escapes are TOML's."""
    return json.dumps(value, ensure_ascii=False)
