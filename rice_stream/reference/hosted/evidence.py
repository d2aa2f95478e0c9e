"""What is known about hosted models, piece by piece: rows of evidence.csv, list prices, and the models' own rows.

Each piece has an id that stays the same: `arch:gpt-4o`, `price:openai/gpt-4o@2024-08-06`, `disclosure:deepseek-2025-02`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rice_stream.quantities import Range
from rice_stream.reference.hosted.mixes import log_sd_of
from rice_stream.reference.reading import Row
from rice_stream.reference.sources import SourceTable
from rice_stream.reference.types import HostFactor, ModelFactor, PriceFactor

FACILITY_ENERGY = "facility_energy"
"""The quantity of a disclosure that estimates can be moved by: watt-hours at the meter of the data centre."""
APPLY = "apply"
"""The use of a disclosure that moves estimates; a row of the user's own moves them unless it says otherwise."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One piece of evidence: a value with its unit, of what it is, from whom and of when.

    `models` are ids of the model table, empty where it is of no model in particular. Tokens are those of the whole that
    the value is of, None where they are not known.
    """

    evidence_id: str
    kind: str
    quantity: str
    value: float
    unit: str
    source: str
    date: str
    low: float | None = None
    high: float | None = None
    log_sd: float | None = None
    models: tuple[str, ...] = ()
    provider: str = ""
    input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    output_tokens: int | None = None
    boundary: str = ""
    grade: str = ""
    use: str = ""
    based_on: tuple[str, ...] = ()
    note: str = ""
    overlaid: bool = False


@dataclass(frozen=True, slots=True)
class Disclosure:
    """Facility energy of a stated number of tokens, from whoever serves the model: moves the estimates of that model."""

    evidence_id: str
    facility_energy_wh: float
    input_tokens: int
    cache_read_input_tokens: int
    output_tokens: int
    log_sd: float
    source: str
    date: str


class EvidenceTable:
    """evidence.csv, ready for look-up."""

    def __init__(self, rows: Sequence[Row], sources: SourceTable) -> None:
        self._pieces: Mapping[str, Evidence] = {row.text("evidence_id"): _piece(row, sources) for row in rows}

    def __iter__(self) -> Iterator[Evidence]:
        return iter(self._pieces.values())

    def get(self, evidence_id: str) -> Evidence | None:
        """The row of an id."""
        return self._pieces.get(evidence_id)

    def of_model(self, model_id: str) -> list[Evidence]:
        """The rows of a model, and what these rest on, each once: what is taken first, then what it rests on."""
        found: dict[str, Evidence] = {}
        left = [piece for piece in self._pieces.values() if model_id in piece.models]
        left.sort(key=lambda piece: not piece.based_on)
        while left:
            piece = left.pop(0)
            if piece.evidence_id not in found:
                found[piece.evidence_id] = piece
                left += [self._pieces[name] for name in piece.based_on]
        return list(found.values())

    def disclosures(self, model_id: str, provider_id: str) -> tuple[Disclosure, ...]:
        """Disclosed facility energies that move the estimates of a model at a provider."""
        return tuple(
            Disclosure(
                piece.evidence_id,
                piece.value,
                piece.input_tokens or 0,
                piece.cache_read_input_tokens or 0,
                piece.output_tokens or 0,
                _log_sd(piece),
                piece.source,
                piece.date,
            )
            for piece in self._pieces.values()
            if applies(piece.kind, piece.quantity, piece.use, overlaid=piece.overlaid)
            and model_id in piece.models
            and piece.provider in ("", provider_id)
        )


def applies(kind: str, quantity: str, use: str, *, overlaid: bool) -> bool:
    """Whether a row moves estimates."""
    return kind == "disclosure" and quantity == FACILITY_ENERGY and (use == APPLY or (overlaid and not use))


def of_parameters(model: ModelFactor) -> list[Evidence]:
    """A model's own row as evidence: its active parameters, then all of them where these are more."""
    pieces = [_parameters(model, "params_active_b", model.params_active_b, f"arch:{model.model_id}")]
    if model.params_total_b != model.params_active_b:
        pieces.append(_parameters(model, "params_total_b", model.params_total_b, f"arch:{model.model_id}/total"))
    return pieces


def of_price(price: PriceFactor) -> list[Evidence]:
    """A list price as evidence: of input, cached input and output tokens."""
    named = (
        ("usd_per_mtok_output", price.usd_per_mtok.output),
        ("usd_per_mtok_input", price.usd_per_mtok.input),
        ("usd_per_mtok_cache_read", price.usd_per_mtok.cache_read),
    )
    return [
        Evidence(
            evidence_id=price.evidence_id,
            kind="price",
            quantity=quantity,
            value=value,
            unit="USD per million tokens",
            source=price.source,
            date=(price.valid_from or "")[:10] or price.source_date,
            provider=price.provider,
            overlaid=price.overlaid,
        )
        for quantity, value in named
    ]


def of_host(host: HostFactor) -> list[Evidence]:
    """What is known of a host as evidence: its PUE and the shares of its accelerators."""
    evidence_id, date = f"host:{host.provider}", (host.valid_from or "")[:10]

    def piece(quantity: str, value: float, unit: str, source: str, ends: Range | None = None) -> Evidence:
        return Evidence(
            evidence_id=evidence_id,
            kind="host",
            quantity=quantity,
            value=value,
            unit=unit,
            source=source,
            date=date,
            low=ends.low if ends else None,
            high=ends.high if ends else None,
            provider=host.provider,
            note=host.note,
        )

    shares = [piece(name, share, "share of hardware", host.hardware_source) for name, share in host.hardware]
    if host.pue is None:
        return shares
    return [piece("pue", host.pue.mid, "facility over IT energy", host.pue_source, host.pue), *shares]


def _parameters(model: ModelFactor, quantity: str, value: Range, evidence_id: str) -> Evidence:
    exact = value.low == value.high
    return Evidence(
        evidence_id=evidence_id,
        kind="architecture",
        quantity=quantity,
        value=value.mid,
        unit="B parameters",
        source=model.source,
        date=model.source_date or (model.valid_from or "")[:10],
        low=None if exact else value.low,
        high=None if exact else value.high,
        models=(model.model_id,),
        grade="guess" if model.estimated else "fact",
        note=model.note,
        overlaid=model.overlaid,
    )


def _log_sd(piece: Evidence) -> float:
    if piece.log_sd is not None:
        return piece.log_sd
    return 0.0 if piece.low is None or piece.high is None else log_sd_of(Range(piece.low, piece.value, piece.high))


def _piece(row: Row, sources: SourceTable) -> Evidence:
    return Evidence(
        evidence_id=row.text("evidence_id"),
        kind=row.text("kind"),
        quantity=row.text("quantity"),
        value=row.number("value"),
        unit=row.text("unit"),
        source=sources.describe(row.text("source")),
        date=row.text("date"),
        low=row.optional_number("low"),
        high=row.optional_number("high"),
        log_sd=row.optional_number("log_sd"),
        models=tuple(filter(None, row.text("models").split("|"))),
        provider=row.text("provider"),
        input_tokens=row.optional_whole("total_input_tokens"),
        cache_read_input_tokens=row.optional_whole("total_cache_read_input_tokens"),
        output_tokens=row.optional_whole("total_output_tokens"),
        boundary=row.text("boundary"),
        grade=row.text("grade"),
        use=row.text("use"),
        based_on=tuple(filter(None, row.text("based_on").split("|"))),
        note=row.text("note"),
        overlaid=row.overlaid,
    )
