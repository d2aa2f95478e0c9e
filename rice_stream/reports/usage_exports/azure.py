"""Azure OpenAI: Azure Monitor's answers about token metrics, and lines of a Cost Management export."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from rice_stream.reports.usage_exports.rows import NotUsage, Read, UsageRow, first_of, instant_us, scaled, whole

_METRICS = {
    "processedprompttokens": "input",
    "inputtokens": "input",
    "generatedtokens": "output",
    "generatedcompletiontokens": "output",
    "outputtokens": "output",
}
_NAMED_BY = ("modeldeploymentname", "modelname")
_OUTPUT = re.compile(r"\b(?:outp?|outpt|output|opt|gen)\b", re.I)
_INPUT = re.compile(r"\b(?:inp?|inpt|input)\b", re.I)
_CACHED = re.compile(r"\b(?:cached|cchd|cd)\b", re.I)
_AMERICAN = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})$")
_TOKENS = re.compile(r"tokens?\b", re.I)


def read_azure(document: Any) -> Iterator[Read]:
    """Metrics as JSON (split by deployment or model), or one row of CSV. Prompt tokens include the cached ones."""
    if "value" not in document:
        yield _line(document)
        return
    for metric in document["value"]:
        name = str(metric.get("name", {}).get("value", ""))
        way = _METRICS.get(name.lower())
        if way is None:
            yield NotUsage(f"the metric {name} counts no tokens")
            continue
        for series in metric.get("timeseries", ()):
            labels = {one["name"]["value"].lower(): one["value"] for one in series.get("metadatavalues", ())}
            model = str(first_of(labels, *reversed(_NAMED_BY)) or "")
            for point in series.get("data", ()):
                if point.get("total") is not None:
                    tokens = whole(point["total"], name)
                    yield _row(instant_us(point["timeStamp"], "timeStamp"), model, way, tokens, None)


def _line(said: Mapping[str, Any]) -> Read:
    meter = str(first_of(said, "metername", "meter") or "")
    words = meter.replace("-", " ").replace("_", " ")
    if not _TOKENS.search(words):
        return NotUsage(f"the meter {meter or 'that is missing'} is not one of tokens")
    way = "output" if _OUTPUT.search(words) else "input" if _INPUT.search(words) else None
    if way is None:
        return NotUsage(f"the meter {meter} says neither input nor output")
    unit = str(first_of(said, "unitofmeasure", "pricingunit") or "1K")
    tokens = scaled(first_of(said, "quantity", "usagequantity"), unit, "quantity")
    model = re.split(
        r"\s(?:inp|inpt|in|input|outp|outpt|out|output|opt|cached|cchd|cd)\b", words, maxsplit=1, flags=re.I
    )[0]
    at = instant_us(_iso(first_of(said, "date", "usagedatetime", "usagedate")), "date")
    return _row(at, model.strip().replace(" ", "-"), way, tokens, tokens if _CACHED.search(words) else 0)


def _iso(date: Any) -> Any:
    """Exports of Cost Management write dates as `10/31/2026`, month first."""
    found = _AMERICAN.match(str(date))
    return date if found is None else f"{found[3]}-{int(found[1]):02}-{int(found[2]):02}"


def _row(start_us: int, model: str, way: str, tokens: int, cached: int | None) -> UsageRow:
    if way == "output":
        return UsageRow(start_us, None, model, output_tokens=tokens)
    return UsageRow(start_us, None, model, tokens, 0, cached)
