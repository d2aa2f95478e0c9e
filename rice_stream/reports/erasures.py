"""Names that were erased, as the audit trail tells: whose stand-ins, why and how many rows; never the name."""

from typing import Any

from rice_stream.reports.audit import audit_entries
from rice_stream.store.audit_erasing import ERASED
from rice_stream.store.engine import Engine
from rice_stream.store.scope import Scope


def erasures(engine: Engine, scope: Scope, *, limit: int) -> list[dict[str, Any]]:
    """The latest ones that may be seen: `{"at", "stand_in", "kind", "by", "reason", "rows"}`."""
    return [
        {
            "at": entry["at"],
            "stand_in": entry["subject"]["id"],
            "kind": entry["after"]["kind"],
            "by": entry["actor"]["name"],
            "reason": entry["after"]["reason"],
            "rows": sum(entry["after"]["erased"].values()),
        }
        for entry in audit_entries(engine, scope, action=ERASED, limit=limit)["rows"]
    ]
