"""Reading records from files of the archive: some at a time in the order of their keys, or those of one id."""

import bisect
import json
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from rice_stream.errors import DamagedArchiveError
from rice_stream.quantities import UNKNOWN
from rice_stream.store.archive.columns import EVENT_ID, FIRST_KEY, KEY, LAST_KEYS, NUMBERS
from rice_stream.store.archive.kept import ArchivedFile
from rice_stream.store.archive.month_rows import RecordRows
from rice_stream.store.archive.part_files import digest_of

_OPENED = 16
_BELOW_WAREHOUSE = 3
"""Names of a file that say whose and of which month it is."""
_GROUPS_KEPT = 2
"""Two: records of one month that came late are in a file beside the others."""


class ArchivedRows:
    """Records of files, from the database's point of view: the columns of `prompt_record`, UNKNOWN for null."""

    def __init__(self, files: Sequence[ArchivedFile], columns: Collection[str], *, with_ids: bool = False) -> None:
        """Of these columns of numbers; `with_ids`: with the events' ids as well, which are left empty otherwise."""
        self._files = sorted(files, key=lambda file: file.first_key)
        self._columns = tuple(columns)
        self._with_ids = with_ids
        self._groups: dict[tuple[str, int], RecordRows] = {}

    def after(self, key: bytes | None, limit: int, *, includes: bool = False) -> RecordRows | None:
        """The next records after a key (None: the first ones; `includes`: from it on), at most `limit`; None: there are no more.

        DamagedArchiveError: a file is gone or was changed.
        """
        found: RecordRows | None = None
        for file in self._files:
            if found is not None and len(found) >= limit and found.event_keys[limit - 1].tobytes() < file.first_key:
                break
            rows = self._of_file(file, key, limit, includes=includes)
            if rows is not None:
                found = rows if found is None else _in_order(found, rows)
        return None if found is None else found.between(0, limit)

    def _of_file(self, file: ArchivedFile, key: bytes | None, limit: int, *, includes: bool) -> RecordRows | None:
        def is_past(last: bytes) -> bool:
            return key is not None and (last < key or (last == key and not includes))

        if is_past(file.last_key):
            return None
        found: list[RecordRows] = []
        count = 0
        for number, last in enumerate(_opened(file.path, file.sha256).last_keys):
            if is_past(last):
                continue
            rows = self._of_group(file, number)
            if key is not None and not found:
                rows = _from(rows, key, includes=includes)
            found.append(rows)
            count += len(rows)
            if count >= limit:
                break
        return found[0] if len(found) == 1 else _joined(found)

    def _of_group(self, file: ArchivedFile, number: int) -> RecordRows:
        which = file.path, number
        if which not in self._groups:
            if len(self._groups) >= _GROUPS_KEPT:
                self._groups.pop(next(iter(self._groups)))
            self._groups[which] = read_group(file, number, self._columns, with_ids=self._with_ids)
        return self._groups[which]


def read_group(file: ArchivedFile, number: int, columns: Collection[str], *, with_ids: bool = False) -> RecordRows:
    """One group of rows of a file. DamagedArchiveError: as from `ArchivedRows.after`."""
    names = [NUMBERS[name].in_file for name in columns]
    table = _read(file, number, [*names, KEY, *([EVENT_ID] if with_ids else [])])
    numbers = {name: _numbers(table, NUMBERS[name].in_file) for name in columns}
    ids = table[EVENT_ID].to_pylist() if with_ids else [""] * len(table)
    return RecordRows(_keys(table[KEY]), numbers, ids)


def groups_beyond(file: ArchivedFile, key: bytes | None, *, backwards: bool) -> Iterator[RecordRows]:
    """Group after group of a file, with all columns, from the one on that may have records beyond a key (None: all of them).

    `backwards`: the last ones first. DamagedArchiveError: as from `ArchivedRows.after`.
    """
    last_keys = _opened(file.path, file.sha256).last_keys
    for number in reversed(range(len(last_keys))) if backwards else range(len(last_keys)):
        before = last_keys[number - 1] if number else b""
        if key is None or (before <= key if backwards else last_keys[number] >= key):
            yield read_group(file, number, list(NUMBERS), with_ids=True)


def records_of_id(file: ArchivedFile, event_id: str) -> Iterator[RecordRows]:
    """All columns of the records of a file that have an id. DamagedArchiveError: as from `ArchivedRows.after`."""
    for number in range(len(_opened(file.path, file.sha256).last_keys)):
        if pc.any(pc.equal(_read(file, number, [EVENT_ID])[EVENT_ID], event_id)).as_py():
            rows = read_group(file, number, list(NUMBERS), with_ids=True)
            yield rows.select(np.array([place for place, each in enumerate(rows.event_ids) if each == event_id]))


def part_of(path: Path, number: int, *, is_late: bool) -> ArchivedFile:
    """What is to be known of a file that is complete, by its own description. DamagedArchiveError: as from `ArchivedRows.after`."""
    digest = digest_of(path)
    opened = _opened(str(path), digest)
    first = bytes.fromhex(opened.metadata.metadata[FIRST_KEY.encode()].decode())
    size, records = path.stat().st_size, opened.metadata.num_rows
    return ArchivedFile(number, str(path), is_late, records, size, digest, first, opened.last_keys[-1])


class _Opened(NamedTuple):
    metadata: Any
    last_keys: list[bytes]
    """Of each group of rows."""


@lru_cache(maxsize=_OPENED)
def _opened(path: str, _sha256: bytes) -> _Opened:
    """A file's own description; the digest tells files of the same name apart."""
    try:
        metadata = pq.read_metadata(path)
        return _Opened(metadata, [bytes.fromhex(key) for key in json.loads(metadata.metadata[LAST_KEYS.encode()])])
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise _damaged(path, error) from error


def _read(file: ArchivedFile, number: int, columns: Sequence[str]) -> Any:
    metadata = _opened(file.path, file.sha256).metadata
    there = set(metadata.schema.names)
    try:
        with pq.ParquetFile(file.path, metadata=metadata, page_checksum_verification=True) as source:
            return source.read_row_group(number, columns=[name for name in columns if name in there], use_threads=False)
    except (OSError, pa.ArrowException) as error:
        raise _damaged(file.path, error) from error


def _damaged(path: str, error: Exception) -> DamagedArchiveError:
    return DamagedArchiveError(
        f"{path} is not what was archived, or is not there ({error}); put it back from a backup: `rice-stream archive --check`"
        " reads every file",
        "/".join(Path(path).parts[-_BELOW_WAREHOUSE:]),
    )


def _numbers(table: Any, name: str) -> Any:
    if name not in table.column_names:  # written before there was such a column
        return np.full(len(table), UNKNOWN, dtype=np.int64)
    column = table[name]
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.int64())
    if column.null_count:
        column = column.fill_null(UNKNOWN)
    return column.to_numpy().astype(np.int64)


def _keys(column: Any) -> NDArray[np.uint8]:
    joined = column.combine_chunks()
    flat = np.frombuffer(joined.buffers()[1], dtype=np.uint8, count=16 * len(joined), offset=16 * joined.offset)
    return flat.reshape(-1, 16)


def _from(rows: RecordRows, key: bytes, *, includes: bool) -> RecordRows:
    find = bisect.bisect_left if includes else bisect.bisect_right
    first = find(range(len(rows)), key, key=lambda place: rows.event_keys[place].tobytes())
    return rows.between(first, len(rows))


def _joined(parts: Sequence[RecordRows]) -> RecordRows:
    return RecordRows(
        np.concatenate([part.event_keys for part in parts]),
        {name: np.concatenate([part.numbers[name] for part in parts]) for name in parts[0].numbers},
        [each for part in parts for each in part.event_ids],
    )


def _in_order(one: RecordRows, other: RecordRows) -> RecordRows:
    rows = _joined([one, other])
    order = sorted(range(len(rows)), key=lambda place: rows.event_keys[place].tobytes())
    return rows.select(np.array(order, dtype=np.intp))
