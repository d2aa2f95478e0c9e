"""Amazon Bedrock: lines of the Cost and Usage Report, and CloudWatch's answers about invocation metrics."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from rice_stream.reports.usage_exports.rows import NotUsage, Read, UsageRow, first_of, instant_us, scaled, whole

_USAGE_TYPE = re.compile(
    r"^(?:[A-Z]{2,5}\d?-)?(?P<model>.+?)-(?P<cache>cache-?read-|cache-?write-)?(?P<way>input|output)-token(?:s|-count)?\b",
    re.I,
)
_METRICS = {
    "InputTokenCount": "input",
    "OutputTokenCount": "output",
    "CacheReadInputTokenCount": "cache",
    "CacheWriteInputTokenCount": "cache",
}


def read_bedrock(document: Any) -> Iterator[Read]:
    """CUR by row of CSV; `get-metric-data` (labels `MODEL METRIC`) and `get-metric-statistics` (with `ModelId` beside) as JSON.

    The metric InputTokenCount leaves cached tokens out, which are metrics of their own: together they are the input.
    """
    if "MetricDataResults" in document:
        for series in document["MetricDataResults"]:
            model, _, metric = str(series.get("Label", "")).rpartition(" ")
            points = zip(series.get("Timestamps", ()), series.get("Values", ()), strict=True)
            yield from _points(metric, model, points)
    elif "Datapoints" in document:
        model = str(first_of(document, "ModelId", "modelId") or "")
        yield from _points(
            str(document.get("Label", "")), model, ((p["Timestamp"], p["Sum"]) for p in document["Datapoints"])
        )
    else:
        yield _line(document)


def _points(metric: str, model: str, points: Any) -> Iterator[Read]:
    way = _METRICS.get(metric)
    if way is None:
        yield NotUsage(f"the metric {metric or 'without a name'} counts no tokens")
        return
    for at, value in points:
        yield _row(instant_us(at, "Timestamp"), None, model, way, whole(value, metric))


def _line(said: Mapping[str, Any]) -> Read:
    kind = str(first_of(said, "line_item_usage_type", "lineitem/usagetype") or "")
    found = _USAGE_TYPE.match(kind)
    if found is None:
        return NotUsage(f"the usage type {kind or 'that is missing'} is not one of tokens")
    unit = str(first_of(said, "pricing_unit", "pricing/unit") or "1K tokens")
    amount = scaled(first_of(said, "line_item_usage_amount", "lineitem/usageamount"), unit, "usage_amount")
    start = instant_us(first_of(said, "line_item_usage_start_date", "lineitem/usagestartdate"), "usage_start_date")
    end = first_of(said, "line_item_usage_end_date", "lineitem/usageenddate")
    way = "cache" if found["cache"] else found["way"].lower()
    return _row(start, None if end is None else instant_us(end, "usage_end_date"), found["model"], way, amount)


def _row(start_us: int, end_us: int | None, model: str, way: str, tokens: int) -> UsageRow:
    if way == "output":
        return UsageRow(start_us, end_us, model, output_tokens=tokens)
    return UsageRow(start_us, end_us, model, tokens, 0, tokens if way == "cache" else 0)
