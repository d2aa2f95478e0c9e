"""The fitted rows of hosted models: what `python -m training.hosted` writes and the method computes with.

One row per model family and hosting profile. docs/validation-hosted.md says how a row comes about and how it was tested.
"""

import csv
import hashlib
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from rice_stream.errors import ReferenceDataError
from rice_stream.quantities import ListPrice

HOSTED_FILE = "hosted.csv"
PROFILES = ("hosted_scale", "hosted_small")
"""A vendor's or hyperscaler's own service, and a small host's."""
CAUSES = ("size", "batch", "hardware", "law", "host", "idle", "price")
"""Independent parts of a row's uncertainty, in the order of the columns `cause_*`."""
COST = ("fixed", "per_token", "per_square", "per_cached", "per_step", "per_step_context", "per_stream")
"""Accelerator joules of one request, as in `calibrated.physics.Cost`."""
TEXT = ("family", "profile", "model_ids", "hardware", "precision", "evidence", "date")
POSITIVE = ("total_b", "active_b", "layers", "devices", "batch", "log_sd")
NOT_NEGATIVE = ("kv_bytes_per_token", *(f"{name}_j" for name in COST), "host_share", "idle_share", "price_weight")
NOT_NEGATIVE_CAUSES = tuple(f"cause_{name}" for name in CAUSES)
PRICES = ("price_usd_per_mtok_input", "price_usd_per_mtok_cache_read", "price_usd_per_mtok_output")
"""All three empty where no price is known."""
COLUMNS = (
    *("family", "profile", "model_ids", "total_b", "active_b", "layers", "kv_bytes_per_token"),
    *("hardware", "devices", "batch", "precision", *(f"{name}_j" for name in COST), "host_share", "idle_share"),
    *("log_sd", *NOT_NEGATIVE_CAUSES, *PRICES, "price_weight", "evidence", "date"),
)
SQUARES_TOLERANCE = 0.01
"""Rounded causes add up to the rounded whole within this share."""
REBUILD = "rebuild it with `python -m training.hosted`"


@dataclass(frozen=True, slots=True)
class HostedRow:
    """One model family at one kind of host. Parameters in 1e9; `cost` in joules of all accelerators (posterior middle)."""

    family: str
    profile: str
    model_ids: tuple[str, ...]
    """Rows of the model table that this one stands for."""
    total_b: float
    active_b: float
    layers: float
    kv_bytes_per_token: float
    hardware: str
    devices: float
    batch: float
    """Requests of one device group at a time."""
    precision: str
    cost: tuple[float, ...]
    """In the order of `COST`."""
    host_share: float
    """Joules of the machines around the accelerators, over the accelerators'."""
    idle_share: float
    """Joules of machines that stand idle, over those of working ones."""
    log_sd: float
    """Standard deviation of the logarithm of the IT energy; the root of the sum of the causes' squares."""
    causes: Mapping[str, float]
    price: ListPrice | None
    """The list price that the row was fitted with."""
    price_weight: float
    """How far the middle moves, in logarithms, when the price moves by one logarithm."""
    evidence: tuple[str, ...]
    """Ids of the sources: of the architecture, the price, the serving."""
    date: str
    """Day of the newest evidence."""


@dataclass(frozen=True, slots=True)
class HostedArtefact:
    """All fitted rows."""

    rows: tuple[HostedRow, ...]
    by_model: Mapping[tuple[str, str], HostedRow]
    digest: str
    """SHA-256 of the artefact's bytes, hex."""

    def find(self, model_id: str | None, profile: str) -> HostedRow | None:
        """The row of a model of the table at a host of that profile; None where there is none."""
        return None if model_id is None else self.by_model.get((model_id.lower(), profile))


def parse_hosted(content: bytes, name: str) -> HostedArtefact:
    """Reads the artefact. Raises ReferenceDataError naming the file, the row and the column of what is wrong."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as wrong:
        raise ReferenceDataError(f"{name}: not UTF-8 text ({wrong.reason} at byte {wrong.start}); {REBUILD}") from None
    table = csv.reader(io.StringIO(text), strict=True)
    rows: list[HostedRow] = []
    found: dict[tuple[str, str], HostedRow] = {}
    try:
        if tuple(next(table, ())) != COLUMNS:
            raise ReferenceDataError(f"{name}, row 1: columns must be {', '.join(COLUMNS)}; {REBUILD}")
        for cells in table:
            row = _row(cells, f"{name}, row {table.line_num}")
            rows.append(row)
            for model_id in row.model_ids:
                key = (model_id, row.profile)
                if key in found:
                    raise ReferenceDataError(
                        f"{name}, row {table.line_num}, column model_ids: {model_id} has a row of {row.profile} already"
                    )
                found[key] = row
    except csv.Error as wrong:
        raise ReferenceDataError(f"{name}, row {table.line_num}: {wrong}; {REBUILD}") from None
    return HostedArtefact(tuple(rows), MappingProxyType(found), hashlib.sha256(content).hexdigest())


def _row(cells: list[str], where: str) -> HostedRow:
    if len(cells) != len(COLUMNS):
        raise ReferenceDataError(f"{where}: {len(cells)} cells instead of {len(COLUMNS)}; {REBUILD}")
    row = dict(zip(COLUMNS, cells, strict=True))
    for column in TEXT:
        if not row[column] or row[column] != row[column].strip():
            raise ReferenceDataError(f"{where}, column {column}: must be text without spaces around it; {REBUILD}")
    if row["profile"] not in PROFILES:
        raise ReferenceDataError(f"{where}, column profile: {row['profile']!r} is none of {', '.join(PROFILES)}")
    number = {column: _number(row[column], f"{where}, column {column}", least=1e-12) for column in POSITIVE}
    number |= {
        column: _number(row[column], f"{where}, column {column}", least=0.0)
        for column in (*NOT_NEGATIVE, *NOT_NEGATIVE_CAUSES)
    }
    squares = math.fsum(number[column] ** 2 for column in NOT_NEGATIVE_CAUSES)
    if abs(math.sqrt(squares) / number["log_sd"] - 1.0) > SQUARES_TOLERANCE:
        raise ReferenceDataError(
            f"{where}, column log_sd: the causes add up to {math.sqrt(squares):.4g}, not to {row['log_sd']}; {REBUILD}"
        )
    if number["active_b"] > number["total_b"]:
        raise ReferenceDataError(f"{where}, column active_b: exceeds total_b; {REBUILD}")
    return HostedRow(
        family=row["family"],
        profile=row["profile"],
        model_ids=tuple(row["model_ids"].lower().split("|")),
        **{column: number[column] for column in ("total_b", "active_b", "layers", "kv_bytes_per_token")},
        hardware=row["hardware"],
        devices=number["devices"],
        batch=number["batch"],
        precision=row["precision"],
        cost=tuple(number[f"{column}_j"] for column in COST),
        host_share=number["host_share"],
        idle_share=number["idle_share"],
        log_sd=number["log_sd"],
        causes=MappingProxyType({cause: number[f"cause_{cause}"] for cause in CAUSES}),
        price=_price(row, where),
        price_weight=number["price_weight"],
        evidence=tuple(row["evidence"].split("|")),
        date=row["date"],
    )


def _price(row: Mapping[str, str], where: str) -> ListPrice | None:
    if not any(row[column] for column in PRICES):
        return None
    return ListPrice(*(_number(row[column], f"{where}, column {column}", least=1e-12) for column in PRICES))


def _number(cell: str, where: str, *, least: float) -> float:
    try:
        value = float(cell)
    except ValueError:
        raise ReferenceDataError(f"{where}: {cell!r} is not a number; {REBUILD}") from None
    if not math.isfinite(value) or value < least:
        raise ReferenceDataError(f"{where}: {cell} is out of range; {REBUILD}")
    return value
