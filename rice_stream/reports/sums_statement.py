"""The statement that sums any number of tables at once, by any of the names that a report can be broken down by."""

from collections.abc import Sequence
from functools import lru_cache

from rice_stream.quantities import MEASURES
from rice_stream.reports.sums import (
    ARCHIVED,
    ARCHIVED_ROWS,
    FIELDS,
    NAMES_TENANT,
    NO_FACTOR,
    PART_MEASURES,
    PURPOSES,
    SHARES,
    SHOWN,
    SummandShape,
    dimensions_of,
)
from rice_stream.store.prepared import Statement, statement

_TENANT = "JOIN tenant t ON t.tenant_key = m.tenant_key"
_JOINS = {
    "attribution_key": "JOIN attribution a ON a.tenant_key = m.tenant_key AND a.attribution_key = m.attribution_key",
    "factor_key": "JOIN factor_use f ON f.factor_key = m.factor_key",
    "user_key": "LEFT JOIN principal u ON u.tenant_key = m.tenant_key AND u.principal_key = m.user_key",
    "basis_flags": "JOIN basis b ON b.basis_flags = m.basis_flags",
}
_TIMED = ("day", "month", "hour")
_BARELY_ADDED = frozenset({"day", "hour"})
"""Of one tenant nearly every row is of a stretch of time, use of factors and attribution of its own; where factors are told apart,
adding them up by their keys first leaves as many."""


@lru_cache(maxsize=512)
def statement_of(
    shapes: tuple[SummandShape, ...],
    fields: tuple[str, ...],
    conditions: str,
    *,
    is_one: bool,
    dialect: str,
    measures: tuple[str, ...] = MEASURES,
) -> Statement:
    """(question, values of the fields, what is shown, its parts) of each group; a last row has the digests of the uses of factors.

    What is shown are the sums of `measures`, in that order, of parts (key of the use of factors, PART_MEASURES): all as text, which
    is read in a fraction of the time that as many rows and NUMERICs take. Digests are (key, digest). Where `lists_buckets` says so,
    a row is (question, values of the fields but the last, list): of each stretch of time its value and the sums of `measures`.

    Kept, so that neither we nor SQLAlchemy make it twice. Rows are added up by their keys, and only what is left is given names:
    that takes half the time, but where hardly anything is added.
    """
    dimensions = sorted(dimensions_of(fields))
    keys = ["purpose", "used_factor", *_tenant_key(fields, ""), *dimensions]
    keys += [f"{name}_" for name in fields if name in _TIMED]
    places = range(len(measures))
    spans = [
        f"span_{number} (time_zone, low, high, origin_s, first_day) AS (VALUES {_span_rows(number, shape.spans)}), "
        for number, shape in enumerate(shapes)
        if shape.spans
    ]
    # Nothing is added up faster than 0; of the type of the other sums, so that PostgreSQL takes the tables as one.
    nothing = "CAST(NULL AS BIGINT)" if dialect == "postgresql" else "NULL"
    rows = "\nUNION ALL ".join(
        _rows(number, shape, fields, conditions, nothing, measures) for number, shape in enumerate(shapes)
    )
    added = (
        f"SELECT {', '.join([*keys, *(f'SUM(s{place}) AS s{place}' for place in places)])} FROM ({rows}) r"
        f" GROUP BY {_first(len(keys))}"
    )
    values = [f"m.{name}_" if name in _TIMED else FIELDS[name].value for name in fields]
    named = ["m.purpose", "m.used_factor", *(f"{value} AS g{place}" for place, value in enumerate(values))]
    groups = "".join(f", n.g{place}" for place in range(len(fields) - lists_buckets(shapes, fields)))
    return statement(
        f"""
WITH {"".join(spans)}{_archived(shapes, dialect)}m AS (
{rows if is_one and _has_parts(shapes) and not _BARELY_ADDED.isdisjoint(fields) else added}
), n AS (
SELECT {", ".join([*named, *(f"SUM(m.s{place}) AS s{place}" for place in places)])}
FROM m {" ".join(_joins(fields, is_one=is_one))} GROUP BY {_first(len(named))} HAVING SUM(m.s0) <> 0
)
SELECT n.purpose / {len(PURPOSES)}{groups}, {", ".join(_texts(shapes, fields, measures, dialect))}
FROM n GROUP BY {_first(1 + groups.count(","))}{_digests(fields, dialect) if _has_parts(shapes) else ""}"""
    )


def lists_buckets(shapes: Sequence[SummandShape], fields: Sequence[str]) -> bool:
    """Whether all stretches of time of the same names come in one row: there are many, and without parts hardly more is said of
    each than which it is."""
    return bool(fields) and fields[-1] in _TIMED and not _has_parts(shapes)


def _archived(shapes: Sequence[SummandShape], dialect: str) -> str:
    """The rows that are given to the statement, where any of its tables are these."""
    if not any(shape.source.is_archived for shape in shapes):
        return ""
    return f"{ARCHIVED.table} AS ({ARCHIVED_ROWS[dialect]}), "


def _has_parts(shapes: Sequence[SummandShape]) -> bool:
    return any(shape.purpose % len(PURPOSES) != SHOWN for shape in shapes)


def _texts(shapes: Sequence[SummandShape], fields: Sequence[str], measures: Sequence[str], dialect: str) -> list[str]:
    """What is shown of the rows `n`, and its parts; NULL where there are none."""
    sums = [f"n.s{place}" for place in range(len(measures))]
    if lists_buckets(shapes, fields):
        # Without parts `n` has one row for each.
        each = [f"n.g{len(fields) - 1}", *(f"COALESCE({name}, 0)" for name in sums)]
        return [f"{_LISTED[dialect]}({_joined(each, dialect)}, ' ')"]
    purposes = {shape.purpose % len(PURPOSES) for shape in shapes}
    purpose = f"n.purpose % {len(PURPOSES)}"
    shown = f" FILTER (WHERE {purpose} <> {SHARES})" if SHARES in purposes else ""
    amounts = _joined([f"COALESCE(SUM({each}){shown}, 0)" for each in sums], dialect)
    if shown:
        amounts = f"CASE WHEN COUNT(*){shown} > 0 THEN {amounts} END"
    if not _has_parts(shapes):
        return [amounts, "NULL"]
    ends = [sums[measures.index(name)] for name in PART_MEASURES]
    of_some = f" FILTER (WHERE {purpose} <> {SHOWN})" if SHOWN in purposes else ""
    return [amounts, f"{_LISTED[dialect]}({_joined(['n.used_factor', *ends], dialect)}, ' '){of_some}"]


_LISTED = {"postgresql": "STRING_AGG", "sqlite": "GROUP_CONCAT"}
_DIGEST = {"postgresql": "ENCODE(d.digest, 'hex')", "sqlite": "LOWER(HEX(d.digest))"}


def _digests(fields: Sequence[str], dialect: str) -> str:
    listed = f"{_LISTED[dialect]}({_joined(['d.factor_key', _DIGEST[dialect]], dialect)}, ' ')"
    return (
        f"\nUNION ALL SELECT NULL{', NULL' * len(fields)}, NULL, {listed}"
        " FROM factor_use d WHERE d.factor_key IN (SELECT n.used_factor FROM n)"
    )


def _joined(values: Sequence[str], dialect: str) -> str:
    """Values that are not null as one text with blanks between. In PostgreSQL one call: an operator for each made texts of texts,
    a fifth of all that a curve of teams took."""
    if dialect == "postgresql":
        return f"CONCAT_WS(' ', {', '.join(values)})"
    return " || ' ' || ".join(values)


def _joins(fields: Sequence[str], *, is_one: bool) -> list[str]:
    """What gives names to keys; of one tenant, only its own names are read."""
    own = {"tenant": "t", "attribution_key": "a", "user_key": "u"} if is_one else {}
    joins = [] if NAMES_TENANT.isdisjoint(fields) else [("tenant", _TENANT)]
    joins += [(dimension, _JOINS[dimension]) for dimension in sorted(dimensions_of(fields))]
    return [join + (f" AND {own[name]}.tenant_key = :tenant_key" if name in own else "") for name, join in joins]


def _tenant_key(fields: Sequence[str], row: str) -> list[str]:
    """Only where something is named by it: the days of all tenants together are few."""
    named = not NAMES_TENANT.isdisjoint(fields) or dimensions_of(fields) & {"attribution_key", "user_key"}
    return [f"{row}tenant_key"] if named else []


def _rows(
    number: int,
    shape: SummandShape,
    fields: tuple[str, ...],
    conditions: str,
    nothing: str,
    measures: tuple[str, ...],
) -> str:
    """The rows of a summand with their keys."""
    source = shape.source
    keys = [f"{shape.purpose} AS purpose", f"{'m.factor_key' if shape.by_factor else NO_FACTOR} AS used_factor"]
    keys += [*_tenant_key(fields, "m."), *(f"m.{dimension}" for dimension in sorted(dimensions_of(fields)))]
    origin_s, first_day = ("s.origin_s", "s.first_day") if shape.spans else (f":origin_{number}", f":day_{number}")
    timed = {name: FIELDS[name].value for name in fields if name in _TIMED}
    keys += [
        f"{value.format(at_s=source.at_s, origin_s=origin_s, first_day=first_day)} AS {name}_"
        for name, value in timed.items()
    ]
    sums = [source.value(name) if name in shape.measures else nothing for name in measures]
    wanted = [f"{source.position} >= :low_{number} AND {source.position} < :high_{number}", conditions]
    if source.condition:
        wanted.append(source.condition)
    if source.has_keys:
        wanted.append(f"m.event_key >= :key_low_{number} AND m.event_key < :key_high_{number}")
    joined = ""
    if shape.spans:
        joined = f" JOIN tenant t ON t.tenant_key = m.tenant_key JOIN span_{number} s ON s.time_zone = t.time_zone"
        wanted.append(f"{source.position} >= s.low AND {source.position} < s.high")
    named = ", ".join([*keys, *(f"{each} AS s{place}" for place, each in enumerate(sums))])
    return f"SELECT {named} FROM {source.table} m{joined} WHERE {' AND '.join(wanted)}"


def _first(count: int) -> str:
    """`1, 2, 3`: the first columns of a SELECT."""
    return ", ".join(str(place + 1) for place in range(count))


def _span_rows(number: int, count: int) -> str:
    """Time zone, bounds, and how to count local days between them."""
    return ", ".join(
        f"(CAST(:zone_{number}_{row} AS TEXT), CAST(:low_{number}_{row} AS BIGINT), CAST(:high_{number}_{row} AS BIGINT),"
        f" CAST(:origin_{number}_{row} AS BIGINT), CAST(:day_{number}_{row} AS BIGINT))"
        for row in range(count)
    )
