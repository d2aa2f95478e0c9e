"""Whole estimates of `rice-calibrated-1` stay what they were: energy, carbon and their ends, route and basis.

The models, prices and the place are rows of the test's own, so that the shipped tables may change. `frozen_estimates.json` is the
method's output of 2026-11-29, which the code from before version 2 gives to the last digit as well. It is never written again:
a difference is a fault of what changed.
"""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from rice_stream.estimator.registry import load_method
from rice_stream.instants import us_from_iso
from rice_stream.meter.described import Described
from rice_stream.meter.estimating import estimate_all
from rice_stream.meter.estimator_at import Estimator
from rice_stream.meter.factors import FactorPolicy
from rice_stream.reference.loader import load_reference

PINNED = json.loads((Path(__file__).parent / "frozen_estimates.json").read_text("utf-8"))
RELATIVE = 64 * 2.0**-53
"""Processors differ by units in the last place where powers are computed."""

PARAMS = (
    "params_total_b_low,params_total_b,params_total_b_high,params_active_b_low,params_active_b,params_active_b_high"
)
OVERLAY = {
    "models.csv": f"model_id,owner,{PARAMS},layers,kv_heads,head_dim,kv_bytes_per_token,rotary,estimated,source\n"
    "frozen-closed,openai,100,440,1800,40,88,300,,,,,,true,test\n"
    "frozen-open,acme,,70.6,,,70.6,,80,8,128,,,false,test\n"
    "frozen-mixture,deepseek,,671,,,37,,61,,,70272,,false,test\n"
    "frozen-plain,acme,,6.7,,,6.7,,32,32,128,,false,false,test\n",
    "prices.csv": "provider,model,usd_per_mtok_input,usd_per_mtok_output,source\n"
    "openai,frozen-closed,2.5,10,test\ndeepseek,frozen-mixture,0.27,1.1,test\n",
    "regions.csv": "region_id,kind,provider,name,country,ladder,source\nacme:one,cloud_region,acme,One,SE,,test\n",
    "rci.csv": "region_id,scope,signal,accounting,rci_gco2e_per_kwh,source\n"
    "acme:one,lifecycle,average,location,210,test\n",
    "spreads.csv": "quantity,scope,rung,factor_low,factor_mid,factor_high,source\nrci,lifecycle,region,0.9,1,1.14,test\n",
}
HERE: dict[str, Any] = {"region": "acme:one", "pue": 1.2}
ASKED = {
    "hosted closed": Described(500, 250, model="frozen-closed", provider="openai", **HERE),
    "hosted closed, cached": Described(12_000, 900, 9_000, model="frozen-closed", provider="openai", **HERE),
    "hosted closed, nobody named": Described(2_000, 300, model="frozen-closed", **HERE),
    "hosted mixture": Described(1_809, 500, 1_018, model="frozen-mixture", provider="deepseek", **HERE),
    "hosted open": Described(500, 250, model="frozen-open", provider="groq", **HERE),
    "hosted open, one token": Described(1, 1, model="frozen-open", provider="groq", **HERE),
    "throughput": Described(4_000, 1_000, model="frozen-open", profile="throughput", **HERE),
    "H100 stated": Described(
        500, 250, model="frozen-open", hardware="H100", devices=4.0, batch_size=32.0, precision="bf16", **HERE
    ),
    "mixture on H200, fp8": Described(
        900, 700, model="frozen-mixture", hardware="H200", devices=8.0, batch_size=128.0, precision="fp8", **HERE
    ),
    "alone on an A100": Described(256, 64, model="frozen-plain", hardware="A100-80GB", batch_size=1.0, **HERE),
    "hardware never measured": Described(300, 200, params_total_b=8.0, hardware="L40S", batch_size=8.0, **HERE),
    "intensity stated": Described(
        300, 2_000, params_total_b=120.0, params_active_b=5.1, pue=1.1, rci_gco2e_per_kwh=400.0
    ),
}


def estimates(folder: Path) -> dict[str, dict[str, Any]]:
    for name, text in OVERLAY.items():
        (folder / name).write_text(text, "utf-8")
    method = load_method("rice-calibrated-1")
    estimator = Estimator(load_reference(folder), FactorPolicy(), method).at(us_from_iso("2026-11-29"))
    found = estimate_all(list(ASKED.values()), estimator)
    return {name: pinned(one.values, one.it_energy_wh) for name, one in zip(ASKED, found, strict=True)}


def pinned(values: dict[str, Any], it_energy_wh: tuple[float, float, float]) -> dict[str, Any]:
    names = ("prefill_j", "decode_j", "gpu_energy_j", "gpu_energy_j_low", "gpu_energy_j_high", "facility_energy_wh")
    return {
        **{name: values[name] for name in (*names, "latency_s")},
        **dict(zip(("it_energy_wh_low", "it_energy_wh", "it_energy_wh_high"), it_energy_wh, strict=True)),
        **{f"carbon_gco2e_{end}": values["carbon_gco2e"][end] for end in ("low", "mid", "high")},
        "route": values["route"],
        "basis": [word for word in values["basis"] if not word.startswith(("rci:", "pue:"))],
    }


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    return estimates(tmp_path_factory.mktemp("reference"))


@pytest.mark.parametrize("name", sorted(ASKED))
def test_whole_estimates_of_version_1_are_what_they_were(name: str, found: dict[str, dict[str, Any]]) -> None:
    """A hosted model is still served as the profile says: no fitted row, no price, no quadrature of ends."""
    assert set(PINNED) == set(ASKED)
    for key, before in PINNED[name].items():
        now = found[name][key]
        if isinstance(before, float):
            assert math.isclose(now, before, rel_tol=RELATIVE), (key, now, before)
        else:
            assert now == before, key
