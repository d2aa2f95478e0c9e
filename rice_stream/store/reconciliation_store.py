"""Reconciliations of months in the database: added, and the latest of a month."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, func, insert, select

from rice_stream.canonical_json import canonical_json
from rice_stream.instants import rfc3339
from rice_stream.store.advisory_locks import AdvisoryLock, hold
from rice_stream.store.audit import Actor
from rice_stream.store.database_clock import database_now_us
from rice_stream.store.schema_periods import reconciliation

Measure = Literal["tokens", "carbon"]
"""What was compared: tokens, or carbon in micrograms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewReconciliation:
    """What came of a comparison. `told` is JSON, and has nothing of the file's own words."""

    tenant_id: str
    month: str
    provider: str
    measure: Measure
    file_sha256: str
    ours: int
    theirs: int
    unexplained: int
    threshold_percent: float
    ok: bool
    told: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """Of what was compared and what came of it: the same again is no news."""
        return hashlib.sha256(canonical_json(self._compared())).hexdigest()

    def _compared(self) -> dict[str, Any]:
        whose = {"tenant_id": self.tenant_id, "month": self.month, "provider": self.provider, "measure": self.measure}
        amounts = {"ours": str(self.ours), "theirs": str(self.theirs), "unexplained": str(self.unexplained)}
        return {**whose, **amounts, "file": self.file_sha256, "threshold_percent": self.threshold_percent}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReconciliation(NewReconciliation):
    """A comparison as it is kept."""

    reconciliation_id: str
    number: int
    author: Actor
    recorded_us: int

    def as_json(self) -> dict[str, Any]:
        """What was answered when it was made, but for names that the file had."""
        told = dict(self.told)
        file = {"sha256": self.file_sha256, **told.pop("file")} if "file" in told else None
        return {
            "reconciliation_id": self.reconciliation_id,
            "tenant_id": self.tenant_id,
            "month": self.month,
            "provider": self.provider,
            "measure": self.measure,
            "file": file,
            **told,
            "threshold_percent": self.threshold_percent,
            "ok": self.ok,
            "author_kind": self.author.kind,
            "author": self.author.name,
            "recorded_at": rfc3339(self.recorded_us),
        }


def add_reconciliation(
    connection: Connection, new: NewReconciliation, by: Actor
) -> tuple[StoredReconciliation, StoredReconciliation | None]:
    """Keep it; returns it with the one before of the same month, provider and measure. One at a time adds, until its commit."""
    if connection.dialect.name == "postgresql":
        hold(connection, AdvisoryLock.RECORD_RECONCILIATIONS)
    table = reconciliation.c
    same = (table.tenant_id == new.tenant_id) & (table.month == new.month) & (table.measure == new.measure)
    last = select(reconciliation).where(same, table.provider == new.provider).order_by(table.number.desc()).limit(1)
    row = connection.execute(last).mappings().first()
    number = 1 + (connection.scalar(select(func.max(table.number))) or 0)
    values = {
        **{name: getattr(new, name) for name in _SAME},
        "reconciliation_id": hashlib.blake2b(f"{number}:{new.digest}".encode(), digest_size=16).hexdigest(),
        "number": number,
        "digest": new.digest,
        "ok": int(new.ok),
        "told": canonical_json(new.told).decode(),
        "author_kind": by.kind,
        "author_name": by.name,
        "recorded_us": database_now_us(connection),
    }
    connection.execute(insert(reconciliation), values)
    return reconciliation_of(values), None if row is None else reconciliation_of(row)


def latest_reconciliations(connection: Connection, tenant_id: str, month: str) -> Sequence[StoredReconciliation]:
    """The latest of each provider and measure of a tenant's month, by provider and measure; none: nothing was compared."""
    table = reconciliation.c
    of_month = (table.tenant_id == tenant_id) & (table.month == month)
    latest = select(func.max(table.number)).where(of_month).group_by(table.provider, table.measure)
    query = select(reconciliation).where(table.number.in_(latest)).order_by(table.provider, table.measure)
    return [reconciliation_of(row) for row in connection.execute(query).mappings()]


def reconciliation_of(row: Mapping[Any, Any]) -> StoredReconciliation:
    """A row of the table."""
    return StoredReconciliation(
        **{name: row[name] for name in (*_SAME, "reconciliation_id", "number", "recorded_us")},
        ok=bool(row["ok"]),
        told=json.loads(row["told"]),
        author=Actor(row["author_kind"], row["author_name"]),
    )


_SAME = (
    "tenant_id",
    "month",
    "provider",
    "measure",
    "file_sha256",
    "ours",
    "theirs",
    "unexplained",
    "threshold_percent",
)
