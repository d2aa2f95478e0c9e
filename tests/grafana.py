"""The Grafana dashboard: deploy/grafana/dashboards/rice-stream.json is made here.

python -m tests.grafana   writes it
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.support.places import ROOT

DASHBOARD = ROOT / "deploy" / "grafana" / "dashboards" / "rice-stream.json"
WIDTH = 24
HEIGHT = 8
SERIES = '{job=~"$job",instance=~"$instance"}'
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_ANY = '{__name__=~"rice_batches_total|rice_http_refusals_unkept_total"'
"""One series of every worker and server."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel: what it shows, in which unit, and from where on that is yellow and red."""

    title: str
    description: str
    unit: str
    queries: Sequence[tuple[str, str]]
    """(PromQL, legend)."""
    limits: tuple[float, float] | None = None
    """From where on it is yellow, and red; None: no value is bad by itself."""
    width: int = 8
    kind: str = "timeseries"


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under a heading."""

    title: str
    panels: Sequence[Panel] = field(default_factory=tuple)


def rate(metric: str, *by: str, matchers: str = "") -> str:
    """Per second, over all processes, by some labels."""
    return f"sum{_by(by)} (rate({metric}{_series(matchers)}[$__rate_interval]))"


def quantile(share: float, metric: str, *by: str) -> str:
    """Of a histogram."""
    return f"histogram_quantile({share}, {rate(f'{metric}_bucket', *by, 'le')})"


def within(metric: str, bound: str) -> str:
    """The share of a histogram's values up to a bucket's bound."""
    good = rate(f"{metric}_bucket", matchers=f'le="{bound}"')
    return f"{good} / {rate(f'{metric}_count')}"


def share(metric: str, matchers: str) -> str:
    """Of a counter's sum, what these matchers choose."""
    return f"{rate(metric, matchers=matchers)} / {rate(metric)}"


def highest(metric: str, *by: str) -> str:
    """Of what every process reports alike."""
    return f"max{_by(by)} ({metric}{SERIES})"


def _by(labels: Sequence[str]) -> str:
    return f" by ({', '.join(labels)})" if labels else ""


def _series(matchers: str) -> str:
    return SERIES if not matchers else SERIES[:-1] + f",{matchers}" + "}"


LAG = f"sum by (topic) ({highest('rice_consumer_lag', 'topic', 'partition')})"
FRESHNESS = Row(
    "Freshness",
    (
        Panel(
            "Events in totals within 5 s",
            "Share of events that are in all totals 5 s after they were in Kafka. 99 % are promised (docs/metrics.md).",
            "percentunit",
            [(within("rice_ingest_freshness_seconds", "5.0"), "within 5 s")],
            kind="stat",
            width=6,
        ),
        Panel(
            "From Kafka to totals",
            "Age of events by Kafka's timestamp when totals have them. Old records that are read into an empty ledger are old.",
            "s",
            [(quantile(q, "rice_ingest_freshness_seconds"), f"p{q * 100:g}") for q in (0.5, 0.99)],
            (5, 30),
            width=6,
        ),
        Panel(
            "From the request to totals",
            "The same from the end of the request: senders' delays are in it.",
            "s",
            [(quantile(q, "rice_event_freshness_seconds"), f"p{q * 100:g}") for q in (0.5, 0.99)],
            (60, 3_600),
            width=6,
        ),
        Panel(
            "Promises missed",
            "Share of the last 6 hours that missed its promise, by prometheus-rules.yaml; 1 % may. Above 6 % somebody is woken.",
            "percentunit",
            [
                (f"rice:{name}:missed_ratio_6h", name.replace("_", " "))
                for name in ("freshness", "alert_latency", "delivery")
            ],
            (0.01, 0.06),
            width=6,
        ),
    ),
)
THROUGHPUT = Row(
    "Throughput",
    (
        Panel(
            "Events",
            "Events committed, by what became of them.",
            "ops",
            [(rate("rice_events_total", "outcome"), "{{outcome}}")],
        ),
        Panel(
            "Tokens",
            "Tokens recorded.",
            "ops",
            [(rate(f"rice_{kind}_tokens_total"), kind) for kind in ("input", "output")],
        ),
        Panel(
            "Carbon",
            "Carbon recorded, gCO2e an hour, with the ends of its range.",
            "massg",
            [(f"3600 * {rate('rice_carbon_gco2e_total', 'estimate')}", "{{estimate}}")],
        ),
        Panel(
            "Facility energy",
            "Energy recorded, as power: Wh an hour.",
            "watt",
            [(f"3600 * {rate('rice_facility_energy_wh_total')}", "facility")],
        ),
        Panel(
            "Events of a batch",
            "Near RICE_BATCH_EVENTS_MAX while a worker catches up.",
            "short",
            [(f"{rate('rice_batch_events_sum')} / {rate('rice_batch_events_count')}", "mean")],
        ),
        Panel(
            "Decoding and estimating a batch",
            "The part of a batch that is Python's: when it is above the transaction's, add a worker.",
            "s",
            [(quantile(q, "rice_prepare_seconds"), f"p{q * 100:g}") for q in (0.5, 0.99)],
        ),
    ),
)
LAGGING = Row(
    "Lag",
    (
        Panel(
            "Lag by topic",
            "Records between the group's committed offset and the end. Every worker reports all partitions, so the highest counts.",
            "short",
            [(LAG, "{{topic}}")],
            (10_000, 100_000),
        ),
        Panel(
            "Partitions that lag most",
            "The ten with the most records waiting.",
            "short",
            [(f"topk(10, {highest('rice_consumer_lag', 'topic', 'partition')})", "{{topic}}/{{partition}}")],
            (10_000, 100_000),
        ),
        Panel(
            "Since the last commit",
            "Of the worker that committed last. Grows while nothing arrives, which is no trouble by itself.",
            "s",
            [(f"time() - {highest('rice_last_commit_timestamp_seconds')}", "all workers")],
            (60, 180),
        ),
        Panel(
            "Fetched and not stored",
            "Bytes of records in a worker's memory; bounded.",
            "bytes",
            [(highest("rice_intake_bytes", "instance"), "{{instance}}")],
            (50_331_648, 67_108_864),
        ),
        Panel(
            "Partitions that wait",
            "Times that a partition was set aside because most of its records are refused.",
            "short",
            [
                (
                    f"sum by (topic, partition) (increase(rice_partition_pauses_total{SERIES}[$__rate_interval]))",
                    "{{topic}}/{{partition}}",
                )
            ],
            (1, 5),
        ),
        Panel(
            "Workers' memory",
            "Resident memory; a worker stays under 400 MB on any backlog.",
            "bytes",
            [(highest("rice_resident_memory_bytes", "instance"), "{{instance}}")],
            (400_000_000, 800_000_000),
        ),
    ),
)
REFUSED = Row(
    "Refused and quarantined",
    (
        Panel(
            "Share refused",
            "Events that went to quarantine, of all.",
            "percentunit",
            [(share("rice_events_total", 'outcome="quarantined"'), "quarantined")],
            (0.01, 0.05),
        ),
        Panel(
            "Refused by reason",
            "Items put into quarantine. `rice-stream quarantine list` has them.",
            "ops",
            [(rate("rice_quarantined_total", "format", "reason"), "{{format}}: {{reason}}")],
        ),
        Panel(
            "Ignored by reason",
            "Items that are no requests to a model.",
            "ops",
            [(rate("rice_ignored_total", "format", "reason"), "{{format}}: {{reason}}")],
        ),
        Panel(
            "What estimates rest on",
            "Estimates that are not the plain case, by word of basis.",
            "ops",
            [(rate("rice_estimate_basis_total", "basis"), "{{basis}}")],
        ),
        Panel(
            "Ids that come again with another time",
            "Each counts: a sender gives its retries new times, or uses ids twice.",
            "ops",
            [(rate("rice_repeated_ids_total"), "repeated")],
            (0.01, 1),
        ),
        Panel(
            "Refused over HTTP and not kept",
            "Refused items that are not in quarantine: too many of one sender, or the broker did not confirm.",
            "ops",
            [(rate("rice_http_refusals_unkept_total"), "not kept")],
            (0.01, 1),
        ),
    ),
)
STORE = Row(
    "Store",
    (
        Panel(
            "Transaction of a batch",
            "When it is above decoding and estimating, the database is what limits.",
            "s",
            [(quantile(q, "rice_commit_seconds"), f"p{q * 100:g}") for q in (0.5, 0.99)],
            (1, 5),
        ),
        Panel(
            "Tried again",
            "Batches tried again because the database failed. At RICE_STORE_RETRY_S the worker stops.",
            "ops",
            [(rate("rice_store_retries_total"), "tries")],
            (0.01, 0.1),
        ),
        Panel(
            "Clock ahead of the database's",
            "Workers go by the database's clock; their own should not differ.",
            "s",
            [(highest("rice_clock_offset_seconds", "instance"), "{{instance}}")],
            (5, 30),
        ),
    ),
)
ALERTS = Row(
    "Alerts and deliveries",
    (
        Panel(
            "From the commit to the alerts topic",
            "Time from the commit that a budget was judged after to the broker's confirmation. 2.5 s are promised to 99 %.",
            "s",
            [(quantile(q, "rice_alert_latency_seconds"), f"p{q * 100:g}") for q in (0.5, 0.99)],
            (2.5, 10),
            width=6,
        ),
        Panel(
            "Alerts",
            "Changes of budgets, by state, and what of them the broker has.",
            "ops",
            [(rate("rice_alerts_total", "state"), "{{state}}"), (rate("rice_alerts_delivered_total"), "published")],
            width=6,
        ),
        Panel(
            "Publishing that failed",
            "Tries to put alerts on the topic that failed; alerts wait in the outbox.",
            "ops",
            [(rate("rice_alert_delivery_failures_total"), "failed")],
            (0.01, 0.1),
            width=6,
        ),
        Panel(
            "Judging all budgets",
            "How long it takes to judge once.",
            "s",
            [(quantile(0.99, "rice_judge_seconds"), "p99")],
            (1, 5),
            width=6,
        ),
        Panel(
            "Due to received",
            "Time from when a delivery was due to its receiver's answer. 10 s are promised to 99 %.",
            "s",
            [(quantile(0.99, "rice_delivery_seconds", "type"), "{{type}}")],
            (10, 300),
            width=6,
        ),
        Panel(
            "Tries to deliver",
            "By type of channel and what came of it.",
            "ops",
            [(rate("rice_delivery_tries_total", "type", "outcome"), "{{type}}: {{outcome}}")],
            width=6,
        ),
        Panel(
            "Deliveries that wait",
            "By state: held by quiet hours, due, being sent, tried again.",
            "short",
            [(highest("rice_deliveries_open", "state"), "{{state}}")],
            (100, 1_000),
            width=6,
        ),
        Panel(
            "Longest overdue",
            "How long the delivery that has waited longest past its time has done so. Rises when nobody sends.",
            "s",
            [(highest("rice_delivery_overdue_seconds"), "overdue")],
            (10, 60),
            width=6,
        ),
        Panel(
            "Channels that fail",
            "Channels that have failed for 24 hours, or were told to stop.",
            "short",
            [(highest("rice_channel_failing"), "failing")],
            (1, 1),
            kind="stat",
            width=12,
        ),
        Panel(
            "Budgets that cannot be read",
            "They are not judged; `rice-stream budget status` says which.",
            "short",
            [(highest("rice_budgets_unreadable"), "unreadable")],
            (1, 1),
            kind="stat",
            width=12,
        ),
    ),
)
HTTP = Row(
    "HTTP",
    (
        Panel(
            "Requests by status",
            "Answers of the server.",
            "reqps",
            [(rate("rice_http_requests_total", "status"), "{{status}}")],
        ),
        Panel(
            "Share that failed",
            "Answers of 500 and above.",
            "percentunit",
            [(share("rice_http_requests_total", 'status=~"5.."'), "failed")],
            (0.01, 0.05),
        ),
        Panel(
            "Slowest routes",
            "Time to the head of the answer that 99 % stay under: the ten slowest.",
            "s",
            [(f"topk(10, {quantile(0.99, 'rice_http_request_seconds', 'path')})", "{{path}}")],
            (1, 2.5),
        ),
        Panel(
            "Busiest routes",
            "The ten with the most requests.",
            "reqps",
            [(f"topk(10, {rate('rice_http_requests_total', 'path')})", "{{path}}")],
            width=12,
        ),
        Panel(
            "Items received",
            "Items of requests with events: accepted, ignored, refused.",
            "ops",
            [(rate("rice_http_items_total", "outcome"), "{{outcome}}")],
            width=12,
        ),
    ),
)
ROWS = (FRESHNESS, THROUGHPUT, LAGGING, REFUSED, STORE, ALERTS, HTTP)


def dashboard() -> dict[str, Any]:
    """As Grafana imports it."""
    panels: list[dict[str, Any]] = []
    top = 0
    for row in ROWS:
        place = {"x": 0, "y": top, "w": WIDTH, "h": 1}
        panels.append(
            {
                "type": "row",
                "title": row.title,
                "collapsed": False,
                "id": len(panels) + 1,
                "gridPos": place,
                "panels": [],
            }
        )
        top, left = top + 1, 0
        for panel in row.panels:
            if left + panel.width > WIDTH:
                top, left = top + HEIGHT, 0
            place = {"x": left, "y": top, "w": panel.width, "h": HEIGHT}
            panels.append({**_panel(panel), "id": len(panels) + 1, "gridPos": place})
            left += panel.width
        top += HEIGHT
    return {
        "uid": "rice-stream",
        "title": "rice_stream",
        "description": "How the worker and the server do. Metrics are explained in docs/metrics.md.",
        "tags": ["rice-stream", "carbon", "llm"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "time": {"from": "now-6h", "to": "now"},
        "refresh": "30s",
        "timezone": "browser",
        "templating": {"list": _variables()},
        "annotations": {"list": []},
        "links": [],
        "panels": panels,
    }


def _panel(panel: Panel) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if panel.limits is not None:
        yellow, red = panel.limits
        steps += [{"color": "yellow", "value": yellow}] if yellow < red else []
        steps.append({"color": "red", "value": red})
    if panel.title == "Events in totals within 5 s":
        steps = [
            {"color": "red", "value": None},
            {"color": "yellow", "value": 0.98},
            {"color": "green", "value": 0.99},
        ]
    custom = {"drawStyle": "line", "fillOpacity": 10, "showPoints": "never", "thresholdsStyle": {"mode": "off"}}
    if panel.limits is not None:
        custom["thresholdsStyle"] = {"mode": "dashed"}
    defaults: dict[str, Any] = {"unit": panel.unit, "min": 0, "thresholds": {"mode": "absolute", "steps": steps}}
    if panel.unit == "percentunit":
        defaults["max"] = 1
    if panel.title.startswith("Clock"):
        del defaults["min"]
    options: dict[str, Any]
    if panel.kind == "timeseries":
        defaults["custom"] = custom
        options = {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
    else:
        options = {
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "colorMode": "value",
            "graphMode": "area",
        }
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": _SOURCE,
        "targets": [
            {"refId": chr(ord("A") + number), "datasource": _SOURCE, "expr": query, "legendFormat": legend}
            for number, (query, legend) in enumerate(panel.queries)
        ],
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options,
    }


def _variables() -> list[dict[str, Any]]:
    chosen = {"multi": True, "includeAll": True, "allValue": ".*", "refresh": 2, "sort": 1, "datasource": _SOURCE}
    return [
        {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "refresh": 1},
        {"name": "job", "label": "Job", "type": "query", "query": f"label_values({_ANY}}}, job)", **chosen},
        {
            "name": "instance",
            "label": "Instance",
            "type": "query",
            "query": f'label_values({_ANY},job=~"$job"}}, instance)',
            **chosen,
        },
    ]


def text() -> str:
    """The file."""
    return json.dumps(dashboard(), indent=2) + "\n"


if __name__ == "__main__":
    DASHBOARD.parent.mkdir(parents=True, exist_ok=True)
    DASHBOARD.write_text(text(), "utf-8")
