"""Layers of tables into one set: an overlay's row replaces the rows below it by key, for the time that it covers."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rice_stream.reference.columns import ReferenceTable
from rice_stream.reference.reading import Row, key_of
from rice_stream.reference.tables import TABLES

Layer = Mapping[str, Sequence[Row]]


def merge_layers(layers: Sequence[Layer]) -> dict[str, list[Row]]:
    """All tables after laying the layers over each other, the last one on top, rows in a stable order."""
    return {table.name: _merge_table(table, [layer.get(table.name, ()) for layer in layers]) for table in TABLES}


def _merge_table(table: ReferenceTable, layers: Sequence[Sequence[Row]]) -> list[Row]:
    by_key: dict[tuple[str, ...], list[Row]] = {}
    for layer in layers:
        above: dict[tuple[str, ...], list[Row]] = {}
        for row in layer:
            above.setdefault(key_of(table, row), []).append(row)
        for key, rows in above.items():
            below = by_key.get(key, [])
            for row in rows:
                below = [piece for old in below for piece in _without(old, row)]
            by_key[key] = sorted(below + rows, key=lambda row: row.valid_from_us)
    return [row for rows in by_key.values() for row in rows]


def _without(old: Row, new: Row) -> list[Row]:
    """What is left of `old` outside the time that `new` covers: nothing, one piece or two."""
    if new.valid_to_us <= old.valid_from_us or old.valid_to_us <= new.valid_from_us:
        return [old]
    pieces = []
    if old.valid_from_us < new.valid_from_us:
        pieces.append(replace(old, valid_to_us=new.valid_from_us))
    if new.valid_to_us < old.valid_to_us:
        pieces.append(replace(old, valid_from_us=new.valid_to_us))
    return pieces
