"""Laying factor sets over the tables: what a set's rows are in the tables, and whether they fit them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from rice_stream.reference.checks import check_tables
from rice_stream.reference.merging import Layer, merge_layers
from rice_stream.reference.pue import provider_subject
from rice_stream.reference.reading import Cell, Row, raise_problems
from rice_stream.reference.sets.columns import LAID_KINDS, SetKind
from rice_stream.reference.sets.factor_set import DIGEST_SHOWN, FactorSet
from rice_stream.reference.types import ESTIMATED

Tables = Mapping[str, Sequence[Row]]


def check_set(factor_set: FactorSet, tables: Tables) -> None:
    """ReferenceDataError, naming row and column: something of the set does not fit the tables that it is to be laid over."""
    check_names(factor_set, tables)
    check_tables(laid(tables, [factor_set]))


def check_names(factor_set: FactorSet, tables: Tables) -> None:
    """ReferenceDataError, naming row and column: the set names a place or provider that the tables do not know."""
    raise_problems(_problems(factor_set, tables))


def laid(tables: Tables, sets: Sequence[FactorSet]) -> dict[str, list[Row]]:
    """The tables with the sets over them, the last one on top; contracts are not laid."""
    return merge_layers([tables, *(_layer(one, tables) for one in sets if one.kind in LAID_KINDS)])


def source_id(factor_set: FactorSet) -> str:
    """What rows of a set name as their source."""
    return f"set:{factor_set.digest}"


def _layer(factor_set: FactorSet, tables: Tables) -> Layer:
    names = _Names(tables)
    cells = _CELLS[factor_set.kind]
    table = _TABLE[factor_set.kind]
    rows = [
        replace(
            row,
            cells={**_undated(row), **cells(row, names), "source": source_id(factor_set)},
            overlaid=True,
            lapses=True,
            provisional=row.cells.get("status") == ESTIMATED,
        )
        for row in factor_set.rows
    ]
    return {table: rows, "sources": [_source(factor_set)]}


def _source(factor_set: FactorSet) -> Row:
    """Figures name the set wherever they name their source."""
    version = f"factor set {factor_set.digest[:DIGEST_SHOWN]}, published {factor_set.published}, {factor_set.licence}"
    cells: dict[str, Cell] = {
        "source_id": source_id(factor_set),
        "name": factor_set.source,
        "version": version,
        "published": factor_set.published,
        "licence": factor_set.licence,
        "url": factor_set.url,
        "note": factor_set.note or None,
    }
    return Row(f"factor set {factor_set.name}", cells, overlaid=True)


class _Names:
    """Ids of the tables by their lower-case spelling: a file may write them otherwise."""

    def __init__(self, tables: Tables) -> None:
        self.places = {row.text("region_id").lower(): row.text("region_id") for row in tables["regions"]}
        self.providers = {row.text("provider").lower(): row.text("provider") for row in tables["providers"]}

    def place(self, row: Row) -> str:
        return self.places.get(row.text("region").lower(), row.text("region"))

    def provider(self, row: Row) -> str:
        return self.providers.get(row.text("provider").lower(), row.text("provider"))


def _problems(factor_set: FactorSet, tables: Tables) -> list[str]:
    """Names that the tables do not know."""
    names, kind = _Names(tables), factor_set.kind
    problems = []
    for row in factor_set.rows:
        if (
            kind in ("rci", "pue", "market", "contract")
            and row.text("region")
            and row.text("region").lower() not in names.places
        ):
            problems.append(
                f"{row.where}, column region: {row.text('region')!r} is no place of the tables; see `rice-stream regions`"
            )
        if (
            kind in ("pue", "price", "market", "contract")
            and row.text("provider")
            and row.text("provider").lower() not in names.providers
        ):
            problems.append(
                f"{row.where}, column provider: {row.text('provider')!r} is no provider of the tables; see"
                " docs/reference-data.md"
            )
    return problems


def _undated(row: Row) -> dict[str, Cell]:
    return {name: row.cells.get(name) for name in ("year", "valid_from", "valid_to", "note")}


def _rci(row: Row, names: _Names) -> dict[str, Cell]:
    kept = {name: row.cells[name] for name in ("scope", "signal", "accounting")}
    return {**kept, "region_id": names.place(row), "rci_gco2e_per_kwh": row.cells["value"]}


def _market(row: Row, names: _Names) -> dict[str, Cell]:
    kept = {name: row.cells[name] for name in ("instrument", "scope", "granularity")}
    provider = names.provider(row) if row.text("provider") else None
    region_id = names.place(row) if row.text("region") else None
    return {**kept, "provider": provider, "region_id": region_id, "rci_gco2e_per_kwh": row.cells["value"]}


def _pue(row: Row, names: _Names) -> dict[str, Cell]:
    region = names.place(row) if row.text("region") else ""
    subject = provider_subject(names.provider(row), region) if row.text("provider") else region
    return {"subject": subject, "basis": "region" if region else "fleet", "pue": row.cells["value"]}


def _price(row: Row, names: _Names) -> dict[str, Cell]:
    usd = {f"usd_per_mtok_{name}": row.cells[name] for name in ("input", "cache_read", "output")}
    return {"provider": names.provider(row), "model": row.cells["model"], **usd}


def _evidence(row: Row, names: _Names) -> dict[str, Cell]:
    del names
    return dict(row.cells)


_CELLS: Mapping[SetKind, Callable[[Row, _Names], dict[str, Cell]]] = {
    "rci": _rci,
    "pue": _pue,
    "price": _price,
    "evidence": _evidence,
    "market": _market,
}
_TABLE: Mapping[SetKind, str] = {
    "rci": "rci",
    "pue": "pue",
    "price": "prices",
    "evidence": "evidence",
    "market": "market",
}
