"""The batch of open models on known hardware from the times of their answers: found where times say it, else refused."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from rice_stream.estimator.calibrated.method import CalibratedMethod
from rice_stream.estimator.loading import load_calibrated
from rice_stream.estimator.method import Context, Requests
from rice_stream.meter.duration_calibration import (
    EVENTS_MIN,
    Narrowed,
    NotNarrowed,
    Timed,
    narrowed,
    serving_settings,
    unfit,
    with_batch,
)
from rice_stream.meter.estimator_at import Estimator
from rice_stream.meter.factors import FactorPolicy
from rice_stream.meter.service_key import ServiceKey
from rice_stream.meter.serving_overrides import parse_overrides, parse_profiles
from rice_stream.reference.loader import load_reference
from tests.support.docs_reading import rows, section, text_of


@cache
def method() -> CalibratedMethod:
    return load_calibrated()


def context(model: str = "llama-3.1-70b", hardware: str = "H100", devices: float = 4) -> Context:
    estimator = Estimator(load_reference(None), FactorPolicy(), method()).at(0)
    return estimator.factors(ServiceKey(None, model, None, "FR", hardware=hardware, devices=devices)).context


def timed(
    of: Context,
    batch: float,
    *,
    events: int = 4_000,
    scatter: float = 0.15,
    wait_s: float = 0.3,
    seed: int = 1,
    **cut: Any,
) -> Timed:
    """Requests that the law itself times at this batch, with scatter and waiting before the first token."""
    random = np.random.default_rng(seed)
    shortest, longest = cut.get("output_tokens", (32, 900))
    outputs = random.integers(shortest, longest, events)
    inputs = random.integers(100, 2_000, events)
    requests = Requests(
        context=np.zeros(events, dtype=np.intp),
        input_tokens=inputs,
        cache_read_input_tokens=np.zeros(events, dtype=np.int64),
        output_tokens=outputs,
        inference=np.ones(events, dtype=np.bool_),
    )
    latency_s = method().estimate(method().coefficients([replace(of, batch_size=batch)]), requests).latency_s
    return Timed(
        of,
        latency_s * np.exp(random.normal(0, scatter, events)) + random.exponential(wait_s, events),
        inputs,
        outputs,
    )


@pytest.mark.parametrize(
    ("model", "hardware", "devices", "batch", "after_at_most"),
    [
        ("llama-3.1-70b", "H100", 4, 128, 5.0),
        ("llama-3.1-70b", "H100", 4, 512, 3.0),
        ("llama-3.1-8b", "H100", 1, 128, 3.5),
        ("deepseek-v3", "H200", 8, 32, 7.0),
    ],
)
def test_a_batch_that_times_can_tell_is_found(
    model: str, hardware: str, devices: float, batch: float, after_at_most: float
) -> None:
    """The true one is within the range that is found; the energy's range gets narrower."""
    found = narrowed(timed(context(model, hardware, devices), batch), method())
    assert isinstance(found, Narrowed), found
    assert found.batch_size.low <= batch <= found.batch_size.high
    assert found.factor_after < found.factor_before
    assert found.factor_after <= after_at_most
    assert found.events == 4_000


def test_the_documented_narrowing_is_about_true() -> None:
    """docs/methodology.md shows what times that the law itself made would narrow; a new fit of the law moves it a little."""
    documented = list(rows(section(text_of("docs/methodology.md"), "### Batches from recorded durations")))
    assert len(documented) == 5
    for where, batch, before, after in documented:
        model, _, machine = where.partition(", ")
        hardware = machine.rpartition(" ")[2]
        devices = float(machine.partition(" x ")[0]) if " x " in machine else 1.0
        found = narrowed(timed(context(model, hardware, devices), float(batch)), method())
        if after.startswith("not narrowed"):
            assert isinstance(found, NotNarrowed)
        else:
            assert isinstance(found, Narrowed)
            assert (found.factor_before, found.factor_after) == pytest.approx((float(before), float(after)), rel=0.3)


def test_waiting_is_not_taken_for_a_large_batch() -> None:
    """Ten times the queue, the same batch."""
    short, long = (narrowed(timed(context(), 512, wait_s=wait_s), method()) for wait_s in (0.1, 3.0))
    assert isinstance(short, Narrowed)
    assert isinstance(long, Narrowed)
    assert long.batch_size.mid == pytest.approx(short.batch_size.mid, rel=0.15)
    assert long.waiting_s > short.waiting_s


def test_a_batch_that_times_cannot_tell_is_refused() -> None:
    """On an idle server a step takes as long for one request as for ten."""
    found = narrowed(timed(context(), 2), method())
    assert isinstance(found, NotNarrowed)
    assert "hardly depends on the batch" in found.why


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"events": EVENTS_MIN - 1}, "it takes 1,000"),
        ({"scatter": 0.5, "wait_s": 0.01}, "scatter too much"),
        ({"output_tokens": (300, 340)}, "as long as each other"),
        ({"output_tokens": (1, 20)}, "0 requests"),
    ],
)
def test_times_that_say_nothing_are_refused(changes: dict[str, Any], why: str) -> None:
    """Each with the sentence that says why."""
    found = narrowed(timed(context(), 256, **changes), method())
    assert isinstance(found, NotNarrowed)
    assert why in found.why


@pytest.mark.parametrize(("factor", "why"), [(0.05, "faster than one request alone"), (100.0, "slower than any batch")])
def test_a_speed_that_no_batch_explains_is_refused(factor: float, why: str) -> None:
    """The hardware is another one."""
    one = timed(context(), 64, scatter=0.05)
    found = narrowed(replace(one, duration_s=one.duration_s * factor), method())
    assert isinstance(found, NotNarrowed)
    assert why in found.why


def test_what_an_eager_loop_explains_as_well_is_refused() -> None:
    """One request at a time in a loop that waits for each kernel takes as long a step as a large batch in a server."""
    found = narrowed(timed(context("qwen3-32b", "A100-80GB", 2), 1), method())
    assert isinstance(found, NotNarrowed)


def test_closed_models_unknown_hardware_and_stated_batches_are_refused() -> None:
    """Whatever their times."""
    plain = {"open_model": True, "hardware_known": True, "batch_stated": False}
    assert unfit(**plain) is None
    for change, why in (
        ({"open_model": False}, "size is not public"),
        ({"hardware_known": False}, "hardware is not known"),
        ({"batch_stated": True}, "stated already"),
    ):
        refused = unfit(**{**plain, **change})
        assert refused is not None
        assert why in refused.why


def test_the_settings_that_are_written_give_the_range_that_was_found() -> None:
    """Read back as the operator's own, they make a context with that batch; the text is the same for the same values."""
    import tomllib

    found = narrowed(timed(context(), 512), method())
    assert isinstance(found, Narrowed)
    own = with_batch(context(), found.batch_size, method())
    said = {"provider": "vllm", "model": "llama-3.1-70b", "source": 'the "pool"'}
    text = serving_settings("pool", [(said, own)])
    assert text == serving_settings("pool", [(said, own)])
    written = tomllib.loads(text)
    policy = FactorPolicy(
        profiles=parse_profiles(written["serving_profiles"]), overrides=parse_overrides(written["serving_overrides"])
    )
    estimator = Estimator(load_reference(None), policy, method()).at(0)
    use = estimator.factors(ServiceKey("vllm", "llama-3.1-70b", None, "FR"))
    assert use.context.hardware_known
    assert use.context.devices == 4
    assert method().resolve(use.context).serving.batch_size == found.batch_size
    assert use.spread is not None
    [kind] = method().kinds([own])
    assert kind.spread is not None
    assert use.spread.energy_log_sd == pytest.approx(kind.spread.energy_log_sd, rel=1e-6)
