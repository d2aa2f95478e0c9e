"""The facts behind the demo's traffic are derived from traces by the rules that data/README.md states."""

import json
from pathlib import Path
from typing import Any

import pytest

from rice_stream.errors import UsageError
from rice_stream.sandbox.traffic.derive_shape import derive_shape
from rice_stream.sandbox.traffic.shape import load_shape

AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\r\n" + "\r\n".join(
    f"2023-11-16 18:17:{number:02}.0000000,{number + 1},{2 * number}" for number in range(17)
)
MOONCAKE = '{"timestamp": 0, "input_length": 1024, "output_length": 4, "hash_ids": [0, 1]}\n' * 16


def folder_of_two_clients(folder: Path) -> Path:
    """Client 0: 3 then 1 requests/s, gaps varying 2 and 1. Client 1: 0 (idle) then 1, gaps varying 0.5."""
    (folder / "chunk-0-trace.csv").write_text("0,3,2.0,Gamma,1,1\n600,1,1.0,Weibull,1,1\n")
    (folder / "chunk-1-trace.csv").write_text("0,0,0,,0,0\n600,1,0.5,Gamma,1,1\n")
    ten = {"input_tokens": "{10: 1.0}", "output_tokens": "{100: 1.0}", "reason_ratio": "{0.5: 1.0}"}
    empty = {"input_tokens": "{}", "output_tokens": "{}", "reason_ratio": "{}"}
    twenty = {"input_tokens": "{20: 1.0}", "output_tokens": "{200: 1.0}", "reason_ratio": "{0.9: 1.0, 0.1: 0.0}"}
    (folder / "chunk-0-dataset.json").write_text(json.dumps({"0": ten, "21600": empty}))
    (folder / "chunk-1-dataset.json").write_text(json.dumps({"0": empty, "21600": twenty}))
    return folder


@pytest.fixture
def shape(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "azure.csv").write_text(AZURE, newline="")
    (tmp_path / "mooncake.jsonl").write_text(MOONCAKE)
    return derive_shape(tmp_path / "azure.csv", tmp_path / "mooncake.jsonl", folder_of_two_clients(tmp_path))


def test_input_quantiles_run_from_minimum_to_maximum(shape: dict[str, Any]) -> None:
    """Inputs 1..17: 65 quantiles, every fourth of them one of the inputs."""
    inputs = shape["workloads"]["code"]["input_tokens"]
    assert len(inputs) == 65
    assert inputs[::4] == list(range(1, 18))


def test_output_quantiles_stay_in_their_input_band(shape: dict[str, Any]) -> None:
    """Outputs rise with inputs here, so the first band of 17 requests (three of them) holds 0, 2 and 4."""
    bands = shape["workloads"]["code"]["output_tokens"]
    assert len(bands) == 8
    assert (bands[0][0], bands[0][16], bands[0][32]) == (0, 2, 4)
    assert bands[7][32] == 32
    assert shape["workloads"]["code"]["cached_share"] is None


def test_cached_share_is_of_the_input(shape: dict[str, Any]) -> None:
    """Sixteen equal prompts: the first finds nothing, the others all of it; only the first band has both."""
    shares = shape["workloads"]["conversation"]["cached_share"]
    assert (shares[0][0], shares[0][32]) == (0.0, 1.0)
    assert shares[7][0] == 1.0


def test_clients_by_hand(shape: dict[str, Any]) -> None:
    """Mean rates 2 and 0.5: shares 0.8 and 0.2. Gap variation weighted by rate: (3*2 + 1*1) / 4 = 1.75, and 0.5.

    Rate variation: std(3, 1) / 2 = 0.5; std(0, 1) / 0.5 = 1.
    """
    assert shape["clients"] == [
        {"share": 0.8, "gap_cv": 1.75, "rate_cv": 0.5},
        {"share": 0.2, "gap_cv": 0.5, "rate_cv": 1.0},
    ]


def test_pooled_lengths_are_weighted_by_rate(shape: dict[str, Any]) -> None:
    """80 % of requests have 10 tokens: the quantiles are 10 up to 0.8 and 20 beyond; weight 0 counts for nothing."""
    reasoning = shape["workloads"]["reasoning"]
    assert [reasoning["input_tokens"][place] for place in (0, 51, 52, 64)] == [10, 10, 20, 20]
    assert (reasoning["reasoning_share"][0][0], reasoning["reasoning_share"][0][32]) == (0.5, 0.9)


def test_a_folder_without_clients_is_named(tmp_path: Path) -> None:
    """The error says which folder and what it lacks."""
    (tmp_path / "azure.csv").write_text(AZURE, newline="")
    (tmp_path / "mooncake.jsonl").write_text(MOONCAKE)
    with pytest.raises(UsageError, match=r"no chunk-N-trace.csv"):
        derive_shape(tmp_path / "azure.csv", tmp_path / "mooncake.jsonl", tmp_path / "empty")


def test_the_shipped_facts_are_in_order() -> None:
    """Every quantile table rises, shares lie in 0..1, and clients fall by share to a sum of 1."""
    shipped = load_shape()
    for lengths in shipped.workloads.values():
        assert lengths.input_tokens == sorted(lengths.input_tokens)
        assert all(band == sorted(band) for band in lengths.output_tokens)
        for shares in (lengths.cached_share, lengths.reasoning_share):
            assert all(0 <= share <= 1 for band in shares or [] for share in band)
    assert sum(client.share for client in shipped.clients) == pytest.approx(1, abs=1e-3)
    assert [c.share for c in shipped.clients] == sorted((c.share for c in shipped.clients), reverse=True)
