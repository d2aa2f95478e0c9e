"""Events, tables and a method made for tests: small round numbers that are exact in binary, worked out by hand here.

With these, a request of `i` input and `o` output tokens costs `(i + 2 o)` x 1/4 Wh of IT energy, x 1.25 (PUE) of facility
energy, x 400 gCO2e/kWh: 312,500 uWh and 125,000 ugCO2e per weighted token. Low and high are half and twice as much.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any, cast

import numpy as np
from sqlalchemy import Engine

from rice_stream.estimator.method import Context, Estimates, KindFigures, Method, Requests, ServedAs, Step
from rice_stream.events.records import RawRecord
from rice_stream.meter.estimator_at import Estimator
from rice_stream.meter.factors import FactorPolicy
from rice_stream.meter.requests import TokenDefaults
from rice_stream.pipeline.chunks import Chunk
from rice_stream.pipeline.pipeline import Pipeline
from rice_stream.quantities import Floats, Range
from rice_stream.reference.lookup import Reference
from rice_stream.reference.types import HardwareFactor, ModelFactor, PueFactor, RegionFactor
from rice_stream.store.audit import Actor
from rice_stream.store.dimensions import Dimensions
from rice_stream.store.identity_rules import RulesAt, default_rules
from rice_stream.store.writer import Writer

IT_WH_PER_TOKEN = 0.25
PUE = 1.25
RCI_GCO2E_PER_KWH = 400.0
IT_UWH_PER_TOKEN = 250_000
FACILITY_UWH_PER_TOKEN = 312_500
CARBON_UGCO2E_PER_TOKEN = 125_000
DEFAULT_INPUT_TOKENS, DEFAULT_OUTPUT_TOKENS = 100, 10
TOKEN_DEFAULTS = TokenDefaults(DEFAULT_INPUT_TOKENS, DEFAULT_OUTPUT_TOKENS)
NOON_US = 1_795_348_800_000_000
"""2026-11-22T12:00:00Z in epoch microseconds."""
OPERATOR = Actor("command line", "operator")
"""Who makes the changes of tests, for the audit trail."""


def event(**changes: Any) -> dict[str, Any]:
    """A plain canonical event of 10 input and 5 output tokens (20 weighted); a change to `...` leaves the field out."""
    fields = {
        "schema_version": "1",
        "event_id": "e-1",
        "started_at": "2026-11-22T11:59:58.500Z",
        "ended_at": "2026-11-22T12:00:00Z",
        "tenant_id": "acme",
        "team_id": "search",
        "request_model": "small",
        "input_tokens": 10,
        "output_tokens": 5,
        **changes,
    }
    return {name: value for name, value in fields.items() if value is not ...}


def value_of(payload: object) -> bytes:
    """The payload as JSON bytes."""
    return json.dumps(payload).encode()


def records_of(payloads: Iterable[object], *, partition: int = 0, offset: int = 0) -> list[RawRecord]:
    """Payloads (bytes as they are, None for a tombstone, anything else as JSON) as consecutive records."""
    return [
        RawRecord("events", partition, offset + k, p if isinstance(p, bytes) or p is None else value_of(p))
        for k, p in enumerate(payloads)
    ]


def chunk_of(payloads: Iterable[object], *, partition: int = 0, offset: int = 0) -> Chunk:
    """The payloads as a fetched chunk of one partition."""
    return Chunk("events", partition, records_of(payloads, partition=partition, offset=offset))


def weighted_tokens(fields: dict[str, Any]) -> int:
    """What the fake method multiplies: input plus twice the output; nothing for an answer from a gateway's cache."""
    if fields.get("gateway_cache_hit"):
        return 0
    failed = fields.get("status") == "error"
    inputs, outputs = fields.get("input_tokens"), fields.get("output_tokens")
    inputs = (0 if failed else DEFAULT_INPUT_TOKENS) if inputs is None else inputs
    outputs = (0 if failed else DEFAULT_OUTPUT_TOKENS) if outputs is None else outputs
    return int(inputs + 2 * outputs)


class FakeMethod(Method):
    """Energy in proportion to tokens; one coefficient a context, so a mixed-up context shows in the sums."""

    name = "fake"
    version = "fake-1"

    def kinds(self, contexts: Sequence[Context]) -> list[KindFigures]:
        rows = zip(contexts, self.coefficients(contexts), strict=True)
        return [KindFigures(one, row, "assumed", ServedAs(one.hardware, 1.0, "fp16"), devices=1.0) for one, row in rows]

    def coefficients(self, contexts: Sequence[Context]) -> Floats:
        return np.array([[context.params_active_b.mid * IT_WH_PER_TOKEN] for context in contexts]).reshape(-1, 1)

    def estimate(self, coefficients: Floats, requests: Requests) -> Estimates:
        tokens = (requests.input_tokens + 2 * requests.output_tokens) * requests.inference
        it_energy_wh = tokens * coefficients[requests.context, 0]
        joules = it_energy_wh * 3600
        return Estimates(
            prefill_j=joules / 2,
            decode_j=joules / 2,
            gpu_energy_j=joules,
            gpu_energy_j_low=joules / 2,
            gpu_energy_j_high=joules * 2,
            it_energy_wh_low=it_energy_wh / 2,
            it_energy_wh=it_energy_wh,
            it_energy_wh_high=it_energy_wh * 2,
            latency_s=it_energy_wh,
            flags=np.zeros(len(tokens), dtype=np.int32),
        )

    def explain(self, context: Context, request: Requests) -> list[Step]:
        matrix = self.coefficients([context])
        value = float(self.estimate(matrix, request).it_energy_wh[0])
        return [Step("it_energy_wh", "in proportion to tokens", value, "Wh", "a fake")]


class FakeReference:
    """Every model has 1 billion parameters except `big` (3), every region 400 gCO2e/kWh and a PUE of 1.25."""

    version = "factors-1"
    set_digests = ()
    hourly = False

    def __init__(self, boundaries_us: Sequence[int] = ()) -> None:
        self.boundaries_us = tuple(boundaries_us)

    def resolve_model(
        self, _provider: str | None, request_model: str | None, response_model: str | None, _at_us: int
    ) -> ModelFactor:
        name = response_model or request_model or ""
        size_b = Range.exact(3.0 if name == "big" else 1.0)
        return ModelFactor(
            model_id=f"resolved/{name}",
            params_total_b=size_b,
            params_active_b=size_b,
            kv_bytes_per_token=None,
            precision=None,
            rung="exact",
            source="test",
        )

    def resolve_region(
        self,
        inference_region: str | None,
        _provider: str | None,
        scope: str,
        _at_us: int,
        *,
        default_region: str | None = None,
        vendor: str | None = None,
    ) -> RegionFactor:
        region = inference_region or default_region or "world"
        rung = "region" if inference_region else "world"
        return RegionFactor(
            region_id=region,
            rci_gco2e_per_kwh=Range.exact(RCI_GCO2E_PER_KWH),
            rung=rung,
            scope=scope,
            year=2025,
            source="test",
            licence="none",
        )

    def resolve_pue(
        self,
        _region_id: str,
        _provider: str | None,
        _at_us: int,
        *,
        default: float | None,
        vendor: str | None = None,
        hosted: bool = False,
    ) -> PueFactor:
        assert default is None or default > 1
        return PueFactor(pue=PUE, rung="region", source="test")

    def resolve_market(self, *_names: object) -> None:
        return None

    def resolve_price(self, *_names: object) -> None:
        return None

    def resolve_host(self, *_names: object) -> None:
        return None

    def resolve_hardware(self, name: str | None) -> HardwareFactor:
        return HardwareFactor(
            hardware=name or "A100-80GB",
            known=name is not None,
            rung="exact" if name else "default",
            vendor="test",
            tdp_w=400.0,
            tdp_published=True,
            memory_gb=80.0,
            memory_bandwidth_gb_s=2000.0,
            peak_tflops_fp16=312.0,
            peak_tflops_fp8=None,
            peak_tops_int8=None,
            peak_tflops_fp4=None,
            idle_w=None,
            embodied_kgco2e=None,
            embodied_source=None,
            source="test",
        )


def fake_reference(boundaries_us: Sequence[int] = ()) -> Reference:
    """`FakeReference` where a Reference is asked for."""
    return cast(Reference, FakeReference(boundaries_us))


def fake_pipeline(
    writer: Writer, engine: Engine, *, reference: Reference | None = None, rules: RulesAt = default_rules
) -> Pipeline:
    """A pipeline on the fake tables and method that writes with `writer`."""
    return Pipeline(
        dimensions=Dimensions(engine),
        writer=writer,
        estimator=Estimator(reference or fake_reference(), FactorPolicy(), FakeMethod()),
        defaults=TOKEN_DEFAULTS,
        rules=rules,
    )
