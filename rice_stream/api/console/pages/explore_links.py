"""Where the page Explore leads to: its filters, each with the page without it, and files of exactly what is shown."""

from datetime import datetime
from typing import Any

from rice_stream.api.console.pages.explore_asked import ExploreParameters, file_addresses
from rice_stream.instants import epoch_us, rfc3339

WITHOUT = {
    "team": "without a team",
    "project": "without a project",
    "cost_centre": "without a cost centre",
    "user": "without a user",
    "model": "without a model",
    "provider": "without a provider",
    "region": "without a region",
}


def words_of(field: str) -> str:
    """What a field is called on pages."""
    return field.replace("_", " ")


def chips_of(asked: ExploreParameters) -> list[dict[str, str]]:
    """The filters in words, each with the page without it."""
    chips = []
    if asked.tenant:
        chips.append({"text": f"tenant {asked.tenant}", "address": asked.leaving_out("tenant")})
    for field, names in asked.where.names.items():
        for name in names:
            text = f"{words_of(field)} {name}" if name else WITHOUT[field]
            chips.append({"text": text, "address": asked.leaving_out(field, name)})
    return chips


def files_of(
    asked: ExploreParameters,
    by: str,
    stretch: tuple[datetime, datetime],
    zone: str,
    bucket: str,
    *,
    has_more: bool,
) -> list[dict[str, str]]:
    """Addresses of what is shown, with the instants between which it lies: later they say the same."""
    start, end = (rfc3339(epoch_us(each)) for each in stretch)
    base = [("by", by), ("from", start), ("to", end), ("time_zone", zone)]
    if asked.as_ != "restated":
        base.append(("as", asked.as_))
    if asked.tenant:
        base.insert(0, ("tenant", asked.tenant))
    shown: dict[str, Any] = {
        "This table": [*base, ("top", str(asked.rows))],
        **({"All rows": base} if has_more else {}),
        f"By {bucket}": [*base, ("bucket", bucket)],
    }
    return [
        {
            "title": title,
            **file_addresses("/v1/totals", pairs, asked.where),
        }
        for title, pairs in shown.items()
    ]
