"""Records of one tenant in the order of their keys, some thousand at a time, with what has corrected them so far.

What retention has dropped of them comes from the archive, where it is in it.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import BigInteger, Connection, text

from rice_stream.meter.amounts import roll_up
from rice_stream.quantities import ENTRY_AMOUNTS, UNKNOWN, Ints
from rice_stream.store.archive.dropped_rows import dropped_rows
from rice_stream.store.copied import WireType, copied_numbers, side_by_side
from rice_stream.store.entries import ENTRY_COLUMNS, Entries, signed_sums
from rice_stream.store.event_key_columns import key_bounds, key_bytes, stored_key
from rice_stream.store.key_places import keys_of, places_of
from rice_stream.store.measured_columns import of_columns
from rice_stream.store.record_columns import KEY_COLUMNS, METERED_COLUMN, TOKEN_COLUMNS
from rice_stream.store.record_measures import of_record
from rice_stream.store.schema_records import prompt_record

_PLAIN = (*KEY_COLUMNS, "ended_at_us")
_NULLABLE = ("user_key", "api_key_key", *TOKEN_COLUMNS, METERED_COLUMN)
_COUNTS = ("prompts", *TOKEN_COLUMNS)
_MEASURES = [name for name in ENTRY_AMOUNTS if name not in _COUNTS]
_READ = {*_PLAIN, *_NULLABLE, *_MEASURES} - {"impact_prompts"}
"""What is read of the archive: columns of `prompt_record`."""
_RECORDED = {f"recorded_{name}": of_record(name) for name in _MEASURES}
_OF_RECORDS: dict[str, WireType] = {
    **{
        name: "int8" if isinstance(prompt_record.c[name].type, BigInteger) else "int4"
        for name in (*_PLAIN, *_NULLABLE)
        if name != "tenant_key"
    },
    **dict.fromkeys(_RECORDED, "int8"),
    "event_key": "uuid",
}
_TOLD_APART = tuple(name for name in ENTRY_COLUMNS if name not in ("tenant_key", "ended_at_us"))
"""When a prompt ended, and whose tenant's it is, is the record's own in all of its lines."""
_OF_LINES: dict[str, WireType] = {
    **dict.fromkeys(_TOLD_APART, "int4"),
    **dict.fromkeys(_COUNTS, "int4"),
    **dict.fromkeys(_MEASURES, "int8"),
    "event_key": "uuid",
}


class RecordStretch(NamedTuple):
    """Records of a tenant that ended in [low_us, high_us) and whose key comes after `after` (None: from the first on)."""

    tenant_key: int
    low_us: int
    high_us: int
    after: bytes | None = None


class RecordedChunk(NamedTuple):
    """n records, and what they and the entries that correct them amount to by now."""

    event_keys: NDArray[np.uint8]
    """Shape (n, 16), in their order."""
    columns: dict[str, Ints]
    """Of the records, shape (n,) each, UNKNOWN (-1) for null."""
    now: Entries
    """What each record amounts to, by who it is of and what it rests on: no line of one that was voided."""
    row_of: Ints
    """The record of each line of `now`."""
    voided: NDArray[np.bool_]
    """Which records were voided, shape (n,)."""
    recorded: dict[str, int]
    """What the records add up to as they were recorded, by ENTRY_AMOUNTS."""
    contracts_ugco2e: Ints
    """What contracts have changed of the carbon by the market of each record so far, shape (n,)."""

    def __len__(self) -> int:
        return len(self.event_keys)

    @property
    def factors_by_now(self) -> Ints:
        """The factors that each record rests on by now, shape (n,); where these are none or several, those it was recorded with."""
        keys = self.columns["factor_key"].copy()
        single = np.bincount(self.row_of, minlength=len(self))[self.row_of] == 1
        keys[self.row_of[single]] = self.now.columns["factor_key"][single]
        return keys

    @property
    def attribution_by_now(self) -> Ints:
        """Who each record is charged to by now, shape (n,): mappings may have charged it to others since."""
        keys = self.columns["attribution_key"].copy()
        keys[self.row_of] = self.now.columns["attribution_key"]
        return keys

    def where(self, rows: NDArray[np.intp]) -> "RecordedChunk":
        """The given records of the chunk, in their order; what all were recorded with stays that of all."""
        place = np.full(len(self), -1, dtype=np.int64)
        place[rows] = np.arange(len(rows))
        kept = np.flatnonzero(place[self.row_of] >= 0)
        return RecordedChunk(
            self.event_keys[rows],
            {name: column[rows] for name, column in self.columns.items()},
            self.now.select(kept),
            place[self.row_of[kept]],
            self.voided[rows],
            self.recorded,
            self.contracts_ugco2e[rows],
        )

    @property
    def last_key(self) -> bytes:
        """Where the next chunk begins."""
        return bytes(self.event_keys[-1].tobytes())


def read_chunk(connection: Connection, stretch: RecordStretch, limit: int) -> RecordedChunk | None:
    """The next records of a stretch, at most `limit`; None: there are no more."""
    columns, measures, event_keys = _records(connection, stretch, limit)
    if not len(event_keys):
        return None
    recorded = np.empty((len(event_keys), len(ENTRY_AMOUNTS)), dtype=np.int64)
    recorded[:, 0] = 1
    for place, name in enumerate(TOKEN_COLUMNS, start=1):
        np.maximum(columns[name], 0, out=recorded[:, place])
    recorded[:, len(_COUNTS) :] = measures
    bounds = {"tenant_key": stretch.tenant_key, **_key_range(connection, event_keys)}
    now, row_of = _by_now(event_keys, columns, recorded, _corrections(connection, event_keys, bounds))
    voided = np.zeros(len(event_keys), dtype=np.bool_)
    statement = (
        "SELECT event_key FROM adjustment WHERE tenant_key = :tenant_key AND cause = 'void'"
        " AND event_key >= :first AND event_key <= :last"
    )
    found = keys_of(b"".join(map(key_bytes, connection.scalars(text(statement), bounds))))
    places = places_of(event_keys, found)
    voided[places[places >= 0]] = True
    sums = dict(zip(ENTRY_AMOUNTS, signed_sums(recorded), strict=True))
    contracts_ugco2e = _by_contracts(connection, bounds, event_keys)
    return RecordedChunk(event_keys, columns, now, row_of, voided, sums, contracts_ugco2e)


def _by_contracts(connection: Connection, bounds: dict[str, Any], event_keys: NDArray[np.uint8]) -> Ints:
    found = np.zeros(len(event_keys), dtype=np.int64)
    whose = "a.tenant_key = :tenant_key AND a.cause = 'contract'"
    asked = {"tenant_key": bounds["tenant_key"]}
    if connection.scalar(text(f"SELECT 1 FROM adjustment a WHERE {whose} LIMIT 1"), asked) is None:
        return found
    statement = (
        "SELECT m.event_key, SUM(m.carbon_market_ugco2e) FROM adjustment a JOIN adjustment_entry m"
        f" ON m.adjustment_key = a.adjustment_key AND m.tenant_key = a.tenant_key WHERE {whose}"
        " AND m.tenant_key = :tenant_key AND m.event_key >= :first AND m.event_key <= :last GROUP BY m.event_key"
    )
    rows = connection.execute(text(statement), bounds).all()
    places = places_of(event_keys, keys_of(b"".join(key_bytes(key) for key, _ in rows)))
    amounts = np.array([int(amount) for _, amount in rows], dtype=np.int64)
    found[places[places >= 0]] = amounts[places >= 0]
    return found


class _Records(NamedTuple):
    columns: dict[str, Ints]
    measures: Ints
    """What they add to _MEASURES, shape (n, len(_MEASURES))."""
    event_keys: NDArray[np.uint8]


def _records(connection: Connection, stretch: RecordStretch, limit: int) -> _Records:
    rows = dropped_rows(connection, *stretch, limit, _READ)
    if rows is None:
        return _kept_records(connection, stretch, limit)
    columns = {name: rows.numbers[name] for name in (*_PLAIN, *_NULLABLE)}
    measures = np.column_stack([of_columns(name, rows.numbers, len(rows)) for name in _MEASURES])
    return _Records(columns, measures, rows.event_keys)


def _kept_records(connection: Connection, stretch: RecordStretch, limit: int) -> _Records:
    dialect = connection.dialect.name
    low, high = key_bounds(dialect, stretch.low_us, stretch.high_us)
    conditions = "r.event_key >= :low AND r.event_key < :high AND r.ended_at_us >= :low_us AND r.ended_at_us < :high_us"
    asked: dict[str, Any] = {**stretch._asdict(), "low": low, "high": high, "limit": limit}
    asked.pop("after")
    if stretch.after is not None:
        conditions += " AND r.event_key > :after"
        asked["after"] = stored_key(dialect, stretch.after)
    names = [name for name in _OF_RECORDS if name not in _RECORDED and name != "event_key"]
    wanted = [f"COALESCE(r.{name}, {UNKNOWN}) AS {name}" if name in _NULLABLE else f"r.{name}" for name in names]
    wanted += [f"CAST({value} AS BIGINT) AS {name}" for name, value in _RECORDED.items()]
    statement = (
        f"SELECT {', '.join(wanted)}, r.event_key FROM prompt_record r"
        f" WHERE r.tenant_key = :tenant_key AND {conditions} ORDER BY r.event_key LIMIT :limit"
    )
    if dialect == "postgresql":
        found = copied_numbers(connection, statement, asked, _OF_RECORDS)
        columns = {name: found[name].astype(np.int64) for name in names}
        measures = side_by_side(found, list(_RECORDED)).astype(np.int64)
        event_keys = keys_of(found["event_key"].tobytes())
    else:
        rows = connection.execute(text(statement), asked).all()
        by_column = list(zip(*rows, strict=True)) or [()] * len(_OF_RECORDS)
        numbers = np.array(by_column[:-1], dtype=np.int64)
        columns = dict(zip(names, numbers, strict=False))
        measures = numbers[len(names) :].T
        event_keys = keys_of(b"".join(map(key_bytes, by_column[-1])))
    return _Records({**columns, "tenant_key": np.full(len(event_keys), stretch.tenant_key)}, measures, event_keys)


def _key_range(connection: Connection, event_keys: NDArray[np.uint8]) -> dict[str, Any]:
    dialect = connection.dialect.name
    return {name: stored_key(dialect, event_keys[at].tobytes()) for name, at in (("first", 0), ("last", -1))}


class _Corrections(NamedTuple):
    """m lines that have corrected records: the place of the record of each, its _TOLD_APART, and its ENTRY_AMOUNTS."""

    row_of: Ints
    columns: Ints
    """Shape (m, len(_TOLD_APART))."""
    amounts: Ints

    def __len__(self) -> int:
        return len(self.row_of)


def _corrections(connection: Connection, event_keys: NDArray[np.uint8], bounds: dict[str, Any]) -> _Corrections:
    """Lines of these records."""
    whose = "tenant_key = :tenant_key AND counted = 1 AND event_key >= :first AND event_key <= :last"
    names = (*_TOLD_APART, *ENTRY_AMOUNTS)
    wanted = [f"COALESCE({name}, {UNKNOWN}) AS {name}" if name == "user_key" else name for name in names]
    statement = f"SELECT {', '.join(wanted)}, event_key FROM adjustment_entry WHERE {whose}"
    if connection.dialect.name == "postgresql":
        found = copied_numbers(connection, statement, bounds, _OF_LINES)
        columns = side_by_side(found, _TOLD_APART).astype(np.int64)
        amounts = np.empty((len(found), len(ENTRY_AMOUNTS)), dtype=np.int64)
        amounts[:, : len(_COUNTS)] = side_by_side(found, _COUNTS)
        amounts[:, len(_COUNTS) :] = side_by_side(found, _MEASURES)
        keys = keys_of(found["event_key"].tobytes())
    else:
        rows = connection.execute(text(statement), bounds).all()
        numbers = np.array([row[:-1] for row in rows], dtype=np.int64).reshape(-1, len(names))
        columns, amounts = numbers[:, : len(_TOLD_APART)], numbers[:, len(_TOLD_APART) :]
        keys = keys_of(b"".join(key_bytes(row[-1]) for row in rows))
    places = places_of(event_keys, keys)
    if (inside := places >= 0).all():
        return _Corrections(places, columns, amounts)
    return _Corrections(places[inside], columns[inside], amounts[inside])


def _by_now(
    event_keys: NDArray[np.uint8], columns: dict[str, Ints], recorded: Ints, added: _Corrections
) -> tuple[Entries, Ints]:
    own = {name: columns[name] for name in ENTRY_COLUMNS}
    places = np.arange(len(event_keys), dtype=np.int64)
    if not len(added):
        return Entries(event_keys, own, recorded), places
    told_apart = [np.append(own[name], added.columns[:, at]) for at, name in enumerate(_TOLD_APART)]
    sums = roll_up([np.append(places, added.row_of), *told_apart], np.concatenate([recorded, added.amounts]))
    kept = sums.sums.any(axis=1)
    keys, amounts = (sums.keys, sums.sums) if kept.all() else (sums.keys[kept], sums.sums[kept])
    row_of = keys[:, 0]
    named = {name: column[row_of] for name, column in own.items()}
    named |= {name: keys[:, at] for at, name in enumerate(_TOLD_APART, start=1)}
    return Entries(event_keys[row_of], named, amounts), row_of
