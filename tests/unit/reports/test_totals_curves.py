"""Curves are the rows of `totals` by the same names and buckets: names, order and sums."""

from datetime import datetime
from typing import Any

import pytest

from rice_stream.quantities import MEASURES, MICRO
from rice_stream.reports.totals import totals
from rice_stream.reports.totals_curves import curves
from rice_stream.reports.totals_query import TotalsQuery
from rice_stream.store.engine import open_engine
from rice_stream.store.scope import EVERYTHING, Scope
from tests.support.cli_running import Shell

CARBON = MEASURES.index("carbon_mid_ugco2e")
OWN = Scope(frozenset({"acme"}), frozenset({"search"}))


@pytest.mark.parametrize("scope", [EVERYTHING, OWN])
@pytest.mark.parametrize("by", ["tenant", "team", "model", "user"])
@pytest.mark.parametrize(("bucket", "top"), [("day", 1), ("hour", 2), ("month", None)])
def test_curves_are_the_rows_of_totals(ledger: Shell, scope: Scope, by: str, bucket: str, top: int | None) -> None:
    engine = open_engine(str(ledger.environment["RICE_DATABASE_URL"]))
    now = datetime.now().astimezone()
    asked: dict[str, Any] = {"by": (by,), "top": top, "ranges": False, "time_zone": "Asia/Kolkata"}
    found = curves(engine, scope, TotalsQuery(bucket=bucket, **asked), now)
    by_name = totals(engine, scope, TotalsQuery(**asked), now)
    by_both = totals(engine, scope, TotalsQuery(bucket=bucket, **asked), now)
    engine.dispose()
    told = [(row[by], row.get("other", False), row["carbon_gco2e"]["mid"]) for row in by_name["rows"]]
    seen = [
        (None, True, curve.whole[CARBON] / MICRO)
        if curve.names is None
        else (*curve.names, False, curve.whole[CARBON] / MICRO)
        for curve in found.curves
    ]
    assert seen == told
    assert found.names_total == by_name.get("names_total", len(told))
    amounts = {
        (None if curve.names is None else curve.names[0], curve.names is None, at): (sums[0], sums[CARBON] / MICRO)
        for curve in found.curves
        for at, sums in curve.by_bucket.items()
    }
    assert amounts == {
        (row[by], row.get("other", False), row[bucket]): (row["prompts"], row["carbon_gco2e"]["mid"])
        for row in by_both["rows"]
    }


def test_curves_are_over_time(ledger: Shell) -> None:
    engine = open_engine(str(ledger.environment["RICE_DATABASE_URL"]))
    with pytest.raises(ValueError, match="no bucket"):
        curves(engine, EVERYTHING, TotalsQuery(by=("team",)), datetime.now().astimezone())
    engine.dispose()
