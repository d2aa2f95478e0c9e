"""What the rows of a market-based factor set must say together, beyond what each column allows. Pure."""

from collections.abc import Sequence

from rice_stream.instants import BEGINNING_US, END_US
from rice_stream.reference.reading import Row
from rice_stream.reference.types import HOURLY, SUPPLIER


def market_problems(rows: Sequence[Row]) -> list[str]:
    """What is wrong: figures of different kinds in one set, a factor without its market, one that never ends."""
    problems = unmixed_problems(rows)
    for row in rows:
        problems += _of_instrument(row)
        if row.hours is not None and row.text("granularity") not in ("", HOURLY):
            problems.append(f"{row.where}, column granularity: the row gives hours, so it is {HOURLY}, or left out")
        if row.hours is None and row.text("granularity") == HOURLY:
            problems.append(
                f"{row.where}, column granularity: {HOURLY} needs the hours: give by_hour, by_month_and_hour or series"
            )
    return problems


def unmixed_problems(rows: Sequence[Row]) -> list[str]:
    """Rows of a set that mix scopes, are marginal, or have no dates."""
    problems = marginal_problems(rows)
    scope = rows[0].text("scope") if rows else ""
    for row in rows:
        where = row.where
        if row.text("scope") != scope:
            problems.append(
                f"{where}, column scope: {row.text('scope')} beside {scope}: with and without the making of plants and fuels are"
                " never mixed; make a set of each"
            )
        if row.valid_from_us == BEGINNING_US or row.valid_to_us == END_US:
            problems.append(
                f"{where}, column valid_from: what holds by the market is of a stretch of time: give valid_from and valid_to"
            )
    return problems


def marginal_problems(rows: Sequence[Row]) -> list[str]:
    """Carbon intensities that are no averages."""
    said = "marginal says what one more kilowatt-hour would emit; accounts are of the average"
    return [f"{row.where}, column signal: {said}" for row in rows if row.text("signal") == "marginal"]


def _of_instrument(row: Row) -> list[str]:
    supplier = row.text("instrument") == SUPPLIER
    if supplier and not row.text("provider") and not row.text("region"):
        return [
            f"{row.where}, column provider: a supplier's factor is of a provider, of a region or of both; give them"
        ]
    if not supplier and not row.text("region"):
        return [f"{row.where}, column region: a residual mix is of a market; give its country or grid"]
    if not supplier and row.text("provider"):
        return [f"{row.where}, column provider: a residual mix is of a market and of nobody in it; leave it out"]
    return []
