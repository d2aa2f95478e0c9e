"""`rice-stream calibrate`: measured rows become a site profile that corrects estimates, and says so."""

import json
from pathlib import Path
from typing import Any

import pytest

from rice_stream.basis import Basis
from rice_stream.errors import UsageError
from rice_stream.estimator.loading import load_calibrated
from rice_stream.estimator.method import Context
from rice_stream.estimator.site import SiteCorrection, SiteProfile, parse_site, serialise_site
from rice_stream.quantities import Range
from tests.support.cli_running import Shell
from tests.support.paper_requests import requests

HEADER = "model,input_tokens,output_tokens,hardware,batch_size,precision"
ASKED = ("--input-tokens", "512", "--output-tokens", "256", "--hardware", "H100", "--batch-size", "16")
CALIBRATED = ("--method", "rice-calibrated")


def measured(shell: Shell, factors: dict[str, float]) -> Path:
    """A table in which every model drew `factor` times what the method says."""
    lines = [f"{HEADER},gpu_j_per_request"]
    for model, factor in factors.items():
        one = shell.json("estimate", "--model", model, *ASKED, "--precision", "bf16", *CALIBRATED)
        lines.append(f"{model},512,256,H100,16,bf16,{one['gpu_energy_j'] * factor}")
    path = shell.directory / "measured.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def site_of(shell: Shell, path: Path) -> Path:
    out = shell.directory / "site.json"
    assert shell.run("calibrate", str(path), "--out", str(out)).exit_code == 0
    return out


def test_the_factor_by_hand(shell: Shell) -> None:
    """Two models at 1.5 and 1.5: k / (k + 1) = 2/3 of the way in logarithms, 1.5 ^ (2/3) = 1.3104; errors by hand too."""
    path = measured(shell, {"llama-3.1-8b": 1.5, "qwen3-32b": 1.5})
    document = shell.json("calibrate", str(path), "--out", str(shell.directory / "site.json"))
    (row,) = document["hardware"]
    assert row["factor"] == pytest.approx(1.5 ** (2 / 3), rel=1e-6)
    assert row["error_before"] == pytest.approx(1 - 1 / 1.5, rel=1e-6)
    assert row["error_after"] == pytest.approx(1 - 1.5 ** (2 / 3) / 1.5, rel=1e-6)
    assert row["error_left_out"] == pytest.approx(1 - 1.5**0.5 / 1.5, rel=1e-6)


def test_estimates_are_corrected_and_say_so(shell: Shell) -> None:
    """Same hardware: joules times the factor, named in version and basis. Other or assumed hardware: as before."""
    site = site_of(shell, measured(shell, {"llama-3.1-8b": 1.5, "qwen3-32b": 1.5}))
    asked = ("estimate", "--model", "llama-3.1-70b", "--input-tokens", "512", "--output-tokens", "256", *CALIBRATED)
    stated = ("--batch-size", "16")
    for hardware, expected in (("H100", 1.5 ** (2 / 3)), ("B200", 1.0), (None, 1.0)):
        options = (*asked, *stated, *(("--hardware", hardware) if hardware else ()))
        plain, own = shell.json(*options), shell.json(*options, RICE_SITE_FILE=str(site))
        assert own["gpu_energy_j"] == pytest.approx(plain["gpu_energy_j"] * expected, rel=1e-3)
        assert ("site_calibrated" in own["basis"]) == (hardware == "H100")
        assert own["versions"]["method"].startswith(plain["versions"]["method"] + ".site-")


def test_the_interval_of_a_site_of_one_model_is_never_narrower_than_the_methods() -> None:
    """Rows that agree to the last digit say nothing of other models: the method's own bounds stay; rows that scatter widen them."""
    plain = load_calibrated()
    context = Context(Range.exact(8.0), Range.exact(8.0), hardware="H100", hardware_known=True, batch_size=16.0)
    one = requests([(1000, 200)])

    def ends(factor: SiteCorrection) -> tuple[float, float]:
        method = plain.with_site(SiteProfile("s", plain.version, {"H100": factor}, "0" * 64))
        found = method.estimate(method.coefficients([context]), one)
        assert found.flags[0] & Basis.SITE_CALIBRATED
        mid = found.gpu_energy_j[0]
        return float(found.gpu_energy_j_low[0] / mid), float(found.gpu_energy_j_high[0] / mid)

    before = plain.estimate(plain.coefficients([context]), one)
    own = (
        float(before.gpu_energy_j_low[0] / before.gpu_energy_j[0]),
        float(before.gpu_energy_j_high[0] / before.gpu_energy_j[0]),
    )
    assert ends(SiteCorrection(2.0, 0.0, 0.0, 3, 1)) == pytest.approx(own)
    low, high = ends(SiteCorrection(2.0, -1.0, 1.0, 3, 3))
    assert low < own[0]
    assert high > own[1]


def test_records_made_with_a_site_explain_themselves(ledger: Shell) -> None:
    """Ingested under a site file, an event's explanation repeats the stored integers, and names the factor."""
    site = site_of(ledger, measured(ledger, {"llama-3.1-8b": 1.2}))
    event = {
        "event_id": "own-1",
        "tenant_id": "acme",
        "request_model": "llama-3.1-8b",
        "input_tokens": 900,
        "output_tokens": 90,
        "ended_at": "2026-11-20T10:00:00Z",
    }
    path = ledger.directory / "own.jsonl"
    path.write_text(json.dumps(event))
    settings: dict[str, Any] = {
        "RICE_METHOD": "rice-calibrated",
        "RICE_SITE_FILE": str(site),
        "RICE_HARDWARE": "H100",
        "RICE_SERVING_PROFILES": '[{"name": "own", "hardware": "H100", "batch_size": [4, 8, 32]}]',
        "RICE_SERVING_PROFILE": "own",
    }
    assert ledger.run("ingest", str(path), **settings).exit_code == 0
    document = ledger.json("explain", "own-1", **settings)
    assert document["agrees"] is True
    assert "site_calibrated" in document["record"]["basis"]
    steps = {step["name"]: step for step in document["steps"]}
    assert steps["site_factor"]["value"] == pytest.approx(1.2**0.5, rel=1e-3)
    # Without the site file the record is still shown, and it is said that its method is not installed.
    without = ledger.json("explain", "own-1")
    assert without["agrees"] is None


def test_a_site_file_of_another_version_is_refused() -> None:
    content = serialise_site(
        "old", "rice-calibrated-1+00000000", "m.csv", {"H100": SiteCorrection(1.1, 0.0, 0.0, 1, 1)}
    )
    plain, site = load_calibrated(), parse_site(content, "site.json")
    with pytest.raises(UsageError, match=r"corrects rice-calibrated-1\+00000000.*rice-stream calibrate"):
        plain.with_site(site)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{}", "site.json: field 'format' is missing"),
        (b"[]", "site.json"),
        (b'{"format": "other"}', "'other' is not 'rice-site-1'"),
        (
            (
                b'{"format": "rice-site-1", "name": "s", "method_version": "m", "hardware": {"H100": {"factor": -1, "low": 0,'
                b' "high": 0, "rows": 1, "models": 1}}}'
            ),
            "hardware.H100: factor must be above 0",
        ),
    ],
)
def test_a_damaged_site_file_names_its_field(content: bytes, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_site(content, "site.json")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{HEADER}\n", "needs exactly one of the columns gpu_j_per_output_token"),
        (f"{HEADER},gpu_energy_kwh\nllama-3.1-8b,1,1,H100,1,bf16,1\n", "the column requests is missing"),
        (f"{HEADER},gpu_j_per_request\n", "no measured rows"),
        (
            f"{HEADER},gpu_j_per_request\nllama-3.1-8b,512,256,H100,16,bf16,-3\n",
            "row 2, column gpu_j_per_request: '-3'",
        ),
        (f"{HEADER},gpu_j_per_request\nllama-3.1-8b,512,256,Z9,16,bf16,50\n", "row 2, column hardware: 'Z9'"),
        (f"{HEADER},gpu_j_per_request\nllama-3.1-8b,512,256,H100,,bf16,50\n", "row 2, column batch_size: is needed"),
        (f"{HEADER},gpu_j_per_request\nllama-3.1-8b,512,many,H100,16,bf16,50\n", "row 2, column output_tokens: 'many'"),
        (f"{HEADER},gpu_j_per_request\nllama-3.1-8b,512,256,H100,16,bf16,99999\n", "check units"),
        (f"{HEADER},gpu_j_per_request\nllama-3.1-8b,512\n", "row 2: has another number of cells"),
    ],
)
def test_calibrate_names_what_is_wrong(shell: Shell, text: str, message: str) -> None:
    path = shell.directory / "measured.csv"
    path.write_text(text)
    result = shell.run("calibrate", str(path), "--out", "site.json")
    assert result.exit_code == 2
    assert message in result.stderr


def test_codecarbon_and_per_token_columns_mean_the_same(shell: Shell) -> None:
    """60 J a request of 256 tokens: 0.234375 J a token, or 6 kJ of 100 requests, which is 1/600 kWh."""
    factors = []
    for column, value in (
        ("gpu_j_per_request", "60"),
        ("gpu_j_per_output_token", "0.234375"),
        ("gpu_energy_kwh,requests", f"{1 / 600},100"),
    ):
        path = shell.directory / "one.csv"
        path.write_text(f"{HEADER},{column}\nllama-3.1-8b,512.3,255.8,H100,16,bf16,{value}\n")
        document = shell.json("calibrate", str(path), "--out", str(shell.directory / "s.json"))
        factors.append(document["hardware"][0]["factor"])
    assert factors == pytest.approx([factors[0]] * 3, rel=1e-3)
