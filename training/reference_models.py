"""The model rows of rice_stream/reference/data/derived: parameters and spellings from published data sets.

Part of training/reference_tables.py, which is what to run.
"""

import csv
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from rice_stream.reference.lookup import Reference
from rice_stream.reference.merging import merge_layers
from rice_stream.reference.models.names import clean
from rice_stream.reference.models.sizes import size_in_name
from rice_stream.reference.reading import Row
from rice_stream.reference.tables import ALIASES, FALLBACKS, MODELS
from rice_stream.reference.types import ModelFactor

Cells = dict[str, Any]
Sheet = list[dict[str, str]]
Tables = Mapping[str, list[Row]]

UNDISCLOSED_SPREAD = 2.0
"""A single published guess at a closed model's total is widened by this factor both ways: two public lists of guesses
(MEDEC 2024, EcoLogits) differ by 1.0, 1.5, 2.2 and 2.5 on the four models that both hold."""
FITS = (0.75, 1.34)
"""A name that resolves by rule to a model within these ratios of the data set's own figure is that model."""


def read_sheet(path: Path) -> Sheet:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


class ModelRows:
    """Collects the rows that the hand-kept tables do not cover, and an alias for every name that a data set uses."""

    def __init__(self, hand: Tables, default: list[Row]) -> None:
        merged = merge_layers([{FALLBACKS.name: default}, hand])
        own = {row.text("model_id") for row in merged[MODELS.name]}
        self._literal = own | {row.text("alias") for row in merged[ALIASES.name]}
        self._own = own
        self._spelled_out = {row.text("alias") for row in merged[ALIASES.name]}
        merged[ALIASES.name] = [row for row in merged[ALIASES.name] if row.text("model_id") in own]
        self._reference = Reference(merged, "hand")
        self.models: dict[str, Cells] = {}
        self.aliases: dict[str, Cells] = {}

    def add_vendor_model(self, name: str, cells: Cells) -> None:
        """A model under its vendor's own name, as in EcoLogits: covered only where the name itself is."""
        text = clean(name)
        if text in self._literal:
            return
        base = re.sub(r"-(20\d\d-\d\d-\d\d|20\d{6})$", "", text)
        if base not in self._literal:
            self.models.setdefault(base, {**cells, "model_id": base})
        if base != text:
            self._alias(text, base, "dated", str(cells["source"]))

    def add_open_model(self, name: str, total_b: float, cells: Cells) -> None:
        """An open model under a repository's name: covered where the rules find a model of about its size.

        An alias kept by hand is somebody's decision, whatever size the data set prints.
        """
        text = clean(name)
        if text in self._spelled_out:
            return
        last = text.rsplit("/", 1)[-1]
        known = self._by_rule(text)
        if known is not None and (not total_b or _fits(known, total_b)):
            if text not in self._literal:
                self._alias(text, known.model_id, "exact", str(cells["source"]))
            return
        if not total_b:
            return
        if last in self._own:
            raise ValueError(
                f"{name}: {cells['source']} has {total_b} B, the hand-kept row {last} does not; look at both"
            )
        self.models.setdefault(last, {**cells, "model_id": last, "params_total_b": total_b})
        if text != last:
            self._alias(text, last, "exact", str(cells["source"]))

    def _by_rule(self, text: str) -> ModelFactor | None:
        for name in (text, text.rsplit("/", 1)[-1]):
            factor = self._reference.resolve_model(None, name, None, 0)
            if factor.rung in ("exact", "alias", "dated"):
                return factor
        return None

    def _alias(self, alias: str, model_id: str, rung: str, source: str) -> None:
        self.aliases.setdefault(alias, {"alias": alias, "model_id": model_id, "rung": rung, "source": source})


def model_rows(source_dir: Path, hand: Tables, default: list[Row]) -> ModelRows:
    """Every model and spelling of the data sets under `source_dir`."""
    rows = ModelRows(hand, default)
    for row in read_sheet(source_dir / "models" / "ecologits_params.csv"):
        cells = _ecologits(row)
        if row["provider"] == "huggingface_hub":
            rows.add_open_model(row["name"], float(row["total_min_B"]), cells)
        elif not row["name"].endswith("-latest") or row["name"] == "chat-latest":
            rows.add_vendor_model(row["name"], cells)
    for name, total_b, source in _benchmark_names(source_dir):
        owner = name.split("/", 1)[0].lower() if "/" in name else "unknown"
        rows.add_open_model(name, total_b, {"owner": owner, "estimated": "false", "source": source})
    return rows


def _fits(known: ModelFactor, total_b: float) -> bool:
    """Data sets that count packed 4-bit weights give half the parameters: a named precision excuses the difference."""
    return FITS[0] <= total_b / known.params_total_b.mid <= FITS[1] or known.precision is not None


def _ecologits(row: Mapping[str, str]) -> Cells:
    """EcoLogits' published figures; a single guess at a closed model is widened by UNDISCLOSED_SPREAD."""
    owner = row["name"].split("/", 1)[0].lower() if "/" in row["name"] else row["provider"]
    owner = {"google_genai": "google", "mistralai": "mistral"}.get(owner, owner)
    low, high = float(row["total_min_B"]), float(row["total_max_B"])
    active_low, active_high = float(row["active_min_B"]), float(row["active_max_B"])
    cells: Cells = {"owner": owner, "source": "ecologits-0.11.3"}
    if row["estimated"] != "True":
        active = active_low if active_low != low else ""
        return {**cells, "estimated": "false", "params_total_b": low, "params_active_b": active}
    mid = (low * high) ** 0.5
    if low == high:
        low, high = low / UNDISCLOSED_SPREAD, high * UNDISCLOSED_SPREAD
    return {
        **cells,
        "estimated": "true",
        "params_total_b_low": low,
        "params_total_b": round(mid, 3),
        "params_total_b_high": high,
        "params_active_b_low": active_low,
        "params_active_b": round((active_low * active_high) ** 0.5, 3),
        "params_active_b_high": active_high,
    }


def _benchmark_names(source_dir: Path) -> Iterable[tuple[str, float, str]]:
    """(name, total parameters or 0 where the data set has none, source) of every benchmarked language model."""
    sheets: tuple[tuple[str, str, Callable[[Mapping[str, str]], str], str], ...] = (
        ("ml_energy/mlenergy_v3.csv", "model_id", lambda row: row["total_params_billions"], "ml-energy-v3"),
        ("ml_energy/mlenergy_v2.csv", "Model", lambda row: "", "ml-energy-v2"),
        ("ml_energy/mlenergy_legacy_2023.csv", "model", lambda row: row["params_B"], "ml-energy-2023"),
        ("llm_perf/llmperf_2024-02_bf16_none_none.csv", "Model", lambda row: row["Params (B)"], "llm-perf-2024"),
        ("llm_perf/llmperf_dataset_2026-01.csv", "model", lambda row: row["params_B"], "llm-perf-2026"),
        ("helm/helm_per_token.csv", "model", lambda row: row["params_B"], "helm-efficiency"),
        ("helm/ten_models.csv", "model", lambda row: row["N"], "helm-efficiency"),
        ("gpu/measured_h100_h200.csv", "model", lambda row: row["params_b"], "rice-measured"),
    )
    for path, column, params, source in sheets:
        seen = set()
        for row in read_sheet(source_dir / path):
            name = row[column].replace(" ", "-")
            if name not in seen:
                seen.add(name)
                yield name, _stated_size(params(row), name), source


def _stated_size(cell: str, name: str) -> float:
    """The data set's figure; 0.0 in it means that it has none, and then the name may have one."""
    value = float(cell) if cell else 0.0
    if value > 0:
        return value
    size = size_in_name(name)
    return size.total_b[1] if size else 0.0
