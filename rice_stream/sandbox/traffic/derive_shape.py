"""Rebuilds data/traffic_shape.json, the facts that the demo's traffic is shaped by, from the published traces.

    python -m rice_stream.sandbox.traffic.derive_shape AZURE_CODE.csv MOONCAKE_CONVERSATION.jsonl SERVEGEN_DEEPSEEK_R1_FOLDER

Only quantiles, shares and coefficients of variation are kept, no request of any trace. The folder holds ServeGen's
`chunk-N-trace.csv` (one client each: start of the window in s, requests/s, coefficient of variation of the gaps, and
the fitted distribution, which is not used) and `chunk-N-dataset.json` (histograms per six hours).
"""

import ast
import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rice_stream.errors import UsageError
from rice_stream.sandbox.traffic.traces import TraceRequest, open_trace

INPUT_QUANTILES = 65
OUTPUT_BANDS = 8
"""Requests are cut into this many bands of equal size by input length; each has its own output quantiles."""
BAND_QUANTILES = 33

SOURCES = [
    {
        "workload": "code",
        "data": "Azure LLM inference trace 2023, code",
        "licence": "CC BY 4.0",
        "cite": "Patel et al., Splitwise: Efficient Generative LLM Inference Using Phase Splitting, ISCA 2024",
    },
    {
        "workload": "conversation",
        "data": "Mooncake conversation trace",
        "licence": "Apache-2.0",
        "cite": "Qin et al., Mooncake: Trading More Storage for Less Computation, FAST 2025",
    },
    {
        "workload": "reasoning, clients",
        "data": "ServeGen, deepseek-r1",
        "licence": "Apache-2.0",
        "cite": "Xiang et al., ServeGen: Workload Characterization and Generation of LLM Serving in Production, 2025",
    },
]


def derive_shape(azure_code: Path, mooncake_conversation: Path, servegen_folder: Path) -> dict[str, Any]:
    """The content of traffic_shape.json (fields: data/README.md). Raises UsageError for an unreadable file."""
    code = list(open_trace(azure_code, "azure-trace").requests())
    conversation = list(open_trace(mooncake_conversation, "mooncake").requests())
    clients = _servegen_clients(servegen_folder)
    return {
        "sources": SOURCES,
        "workloads": {
            "code": _joint_lengths(code),
            "conversation": _joint_lengths(conversation),
            "reasoning": _servegen_lengths(servegen_folder, clients),
        },
        "clients": [
            {key: round(client[key], 5) for key in ("share", "gap_cv", "rate_cv")}
            for client in sorted(clients, key=lambda client: -client["share"])
        ],
    }


def _joint_lengths(requests: Sequence[TraceRequest]) -> dict[str, Any]:
    """Quantiles of the input, and of output and cached share of the input within bands of equal input rank."""
    ordered = sorted(requests, key=lambda request: (request.input_tokens, request.output_tokens))
    inputs = np.array([request.input_tokens for request in ordered], dtype=np.float64)
    outputs = np.array([request.output_tokens for request in ordered], dtype=np.float64)
    cached = np.array([request.cache_read_input_tokens or 0 for request in ordered], dtype=np.float64)
    known = all(request.cache_read_input_tokens is not None for request in ordered)
    shares = cached / np.maximum(inputs, 1)
    return {
        "input_tokens": _quantiles(inputs, INPUT_QUANTILES, digits=None),
        "output_tokens": [
            _quantiles(band, BAND_QUANTILES, digits=None) for band in np.array_split(outputs, OUTPUT_BANDS)
        ],
        "cached_share": [_quantiles(band, BAND_QUANTILES, digits=3) for band in np.array_split(shares, OUTPUT_BANDS)]
        if known
        else None,
        "reasoning_share": None,
    }


def _quantiles(values: NDArray[np.float64], count: int, *, digits: int | None) -> list[float]:
    """`count` quantiles from minimum to maximum; `digits` None rounds to integers."""
    return [round(float(value), digits) for value in np.quantile(values, np.linspace(0, 1, count))]


def _servegen_clients(folder: Path) -> list[dict[str, Any]]:
    """Per client: its share of all requests, mean variation of its gaps, variation of its rate, and its mean rate."""
    clients: list[dict[str, Any]] = []
    for path in sorted(folder.glob("chunk-*-trace.csv"), key=lambda path: int(path.name.split("-")[1])):
        with path.open(newline="", encoding="utf-8") as file:
            rows = [(float(row[1]), float(row[2])) for row in csv.reader(file)]
        rates = np.array([rate for rate, _ in rows])
        active = [(rate, gap_cv) for rate, gap_cv in rows if rate > 0 and gap_cv > 0]
        clients.append(
            {
                "dataset": path.with_name(path.name.replace("-trace.csv", "-dataset.json")),
                "rate": float(rates.mean()),
                # Windows with more requests say more about the gaps.
                "gap_cv": float(np.average([cv for _, cv in active], weights=[rate for rate, _ in active])),
                "rate_cv": float(rates.std() / rates.mean()),
            }
        )
    if not clients:
        raise UsageError(f"{folder}: no chunk-N-trace.csv in it")
    total = sum(client["rate"] for client in clients)
    return [client | {"share": client["rate"] / total} for client in clients]


def _servegen_lengths(folder: Path, clients: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Quantiles over all clients, weighted by rate; ServeGen has no joint distribution, so there is one band."""
    pooled: dict[str, dict[float, float]] = {"input_tokens": {}, "output_tokens": {}, "reason_ratio": {}}
    for client in clients:
        segments = json.loads(client["dataset"].read_text(encoding="utf-8")).values()
        for field, pool in pooled.items():
            histograms = [ast.literal_eval(segment[field]) for segment in segments]
            filled = [histogram for histogram in histograms if sum(histogram.values()) > 0]
            for histogram in filled:
                for value, probability in histogram.items():
                    pool[float(value)] = pool.get(float(value), 0.0) + client["share"] * probability / len(filled)
    if not all(pooled.values()):
        raise UsageError(f"{folder}: the chunk-N-dataset.json hold no lengths")
    return {
        "input_tokens": _weighted_quantiles(pooled["input_tokens"], INPUT_QUANTILES, digits=None),
        "output_tokens": [_weighted_quantiles(pooled["output_tokens"], BAND_QUANTILES, digits=None)],
        "cached_share": None,
        "reasoning_share": [_weighted_quantiles(pooled["reason_ratio"], BAND_QUANTILES, digits=3)],
    }


def _weighted_quantiles(histogram: dict[float, float], count: int, *, digits: int | None) -> list[float]:
    """Quantiles of a histogram {value: weight}: the smallest value at which the running weight reaches the share."""
    values = np.array(sorted(value for value, weight in histogram.items() if weight > 0))
    running = np.cumsum([histogram[value] for value in values])
    places = np.searchsorted(running / running[-1], np.linspace(0, 1, count) - 1e-12)
    return [round(float(values[min(place, len(values) - 1)]), digits) for place in places]


def main() -> None:
    """Print the JSON for the three paths on the command line."""
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    shape = derive_shape(*(Path(argument) for argument in sys.argv[1:]))
    sys.stdout.write(json.dumps(shape, separators=(",", ":")).replace("},{", "},\n{").replace("],[", "],\n[") + "\n")


if __name__ == "__main__":
    main()
