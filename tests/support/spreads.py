"""Uses of factors with a spread, as a method that knows one stores them."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from rice_stream.meter.factors import digest_of
from tests.support.reports_store import Store

Shared = Mapping[str, float]


def give_spreads(store: Store, shared_of: Callable[[dict[str, Any]], Shared | None]) -> None:
    """Put a spread into the stored detail of every use of factors, by its row; None leaves it without one."""
    for row in store.rows("SELECT * FROM factor_use"):
        shared = shared_of(row)
        detail = json.loads(row["detail"])
        detail.pop("spread", None)
        if shared is not None:
            detail["spread"] = {"causes": dict(shared), "shared": dict(shared)}
        row["detail"] = json.dumps(detail, sort_keys=True, separators=(",", ":"))
        columns = {name: value for name, value in row.items() if name not in ("factor_key", "digest")}
        store.execute(
            "UPDATE factor_use SET detail = :detail, digest = :digest WHERE factor_key = :key",
            detail=row["detail"],
            digest=digest_of(columns),
            key=row["factor_key"],
        )


def hosted(row: Mapping[str, Any]) -> dict[str, float]:
    """The shares of hosted.md, wider than the ends of the fake method (half and twice), which then say nothing more."""
    return {
        "global:hosted": 0.20,
        f"provider:{row['provider']}": 0.30,
        f"family:{row['model']}": 0.35,
        f"model:{row['model']}": 0.20,
        f"region:{row['region']}": 0.25,
    }
