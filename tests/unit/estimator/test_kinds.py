"""What every method says of a context comes from one call, and is the same as the parts that can be asked for alone."""

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from rice_stream.estimator.calibrated import method as calibrated
from rice_stream.estimator.calibrated.per_request import CHUNK
from rice_stream.estimator.calibrated.setup import resolve
from rice_stream.estimator.method import Context, Estimates, Requests
from rice_stream.estimator.registry import METHOD_NAMES, load_method
from rice_stream.quantities import ListPrice, Range

PRICE = ListPrice(2.5, 1.25, 10.0)


def contexts() -> list[Context]:
    """Dense and sparse, on known hardware and on nobody knows what, and hosted with a fitted row, by price and by profile."""
    size = Range(50.0, 70.6, 90.0)
    plain = Context(size, size)
    hosted = replace(plain, hosting="hosted_scale", provider="openai", pue=1.2, list_price=PRICE, price_ceiling=PRICE)
    return [
        plain,
        Context(Range.exact(235.0), Range.exact(22.0), profile="throughput"),
        replace(plain, hardware="H200", hardware_known=True, batch_size=32.0, devices=4.0),
        replace(hosted, model_id="gpt-4o", family="gpt-4o"),
        replace(hosted, model_known=False),
        replace(hosted, list_price=None),
        hosted,
    ]


def requests(rows: list[int], *, seed: int = 7) -> Requests:
    rng, count = np.random.default_rng(seed), len(rows)
    inputs = rng.integers(0, 90_000, count)
    return Requests(
        context=np.array(rows, dtype=np.intp),
        input_tokens=inputs,
        cache_read_input_tokens=np.where(rng.random(count) < 0.3, inputs // 2, 0),
        output_tokens=rng.integers(0, 4_000, count),
        inference=rng.random(count) > 0.1,
    )


def columns(found: Estimates) -> np.ndarray:
    return np.stack([getattr(found, name) for name in Estimates.__dataclass_fields__])


@pytest.mark.parametrize("name", METHOD_NAMES)
def test_a_kind_is_the_same_alone_and_among_others(name: str) -> None:
    """To the last bit, coefficients included; `coefficients` gives the same rows."""
    method = load_method(name)
    together = method.kinds(contexts())
    assert np.array_equal(np.stack([kind.coefficients for kind in together]), method.coefficients(contexts()))
    for context, kind in zip(contexts(), together, strict=True):
        [alone] = method.kinds([context])
        assert np.array_equal(alone.coefficients, kind.coefficients)
        assert replace(alone, coefficients=kind.coefficients) == kind
        assert kind.context == context
        assert kind.devices > 0


@pytest.mark.parametrize("name", METHOD_NAMES)
def test_a_kind_cannot_be_changed(name: str) -> None:
    [kind, *_] = load_method(name).kinds(contexts())
    with pytest.raises(FrozenInstanceError):
        kind.devices = 2.0  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        kind.coefficients[0] = 1.0


@pytest.mark.parametrize("name", METHOD_NAMES)
def test_no_contexts_are_no_kinds(name: str) -> None:
    method = load_method(name)
    assert method.kinds([]) == []
    assert method.coefficients([]).shape == (0, method.coefficients(contexts()[:1]).shape[1])


@pytest.mark.parametrize("name", METHOD_NAMES)
def test_what_the_method_takes_itself_has_a_source(name: str) -> None:
    """Where the hardware is known, nothing about the serving is taken from elsewhere; the paper's device is the paper's."""
    for kind in load_method(name).kinds(contexts()):
        taken = not kind.context.hardware_known and name != "rice-paper"
        assert set(kind.sources) == ({"serving"} if taken else set())
        assert kind.served_as.hardware == "H200" or not kind.context.hardware_known


def test_routes_and_sources_of_hosted_models_go_together() -> None:
    kinds = load_method("rice-calibrated").kinds(contexts())
    routes = [kind.route for kind in kinds]
    assert routes == [
        *("assumed", "known_serving", "known_serving"),
        *("hosted_posterior", "price", "assumed", "hosted_posterior"),
    ]
    assert kinds[3].sources["serving"].startswith("hosted.csv of ")
    assert all("DeepSeek" in kind.sources["serving"] for kind in kinds[4:])
    spreads = [kind.spread for kind in kinds]
    assert all(spread is not None and spread.log_sd > 0.0 for spread in spreads)


@pytest.mark.parametrize("name", ["rice-calibrated", "rice-calibrated-1"])
def test_a_context_is_resolved_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Route, devices, serving, spread and coefficients come from the same resolution."""
    asked: list[Context] = []

    def counting(context: Context, *artefacts: object) -> object:
        asked.append(context)
        return resolve(context, *artefacts)  # type: ignore[arg-type]

    method = load_method(name)
    monkeypatch.setattr(calibrated, "resolve", counting)
    method.kinds(contexts())
    assert asked == contexts()


@pytest.mark.parametrize("name", METHOD_NAMES)
def test_a_request_is_estimated_alike_alone_and_among_many(name: str) -> None:
    """To the last bit: more requests than are taken at a time, more contexts than requests, and one context for all."""
    method, count = load_method(name), 2 * CHUNK + 3
    matrix = method.coefficients(contexts())
    many = requests([row % len(matrix) for row in range(count)])
    found = method.estimate(matrix, many)
    impacts = method.impacts(matrix, many, found, np.full(count, 1.2))
    for place in (0, 1, 5, CHUNK - 1, CHUNK, 2 * CHUNK + 2):
        fields = ("input_tokens", "cache_read_input_tokens", "output_tokens", "inference")
        one = Requests(many.context[[place]], *(getattr(many, field)[[place]] for field in fields))
        row = matrix[one.context]
        alone, lone = method.estimate(matrix, one), replace(one, context=np.zeros(1, dtype=np.intp))
        assert np.array_equal(columns(alone)[:, 0], columns(found)[:, place])
        assert np.array_equal(columns(method.estimate(row, lone)), columns(alone))
        if impacts is not None:
            beside = method.impacts(row, lone, alone, np.full(1, 1.2))
            assert beside is not None
            assert beside.embodied_gco2e.mid[0] == impacts.embodied_gco2e.mid[place]
            assert beside.water_l.high[0] == impacts.water_l.high[place]


@pytest.mark.parametrize("name", METHOD_NAMES)
def test_nothing_asked_is_nothing_estimated(name: str) -> None:
    method = load_method(name)
    for kinds in ([], contexts()):
        assert columns(method.estimate(method.coefficients(kinds), requests([]))).shape[1] == 0
