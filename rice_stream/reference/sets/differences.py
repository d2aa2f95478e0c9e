"""How two factor sets of a kind differ, row by row."""

from collections.abc import Mapping
from typing import Any

from rice_stream.errors import UsageError
from rice_stream.reference.sets.columns import ROWS
from rice_stream.reference.sets.factor_set import FactorSet


def differences(before: FactorSet, after: FactorSet) -> list[dict[str, Any]]:
    """Rows that were added, removed or changed, in the order of their keys: `[{"change", "key", "before", "after"}]`.

    A changed value has `change_percent` too, None where it was 0 or is none. UsageError: they are of two kinds.
    """
    if before.kind != after.kind:
        raise UsageError(f"B: is a set of {after.kind}, and A of {before.kind}; two sets of a kind are compared")
    old, new = before.keyed(), after.keyed()
    names = ROWS[before.kind].key
    rows = []
    for key in sorted(old.keys() | new.keys(), key=str):
        was, now = old.get(key), new.get(key)
        if was == now:
            continue
        said = was or now or {}
        rows.append(
            {
                "change": "added" if was is None else "removed" if now is None else "changed",
                "key": {name: said.get(name) for name in (*names, "valid_from") if said.get(name) is not None},
                "before": was,
                "after": now,
                "change_percent": _percent(was, now),
            }
        )
    return rows


def _percent(was: Mapping[str, Any] | None, now: Mapping[str, Any] | None) -> float | None:
    if was is None or now is None:
        return None
    before, after = was.get("value"), now.get("value")
    if not before or after is None:
        return None
    return float(round(100 * (after - before) / before, 6))
