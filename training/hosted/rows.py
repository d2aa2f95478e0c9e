"""Posteriors to the artefact's bytes."""

import csv
import io
import math
from collections.abc import Sequence

import numpy as np

from rice_stream.estimator.hosted.artefact import CAUSES, COLUMNS, COST
from training.hosted.posterior import Posterior

DIGITS = 4
"""Significant digits: far finer than the ranges, far coarser than what processors differ by."""


def row(found: Posterior) -> dict[str, str]:
    """One line of the artefact."""
    case, setup = found.case, found.drawn.setup
    total, price = found.mean(setup.total_b), case.price
    cells: dict[str, float | str] = {
        "family": case.family,
        "profile": case.profile,
        "model_ids": "|".join(case.model_ids),
        "total_b": total,
        "active_b": min(total, found.mean(setup.active_b)),
        "layers": found.mean(setup.layers),
        "kv_bytes_per_token": 0.0 if np.all(setup.kv_bytes == 0.0) else found.mean(setup.kv_bytes),
        "hardware": found.most(found.drawn.hardware, tuple(found.drawn.shown_as)),
        "devices": 2.0 ** round(math.log2(found.mean(setup.devices))),
        "batch": found.mean(setup.batch),
        "precision": found.most(found.drawn.precision, found.drawn.precisions),
        **{f"{name}_j": found.cost[name] for name in COST},
        "host_share": found.host_share,
        "idle_share": found.idle_share,
        "log_sd": found.log_sd,
        **{f"cause_{name}": found.causes[name] for name in CAUSES},
        "price_usd_per_mtok_input": "" if price is None else f"{price.input:.12g}",
        "price_usd_per_mtok_cache_read": "" if price is None else f"{price.cache_read:.12g}",
        "price_usd_per_mtok_output": "" if price is None else f"{price.output:.12g}",
        "price_weight": found.price_weight,
        "evidence": "|".join(case.evidence),
        "date": case.date,
    }
    return {name: _cell(cells[name]) for name in COLUMNS}


def serialise(rows: Sequence[dict[str, str]]) -> bytes:
    """The artefact's bytes: the same rows give the same bytes."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(sorted(rows, key=lambda one: (one["family"], one["profile"])))
    return out.getvalue().encode()


def _cell(value: float | str) -> str:
    return value if isinstance(value, str) else f"{float(f'{value:.{DIGITS}g}'):g}"
