"""From a loaded file to a checked factor set. Pure: whoever reads the file hands over what YAML or JSON made of it.

Every problem is found before any is told; each names the file, the row (the first is 1) and the column.
"""

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import NamedTuple

from rice_stream.errors import UsageError
from rice_stream.instants import epoch_us, rfc3339, us_from_iso
from rice_stream.quantities import is_storable
from rice_stream.reference.columns import ReferenceTable
from rice_stream.reference.reading import Row, overlaps, raise_problems, read_row
from rice_stream.reference.sets.columns import DEFAULTS, HEAD, HOURLY_KINDS, ROWS, SET_KINDS, SetKind
from rice_stream.reference.sets.factor_set import FactorSet
from rice_stream.reference.sets.hours import SHAPES, read_hours
from rice_stream.reference.sets.market_rows import market_problems, unmixed_problems

ROWS_MAX = 20_000
EFFECTIVE_FROM = "effective_from"
_HEAD_FIELDS = ("kind", *(column.name for column in HEAD), EFFECTIVE_FROM, "rows")


class ParsedFile(NamedTuple):
    """What a file holds: the set, and from when on it is to be taken, as the file says; None: it does not say."""

    factor_set: FactorSet
    effective_from: str | None


def parse_factor_file(loaded: object, named: str) -> ParsedFile:
    """The set of a loaded YAML or JSON file; `named` is what messages call the file.

    Raises:
        ReferenceDataError: one message that lists every problem, as "grid.yaml row 3, column value: ...".
    """
    problems: list[str] = []
    if not isinstance(loaded, Mapping):
        raise UsageError(f"{named}: must be a mapping with {', '.join(_HEAD_FIELDS)}")
    problems += [_unknown(named, name, _HEAD_FIELDS) for name in loaded if name not in _HEAD_FIELDS]
    kind = loaded.get("kind")
    if kind not in SET_KINDS:
        problems.append(f"{named}, field kind: {_shown(kind)} is not allowed; it holds one of {', '.join(SET_KINDS)}")
    head = _head(loaded, named, problems)
    given = loaded.get("rows")
    if not isinstance(given, list):
        problems.append(f"{named}, field rows: it holds a list of rows; an empty one withdraws the set of this name")
    elif len(given) > ROWS_MAX:
        problems.append(f"{named}, field rows: {len(given):,} rows; a set has {ROWS_MAX:,} at most, so split it")
    raise_problems(problems)
    checked: SetKind = next(each for each in SET_KINDS if each == kind)
    rows = _rows(checked, given or [], named)
    return ParsedFile(FactorSet(checked, **head, rows=rows), _text(loaded.get(EFFECTIVE_FROM)))


def parse_content(content: bytes) -> FactorSet:
    """The set that stored canonical bytes hold."""
    loaded = json.loads(content)
    return parse_factor_file(loaded, f"factor set {loaded['name']}").factor_set


def _head(loaded: Mapping[object, object], named: str, problems: list[str]) -> dict[str, str]:
    head: dict[str, str] = {}
    for column in HEAD:
        value = loaded.get(column.name)
        text = _text(value)
        if text and not is_storable(text):
            problems.append(
                f"{named}, field {column.name}: {_shown(value)} is not allowed; it holds characters of text"
            )
        elif (text is None and value is not None) or (column.required and not text) or (text and len(text) > 2_000):
            problems.append(
                f"{named}, field {column.name}: {_shown(value)} is not allowed; it holds {column.allowed()}"
            )
        elif text and column.kind == "date" and not _is_date(text):
            problems.append(f"{named}, field {column.name}: {text!r} is not allowed; it holds {column.allowed()}")
        else:
            head[column.name] = text or ""
    return head


def _rows(kind: SetKind, given: Sequence[object], named: str) -> tuple[Row, ...]:
    table, problems = ROWS[kind], list[str]()
    rows: list[Row] = []
    for number, fields in enumerate(given, start=1):
        where = f"{named} row {number}"
        if not isinstance(fields, Mapping):
            problems.append(f"{where}: must be a mapping of columns")
            continue
        read = _row(kind, table, fields, where, problems)
        if read is not None:
            rows.append(read)
    if kind == "pue":
        problems += [
            f"{row.where}, column provider: give a provider, a region or both"
            for row in rows
            if not row.text("provider") and not row.text("region")
        ]
    if kind == "market":
        problems += market_problems(rows)
    if kind == "contract":
        problems += unmixed_problems(rows)
    raise_problems(problems + overlaps(table, rows))
    return tuple(rows)


def _row(
    kind: SetKind, table: ReferenceTable, fields: Mapping[object, object], where: str, problems: list[str]
) -> Row | None:
    """One row; None: something is wrong with it."""
    found = len(problems)
    header = [column.name for column in table.columns]
    known = [*header, *(SHAPES if kind in HOURLY_KINDS else ())]
    problems += [_unknown(where, name, known, "column") for name in fields if name not in known]
    cells: list[str] = []
    for name in header:
        text = _text(fields.get(name))
        if text is None and fields.get(name) is not None:
            problems.append(f"{where}, column {name}: {_shown(fields[name])} is not allowed; it holds one value")
        elif text and not is_storable(text):
            problems.append(f"{where}, column {name}: {_shown(text)} is not allowed; it holds characters of text")
        cells.append(text or DEFAULTS.get(kind, {}).get(name, ""))
    hours = None
    if kind in HOURLY_KINDS:
        texts = {str(name): fields[name] for name in fields}
        start = cells[header.index("valid_from")]
        hours = read_hours(texts, us_from_iso(start) if _is_date(start) else None, problems, where)
        if hours is not None:
            if fields.get("value") is not None:
                problems.append(f"{where}, column value: give value or {hours.shape}, not both")
            cells[header.index("value")] = repr(hours.mean)
            if hours.end_us is not None and not cells[header.index("valid_to")]:
                cells[header.index("valid_to")] = rfc3339(hours.end_us)
    if len(problems) > found:
        return None
    row = read_row(table, header, cells, where, problems)
    return None if row is None else replace(row, hours=hours)


def _unknown(where: str, name: object, known: Sequence[str], what: str = "field") -> str:
    close = difflib.get_close_matches(str(name), known, n=1)
    meant = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
    return f"{where}, {what} {_shown(name)}: is unknown; {meant}"


def _text(value: object) -> str | None:
    """A single value as a cell has it; None: there is none, or it is none."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, datetime):
        return rfc3339(epoch_us(value)) if value.tzinfo is not None else value.isoformat()
    return value.isoformat() if isinstance(value, date) else None


def _is_date(text: str) -> bool:
    try:
        us_from_iso(text)
    except ValueError:
        return False
    return True


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
