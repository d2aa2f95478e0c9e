"""What alerts of one budget and period have in common, from its first warning until it is over."""

import hashlib
from collections.abc import Mapping
from typing import Any

_ROLLING = "rolling"


def incident_of(event: Mapping[str, Any], *, of_one_basis: bool = True) -> str:
    """32 hex digits for tenant, budget and period; `of_one_basis`: early warnings have others than what was consumed.

    A rolling window has no beginning that stays, so all its alerts have one.
    """
    data = event["data"]
    period = _ROLLING if data["period"].startswith(_ROLLING) else data["period_start"]
    parts = [data["tenant_id"], data["budget"], period]
    if of_one_basis:
        parts.append(data["basis"])
    if of_one_basis and data["basis"] == "burn_rate":
        parts.append(repr(data["threshold"]))  # a fast burn and a slow one are two things, and end each for itself
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode("utf-8", "replace")
        digest.update(len(encoded).to_bytes(8, "big"))
        digest.update(encoded)
    return digest.hexdigest()[:32]
