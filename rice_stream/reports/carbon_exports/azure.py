"""Azure: answers of the Carbon service's reports (kilograms of the scopes that were asked for), as JSON or as rows of CSV."""

from collections.abc import Iterator, Mapping
from typing import Any

from rice_stream.reports.carbon_exports.rows import KILOGRAM_UG, CarbonRow, NotCarbon, flat, micrograms, month_of
from rice_stream.reports.usage_exports.rows import first_of

_OF_SEVERAL_MONTHS = ("overallsummarydata", "topitemssummarydata")
_AMOUNT = "latestmonthemissions"


def read_azure_carbon(document: Any) -> Iterator[CarbonRow | NotCarbon]:
    """Reports by month, by resource type or by resource. A report does not say which scopes were asked for, nor by which basis:
    who compares it says so. Details without a date are of the one month that can be asked for.
    """
    if "value" not in document:
        yield _row(flat(document))
        return
    for row in document["value"]:
        yield _row(flat(row))


def _row(said: Mapping[str, Any]) -> CarbonRow | NotCarbon:
    kind = str(first_of(said, "datatype") or "")
    if kind.lower().endswith(_OF_SEVERAL_MONTHS):
        return NotCarbon(f"{kind} may be of several months; ask for a report by month, or for details")
    amount = micrograms(said.get(_AMOUNT), KILOGRAM_UG, "latestMonthEmissions")
    if amount is None:
        return NotCarbon("latestMonthEmissions is not in it")
    date = first_of(said, "date")
    by_type = str(first_of(said, "categorytype") or "").lower() == "resourcetype"
    service = first_of(said, "resourcetype", *(("itemname",) if by_type else ()))
    return CarbonRow(None if date is None else month_of(date, "date"), str(service or ""), amount, amount)
