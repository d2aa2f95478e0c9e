"""`rice-stream audit verify`, of corrections: groups of entries against their lines, their restatements and the audit trail; and
restatements, and what contracts cover, against what the trail tells of them. If something was changed, which."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, select, text

from rice_stream.canonical_json import canonical_json
from rice_stream.proof.json_objects import object_of
from rice_stream.proof.told_changes import ToldChange, erased_names, has_erased, told_changes
from rice_stream.quantities import ENTRY_AMOUNTS, MARKET_COLUMN
from rice_stream.store import schema
from rice_stream.store.closed_months import LATE_BY, LATE_REASON
from rice_stream.store.contract_store import COVERED, covered_digests
from rice_stream.store.erasing_tenants import ERASED
from rice_stream.store.event_key_columns import key_bytes
from rice_stream.store.horizon import records_from_us
from rice_stream.store.stored_records import tenant_keys
from rice_stream.wording.entry_amounts import amounts_told

_STRETCH = ("from_us", "to_us", "tenant_id", "method_version", "factor_version")
_NOT_OF_ORDER = ("reason", "records", "entries", "problem", "by_cause", "market_by_cause")
_BY_CAUSE = {"by_cause": "carbon_mid_ugco2e", "market_by_cause": MARKET_COLUMN}
_OTHER_LINES = """
SELECT g.adjustment_key FROM adjustment g WHERE EXISTS (
    SELECT 1 FROM adjustment_entry e WHERE e.adjustment_key = g.adjustment_key AND (
        e.tenant_key <> g.tenant_key OR e.recorded_us <> g.recorded_us OR e.event_key <> g.event_key
        OR e.counted <> CASE WHEN g.cause = 'late' THEN 0 ELSE 1 END
    )
)
"""
_CLOSED_MONTHS = """
SELECT DISTINCT e.adjustment_key, p.month FROM period p JOIN adjustment_entry e ON e.tenant_key = p.tenant_key
AND e.adjustment_key > p.entries_up_to AND e.ended_at_us >= p.low_us AND e.ended_at_us < p.high_us
"""
_OF_OTHERS = """
SELECT DISTINCT e.adjustment_key FROM adjustment_entry e
LEFT JOIN prompt_record r ON r.tenant_key = e.tenant_key AND r.event_key = e.event_key
WHERE e.ended_at_us >= :kept_from_us AND (
    r.ended_at_us IS NULL OR r.ended_at_us <> e.ended_at_us OR COALESCE(r.user_key, 0) <> COALESCE(e.user_key, 0)
) AND NOT EXISTS (
    SELECT 1 FROM period p WHERE p.tenant_key = e.tenant_key AND e.adjustment_key <= p.entries_up_to
    AND e.ended_at_us >= p.low_us AND e.ended_at_us < p.high_us
)
"""
"""Those of what was closed are leaves of its tree."""
Row = Mapping[Any, Any]


def correction_problems(connection: Connection) -> Iterator[str]:
    """What is wrong with groups of entries, with restatements, and with what contracts cover."""
    restatements = {row["restatement_id"]: row for row in _rows(connection, schema.restatement)}
    sums: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    voids = {_hex(each.after.get("entry_group")): each for each in told_changes(connection, "record.void")}
    other_lines = set(connection.scalars(text(_OTHER_LINES)))
    of_others = set(connection.scalars(text(_OF_OTHERS), {"kept_from_us": records_from_us(connection)}))
    late, erased = _late_digests(connection), erased_names(connection)
    names = {key: name for name, key in tenant_keys(connection).items()}
    closed: dict[int, set[str]] = defaultdict(set)
    for adjustment_key, month in connection.execute(text(_CLOSED_MONTHS)):
        closed[adjustment_key].add(month)
    for row in _rows(connection, schema.adjustment):
        group = bytes(row["digest"]).hex()
        which = f"correction {group} ({row['cause']})"
        if row["adjustment_key"] in other_lines:
            yield f"{which}: its row says otherwise of its tenant, event, instant or cause than its entries"
        if row["adjustment_key"] in of_others:
            yield f"{which}: an entry of it says otherwise of its event, when that ended, or its user than the record"
        if {*object_of(row["detail"]).get("closed_months", ())} != closed[row["adjustment_key"]]:
            yield f"{which}: its row says otherwise of closed months than its entries"
        if row["cause"] == "void":
            yield from _of_void(which, row, voids.pop(group, None), erased, was_erased="" in voids)
        elif row["cause"] == "late":
            if late.get(row["adjustment_key"]) != group:
                yield f"{which}: its tenant, month and events are not those of its digest; it was changed"
            if (row["reason"], row["author_kind"], row["author_name"]) != (LATE_REASON, LATE_BY.kind, LATE_BY.name):
                yield f"{which}: its row says otherwise of its reason or author than every one of its cause"
        else:
            of_erased = row["reason"] == ERASED and names.get(row["tenant_key"]) in erased
            is_erased = of_erased or has_erased(row["reason"], erased)
            yield from _of_restated(which, row, restatements.get(row["restatement_id"]), is_erased=is_erased)
            for name in _BY_CAUSE.values():
                sums[row["restatement_id"], name][row["cause"]] -= int(row[f"contra_{name}"])
    for group in voids.keys() - {""}:
        yield f"correction {group} (void): the audit trail tells of it, and it is missing"
    yield from _of_restatements(connection, restatements, sums, erased)
    yield from _of_coverage(connection)


def _rows(connection: Connection, table: Any) -> Iterator[Row]:
    key = next(iter(table.primary_key))
    with connection.execution_options(yield_per=1000).execute(select(table).order_by(key)) as rows:
        yield from rows.mappings()


def _hex(said: Any) -> str:
    return said if isinstance(said, str) else ""


def _of_void(
    which: str, row: Row, told: ToldChange | None, erased: frozenset[str], *, was_erased: bool
) -> Iterator[str]:
    made_for = {"cause": "void", "tenant_key": row["tenant_key"], "event_key": _key(row["event_key"]).hex()}
    if _digest(made_for) != bytes(row["digest"]).hex():
        yield f"{which}: its tenant and event are not those of its digest; it was changed"
    if told is None:
        if not was_erased:
            yield f"{which}: the audit trail does not tell of it"
        return
    yield from _author_and_reason(which, row, told, erased)
    if not told.is_erased and object_of(row["detail"]).get("event_id") != told.subject_id:
        yield f"{which}: its row says otherwise of its event than the audit trail"
    sums = {name: -int(row[f"contra_{name}"]) for name in ENTRY_AMOUNTS}
    amounts = told.after.get("amounts")
    # Of an amount that an earlier version did not tell of, nothing is known.
    if isinstance(amounts, dict) and {**amounts_told(sums), **amounts} != amounts_told(sums):
        yield f"{which}: its row says otherwise of its amounts than the audit trail"


def _author_and_reason(which: str, row: Row, told: ToldChange, erased: frozenset[str]) -> Iterator[str]:
    said = {"reason": told.after.get("reason"), "author_kind": told.actor_kind, "author_name": told.actor_name}
    if not told.is_erased:
        for name in said:
            if row[name] != said[name] and not has_erased(row[name], erased):
                yield f"{which}: its row says otherwise of its {name.removesuffix('_name')} than the audit trail"


def _of_restated(which: str, row: Row, restatement: Row | None, *, is_erased: bool) -> Iterator[str]:
    if restatement is None or restatement["dry_run"]:
        yield f"{which}: there is no restatement {row['restatement_id']} that posted it"
        return
    detail = object_of(row["detail"])
    stated = {"method": restatement["method_version"], "factors": restatement["factor_version"]}
    if {name: detail.get(name) for name in stated} != stated:
        yield f"{which}: its row says otherwise of its method or factors than its restatement"
    if row["reason"] != restatement["reason"] and not is_erased:
        yield f"{which}: its row says otherwise of its reason than its restatement"


def _late_digests(connection: Connection) -> dict[int, str]:
    """What digests of groups of what came late ought to be, by their tenant, their month and the events of their entries."""
    query = text(
        "SELECT g.adjustment_key, g.tenant_key, g.detail, e.event_key FROM adjustment g JOIN adjustment_entry e"
        " ON e.adjustment_key = g.adjustment_key WHERE g.cause = 'late' ORDER BY g.adjustment_key, e.line"
    )
    found = {}
    with connection.execution_options(yield_per=1000).execute(query) as rows:
        for (adjustment_key, tenant_key, detail), lines in groupby(rows, lambda row: row[:3]):
            keys = hashlib.blake2b(b"".join(_key(line.event_key) for line in lines), digest_size=16).hexdigest()
            months = object_of(detail).get("closed_months")
            month = months[0] if isinstance(months, list) and months else None
            found[adjustment_key] = _digest({"cause": "late", "tenant_key": tenant_key, "month": month, "keys": keys})
    return found


def _of_restatements(
    connection: Connection,
    restatements: Mapping[str, Row],
    sums: Mapping[tuple[str, str], Mapping[str, int]],
    erased: frozenset[str],
) -> Iterator[str]:
    begun = {each.subject_id: each for each in told_changes(connection, "restatement.begin")}
    ended = {each.subject_id: each for each in told_changes(connection, "restatement.end")}
    for name, row in restatements.items():
        which, begin, end = f"restatement {name}", begun.get(name), ended.get(name)
        if not row["dry_run"]:
            # Of runs of versions that did not keep it, nothing is known of the market.
            kept = _BY_CAUSE if row["after_carbon_market_ugco2e"] is not None else {"by_cause": _BY_CAUSE["by_cause"]}
            for column, amount in kept.items():
                posted = {cause: sum_ for cause, sum_ in sums[name, amount].items() if sum_}
                if {cause: sum_ for cause, sum_ in object_of(row[column]).items() if sum_} != posted:
                    yield f"{which}: {column} of its row is not what its corrections add up to"
                before, after = (int(row[f"{when}_{amount}"]) for when in ("before", "after"))
                if before + sum(posted.values()) != after:
                    yield f"{which}: {amount} before, and what its corrections add up to, is not that after it"
        if begin is None:
            yield f"{which}: the audit trail does not tell of it"
        elif not begin.is_erased:
            yield from _author_and_reason(which, row, begin, erased)
            yield from _of_order(which, row, begin, end)
        if end is None and row["state"] == "done" and not row["dry_run"]:
            yield f"{which}: the audit trail does not tell that it is done"
        if end is not None and not end.is_erased:
            yield from _of_end(which, row, end)
    for name in begun.keys() - restatements.keys():
        yield f"restatement {name}: the audit trail tells of it, and it is missing"


def _of_order(which: str, row: Row, begin: ToldChange, end: ToldChange | None) -> Iterator[str]:
    for column in _STRETCH:
        if row[column] != begin.after.get(column):
            yield f"{which}: its row says otherwise of {column} than the audit trail"
    made_for = {name: said for name, said in begin.after.items() if name not in _NOT_OF_ORDER}
    if _digest({**made_for, "number": row["number"]}) != row["restatement_id"]:
        yield f"{which}: its number is not that of its id; it was changed"
    if bool(row["dry_run"]) != bool(begin.after.get("dry_run")):
        yield f"{which}: its row says otherwise of dry_run than the audit trail"
    # Contracts may be applied by what they cover when it is done, and not by what they did when it was ordered.
    bases = {told.after.get("basis", "") for told in (begin, end) if told is not None}
    if row["basis"] not in bases and row["state"] == "done":
        yield f"{which}: its row says otherwise of basis than the audit trail"


def _of_end(which: str, row: Row, end: ToldChange) -> Iterator[str]:
    if row["state"] not in ("done", "failed"):
        yield f"{which}: its row says otherwise of state than the audit trail"
    sums = end.after.get("sums")
    for column, sum_ in sums.items() if isinstance(sums, dict) else ():
        if column in row and str(row[column]) != sum_:
            yield f"{which}: its row says otherwise of {column} than the audit trail"
    for column in ("records", "entries", *_BY_CAUSE):
        said = end.after.get(column)
        now = (
            {cause: str(amount) for cause, amount in object_of(row[column]).items()}
            if column in _BY_CAUSE
            else row[column]
        )
        if said is not None and said != now:
            yield f"{which}: its row says otherwise of {column} than the audit trail"


def _of_coverage(connection: Connection) -> Iterator[str]:
    """What contracts cover of months, which was told when it was set aside: of what earlier versions did, nothing is known."""
    now = covered_digests(connection)
    told = {(each.tenant_id, each.subject_id): each for each in told_changes(connection, COVERED)}
    for (tenant_id, month), each in told.items():
        if not each.is_erased and each.after.get("sha256") != now.get((tenant_id or "", month)):
            yield f"contracts of {month} of {tenant_id}: what they cover is not what the audit trail tells; it was changed"


def _key(stored: Any) -> bytes:
    return b"" if stored is None else key_bytes(stored)


def _digest(made_for: Mapping[str, Any]) -> str:
    return hashlib.blake2b(canonical_json(made_for), digest_size=16).hexdigest()
