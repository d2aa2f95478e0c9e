"""`rice-stream audit verify`, of rules and decisions that figures follow: mappings, settings of attribution, time zones, budgets,
tokens, marks and closes of months, orders, reconciliations and archived months against what the audit trail tells of them."""

import hashlib
from collections.abc import Iterator, Mapping
from json import loads
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from rice_stream.budgets.parsing import budget_fields
from rice_stream.instants import rfc3339
from rice_stream.proof.told_changes import Told, begun_us, erased_names, has_erased, told_changes
from rice_stream.store import schema
from rice_stream.store.archive.kept import archived_months
from rice_stream.store.attribution_store import load_versions
from rice_stream.store.budget_store import load_budgets
from rice_stream.store.period_store import all_periods
from rice_stream.store.reconciliation_store import reconciliation_of
from rice_stream.store.stored_records import tenant_keys

Which = tuple[str, ...]
"""What a row is known by, as the trail has it: whose it is, and its name."""


_ORDER = "order to close"
"""One that nobody was told of changes nothing: what is closed is a mark and a close."""


class _Row(NamedTuple):
    """What a row says that the trail told of, and when it was made (epoch microseconds; None: not kept)."""

    says: Told
    made_us: int | None = None


Rows = dict[Which, _Row]


def rule_problems(connection: Connection) -> Iterator[str]:
    """What rows say otherwise than the trail, and rows that it tells of and that are missing."""
    since_us = begun_us(connection)
    names = {key: name for name, key in tenant_keys(connection).items()}
    for kind, rows, actions in (
        ("mapping", _mappings(connection), ("mapping.set", "mapping.end")),
        ("budget", _budgets(connection), ("budget.set", "budget.remove")),
        ("token", _tokens(connection), ("token.create", "token.rotate", "token.revoke")),
        ("mark of month", _periods(connection, names, "marked"), ("period.mark",)),
        ("soft close of month", _periods(connection, names, "soft_closed"), ("period.soft_close",)),
        ("close of month", _periods(connection, names, "closed"), ("period.close",)),
        (_ORDER, _orders(connection), ("period.order",)),
        ("reconciliation", _reconciliations(connection), ("period.reconcile",)),
        ("archived month", _archived(connection, names), ("archive.add",)),
    ):
        yield from _compared(connection, kind, rows, actions, since_us)
    yield from _of_zones(connection, since_us)
    yield from _of_attribution(connection)


def _compared(connection: Connection, kind: str, rows: Rows, actions: tuple[str, ...], since_us: int) -> Iterator[str]:
    told: dict[Which, Told] = {}
    erased = erased_names(connection)
    unknown = False
    for each in told_changes(connection, *actions):
        unknown = unknown or each.is_erased
        which = _known_by(kind, each.tenant_id, each.subject_id, each.before, each.after)
        if each.is_erased or each.action == "budget.remove":
            told.pop(which, None)
        else:
            told[which] = {**told.get(which, {}), **each.after, "by": each.actor}
    for which, row in rows.items():
        name = _named(which)
        said = told.get(which)
        if said is None:
            if kind != _ORDER and not unknown and (row.made_us is None or row.made_us > since_us):
                yield f"{kind} {name}: the audit trail does not tell of it"
            continue
        for column, value in row.says.items():
            if column in said and said[column] != value and not has_erased(value, erased):
                yield f"{kind} {name}: its row says otherwise of {column} than the audit trail"
    for which in told.keys() - rows.keys() if not unknown else ():
        yield f"{kind} {_named(which)}: the audit trail tells of it, and it is missing"


def _known_by(kind: str, tenant_id: str | None, subject_id: str, before: Told, after: Told) -> Which:
    """Names of several of one month are in what is told."""
    more = {
        "mapping": after.get("valid_from"),
        _ORDER: after.get("closing_id"),
        "reconciliation": after.get("reconciliation_id"),
    }.get(kind)
    whose = "" if kind == "token" else tenant_id or ""
    return (whose, subject_id) if more is None else (whose, subject_id, str(more))


def _named(which: Which) -> str:
    whose, name, *more = which
    return "".join([name, *(f" ({each})" for each in more), f" of {whose}" if whose else ""])


def _mappings(connection: Connection) -> Rows:
    found: Rows = {}
    for row in connection.execute(select(schema.mapping)).mappings():
        name = "/".join(filter(None, (row["kind"], row["subject"], row["name"])))
        which = (row["tenant_id"], name, rfc3339(row["valid_from_us"]))
        found[which] = _Row({"target": row["target"]}, row["created_at_us"])
    return found


def _budgets(connection: Connection) -> Rows:
    made_us = dict(connection.execute(select(schema.budget.c.id, schema.budget.c.updated_at_us)).all())
    return {
        (budget.tenant_id, budget.name): _Row(budget_fields(budget), made_us[budget.budget_id])
        for budget, _ in load_budgets(connection).readable
    }


def _tokens(connection: Connection) -> Rows:
    return {
        ("", str(row["id"])): _Row(
            {
                **{name: row[name] for name in ("name", "role", "requests_per_s", "concurrency", "replaces")},
                "tenants": _read(row["tenants"]),
                "teams": _read(row["teams"]),
                "expires_at": None if row["expires_at_us"] is None else rfc3339(row["expires_at_us"]),
                "revoked_at": None if row["revoked_at_us"] is None else rfc3339(row["revoked_at_us"]),
            },
            row["created_at_us"],
        )
        for row in connection.execute(select(schema.http_token)).mappings()
    }


def _periods(connection: Connection, names: Mapping[int, str], state: str) -> Rows:
    """Months that are marked, closed softly or closed, and by whom."""
    found: Rows = {}
    for period in all_periods(connection):
        by = getattr(period, f"{state}_by")
        if by is not None:
            says = {"by": by, "root": (period.root or b"").hex(), "low_us": period.low_us, "high_us": period.high_us}
            more = {"checklist": _read(period.checklist), "records": period.records, "entries": period.entries}
            found[names.get(period.tenant_key, ""), period.month] = _Row({**says, **more})
    return found


def _orders(connection: Connection) -> Rows:
    return {
        (row["tenant_id"], row["month"], row["closing_id"]): _Row(
            {
                "soft": bool(row["soft"]),
                "accepted": _read(row["accepted"]),
                "by": _author(row),
            }
        )
        for row in connection.execute(select(schema.closing)).mappings()
    }


def _reconciliations(connection: Connection) -> Rows:
    found: Rows = {}
    for row in connection.execute(select(schema.reconciliation)).mappings():
        is_read = isinstance(_read(row["told"]), dict)
        stored = reconciliation_of(row if is_read else {**row, "told": "{}"})
        # The id is made of the digest, and that of the amounts; the trail has the id.
        digest = stored.digest if is_read and stored.digest == row["digest"] else ""
        made_for = hashlib.blake2b(f"{row['number']}:{digest}".encode(), digest_size=16).hexdigest()
        which = (row["tenant_id"], row["month"], row["reconciliation_id"])
        found[which] = _Row({**stored.as_json(), "reconciliation_id": made_for, "by": _author(row)})
    return found


def _archived(connection: Connection, names: Mapping[int, str]) -> Rows:
    return {
        (names.get(each.tenant_key, ""), each.month): _Row(
            {
                "root": each.root.hex(),
                "records": each.records,
                "late": each.late,
                "snapshot": str(each.snapshot_id),
                "by": each.archived_by,
            }
        )
        for each in archived_months(connection)
    }


def _read(written: str) -> Any:
    """JSON; what somebody else has put there, as it is."""
    try:
        return loads(written)
    except ValueError:
        return written


def _author(row: Mapping[Any, Any]) -> str:
    kind, name = row["author_kind"], row["author_name"]
    return str(name) if kind == "token" else f"{kind} {name}"


def _of_zones(connection: Connection, since_us: int) -> Iterator[str]:
    """Days and months of a tenant are those of its time zone."""
    changes = told_changes(connection, "tenant.set")
    told = {each.subject_id: None if each.is_erased else each.after.get("time_zone") for each in changes}
    unknown = since_us > 0 or any(each.is_erased for each in changes)
    for tenant_id, time_zone in connection.execute(select(schema.tenant.c.tenant_id, schema.tenant.c.time_zone)):
        said = told.get(tenant_id, None if unknown else "UTC")
        if said is not None and said != time_zone:
            yield f"tenant {tenant_id}: its row says otherwise of time_zone than the audit trail"


def _of_attribution(connection: Connection) -> Iterator[str]:
    """Settings that say whose an event is, each version by its digest; those after the first by the trail as well."""
    told = [each.after for each in told_changes(connection, "attribution.set")]
    table = schema.attribution_version.c
    digests = connection.execute(select(table.digest).order_by(table.id)).scalars()
    versions = load_versions(connection)
    for number, (version, digest) in enumerate(zip(versions, digests, strict=True)):
        if hashlib.blake2b(version.settings.encode(), digest_size=16).digest() != bytes(digest):
            yield f"settings of attribution {number + 1}: they are others than those of their digest; they were changed"
    said = [(each.get("valid_from"), each.get("settings")) for each in told]
    now = [(rfc3339(version.valid_from_us), version.settings) for version in versions[1:]]
    for number, (before, after) in enumerate(zip(said, now, strict=False), start=2):
        if before != after:
            yield f"settings of attribution {number}: the audit trail tells of others"
    if len(said) > len(now):
        yield f"settings of attribution: the audit trail tells of {len(said) + 1} versions, and there are {len(versions)}"
