"""Version 1 of `rice-calibrated` stays what it was: its artefact's bytes and its estimates, whatever later versions learn."""

import hashlib
import json
import math
from pathlib import Path

import numpy as np
import pytest

from rice_stream.estimator.artefact_files import read_artefact
from rice_stream.estimator.calibrated.artefact import Artefact, parse_artefact
from rice_stream.estimator.calibrated.physics import Cost, field_names, joules, seconds
from rice_stream.estimator.calibrated.setup import HIGH, LOW, MID, machine_of, resolve, setup_of
from rice_stream.estimator.method import Context
from rice_stream.quantities import Range

PINNED = json.loads((Path(__file__).parent / "frozen.json").read_text("utf-8"))
ULPS = 8 * 2.0**-53
"""Processors differ by a unit in the last place where a power is computed; on one processor the values are equal."""


def frozen_artefact() -> Artefact:
    return parse_artefact(read_artefact("rice-calibrated-1.json"), "rice-calibrated-1.json")


def frozen_contexts() -> dict[str, Context]:
    """Dense and sparse, known and guessed, every precision, old and new hardware, every profile."""

    def one(total: float, active: float | None = None, **stated: object) -> Context:
        return Context(Range.exact(total), Range.exact(active or total), **stated)  # type: ignore[arg-type]

    known = {"hardware_known": True}
    return {
        "dense-8b-unknown": one(8.03),
        "closed": Context(Range(100.0, 440.0, 1800.0), Range(40.0, 88.0, 300.0)),
        "dense-70b-h100": one(
            70.6, hardware="H100", **known, batch_size=32.0, layers=80.0, kv_bytes_per_token=327680.0
        ),
        "dense-405b-fp8-b200": one(405.8, hardware="B200", **known, batch_size=64.0, precision="fp8"),
        "moe-235b-fp8-h100": one(
            235.1,
            22.2,
            hardware="H100",
            **known,
            devices=8.0,
            batch_size=100.0,
            precision="fp8",
            layers=94.0,
            kv_bytes_per_token=192512.0,
        ),
        "moe-671b-h200": one(671.0, 37.0, hardware="H200", **known, batch_size=704.0, precision="fp8", devices=8.0),
        "moe-120b-mxfp4-b200": one(116.8, 5.1, hardware="B200", **known, batch_size=128.0, precision="mxfp4"),
        "moe-throughput": one(30.5, 3.3, profile="throughput"),
        "batch1-a100-eager": one(7.24, hardware="A100-80GB", **known, batch_size=1.0, layers=32.0, rotary=True),
        "batch1-opt": one(6.7, hardware="A100-80GB", **known, profile="batch1", rotary=False),
        "int4-l40s": one(14.8, hardware="L40S", **known, batch_size=8.0, precision="int4"),
        "int8-a10g": one(0.5, hardware="A10G", **known, batch_size=1.0, precision="int8"),
        "tpu": one(27.0, hardware="TPU-v6e", **known, batch_size=16.0),
    }


def hexadecimal(cost: Cost) -> list[str]:
    return [float(np.asarray(getattr(cost, name))[0]).hex() for name in field_names(Cost)]


def computed(artefact: Artefact, context: Context) -> dict[str, list[str]]:
    """Joules at both ends and in the middle, and seconds, as hexadecimal floats."""
    resolved = [resolve(context, artefact)]
    machine = machine_of(resolved)
    found = {
        end: hexadecimal(joules(setup_of(resolved, artefact, end), machine, artefact.shape)) for end in (LOW, MID, HIGH)
    }
    return {**found, "seconds": hexadecimal(seconds(setup_of(resolved, artefact, MID), machine, artefact.shape))}


def test_artefact_of_version_1_keeps_its_bytes() -> None:
    """Records of version 1 name this digest: the file never changes."""
    assert hashlib.sha256(read_artefact("rice-calibrated-1.json")).hexdigest() == PINNED["sha256"]


@pytest.mark.parametrize("name", sorted(PINNED["costs"]))
def test_law_with_version_1_gives_the_same_numbers(name: str) -> None:
    """Terms that version 2 added are neutral in version 1: every coefficient of every cost is the one pinned before them."""
    found = computed(frozen_artefact(), frozen_contexts()[name])
    for kind, pinned in PINNED["costs"][name].items():
        for value, before in zip(found[kind], pinned, strict=True):
            assert math.isclose(float.fromhex(value), float.fromhex(before), rel_tol=ULPS), (kind, value, before)
