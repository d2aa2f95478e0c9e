"""Alerts as they are told, one beside the other."""

from typing import Any

LIMIT_G = 50_000.0
EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "ab9afabde9cf00430c40ceb7ede08ee6c8650a321797b2f822f2ea8d914c959b",
    "source": "/rice-stream",
    "type": "dev.rice.carbon.budget.v1",
    "subject": "acme",
    "time": "2026-11-22T19:00:00.250Z",
    "datacontenttype": "application/json",
    "partitionkey": "acme",
    "data": {
        "tenant_id": "acme",
        "budget": "team-a-monthly",
        "scope": {"team_id": "search", "project_id": None, "cost_centre": None, "user_id": None, "model": None},
        "period": "month",
        "time_zone": "Europe/Berlin",
        "period_start": "2026-10-31T23:00:00Z",
        "period_end": "2026-11-30T23:00:00Z",
        "limit_gco2e": LIMIT_G,
        "estimate": "mid",
        "consumed_gco2e": {"low": 31_000.0, "mid": 50_120.4, "high": 81_000.0},
        "consumed_kwh": 143.2,
        "ratio": 1.002408,
        "threshold": 1.0,
        "state": "exceeded",
        "severity": "critical",
        "basis": "actual",
        "open_thresholds": [0.5, 0.8, 1.0],
        "event_time_watermark": "2026-11-22T18:59:58Z",
        "sequence": 3,
    },
}
"""A team is over its monthly limit."""


def changed(_time: str | None = None, **data: Any) -> dict[str, Any]:
    """The same with other values in its data; those that are None are left out."""
    merged = {name: value for name, value in {**EVENT["data"], **data}.items() if value is not None}
    return {**EVENT, "id": f"id-{merged['sequence']}", "time": _time or EVENT["time"], "data": merged}


WARNING = changed(
    threshold=0.8, state="warning", severity="warning", ratio=0.80024, sequence=2, open_thresholds=[0.5, 0.8]
) | {"time": "2026-11-19T12:30:00Z"}
WARNING["data"]["consumed_gco2e"] = {"low": 20_000.0, "mid": 40_012.25, "high": 70_500.0}
BACK = changed(state="resolved", severity="info", ratio=0.94, sequence=4, open_thresholds=[0.5, 0.8])
"""Below the limit again, and still beyond 80 %."""
OVER = changed("2026-12-01T00:00:03Z", threshold=0.5, state="resolved", severity="info", sequence=6, open_thresholds=[])
"""The month has ended."""
ENERGY = changed(
    limit_gco2e=None,
    limit_kwh=2.5,
    consumed_kwh=2.1234,
    ratio=0.84936,
    threshold=0.8,
    state="warning",
    severity="warning",
    period="rolling-24h",
    scope={"team_id": None, "project_id": "chat", "user_id": None, "model": "llama-3-70b"},
    time_zone="UTC",
    sequence=1,
)
FORECAST = changed(
    state="warning",
    severity="warning",
    basis="forecast",
    ratio=0.62,
    forecast={
        "exhausted_at": {
            "low": "2026-11-25T08:00:00Z",
            "mid": "2026-11-27T08:00:00Z",
            "high": "2026-11-29T20:00:00Z",
        },
        "end_of_period": {"low": 51_000.0, "mid": 61_234.0, "high": 80_000.0},
        "ratio": 1.22468,
        "elapsed_ratio": 0.73,
    },
)
BURN = changed(
    threshold=14.4,
    state="warning",
    severity="warning",
    basis="burn_rate",
    ratio=0.31,
    burn={
        "speed": "fast",
        "long_h": 1.0,
        "short_h": 0.08333333333333333,
        "burn_rate_long": 16.234,
        "burn_rate_short": 21.5,
    },
)
HOSTILE = changed(
    tenant_id="<!channel>&\r\nBcc: evil@example.com",
    budget="\u202e*x*\n.<script>alert(1)</script>" + "y" * 300,
    scope={
        "team_id": "a\r\nb",
        "project_id": None,
        "cost_centre": None,
        "user_id": "<https://evil.example|click>",
        "model": None,
    },
)
"""Names as those who send events may choose them."""
