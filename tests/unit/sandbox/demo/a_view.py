"""A moment of a demo with something of everything in it."""

from datetime import UTC, datetime, timedelta

from rice_stream.reports.figures import Accounted, BudgetFigure, Figures, Named, Sums
from rice_stream.sandbox.demo.view import ArrivedAlert, StageInfo, View

STAGE = StageInfo(
    broker="127.0.0.1:21034",
    topic="llm-requests",
    alerts_topic="carbon-alerts",
    partitions=4,
    database="PostgreSQL",
    worker_url="http://127.0.0.1:17345",
    server_url="http://127.0.0.1:18080",
    sign_in_link="http://127.0.0.1:18080/auth/link?key=0123",
    method_version="rice-paper-1+0d600cce",
    factor_version="factors-19a6de930e80",
    environment_file="/tmp/rice-stack-1a2b3c4d/demo.env",  # noqa: S108
)


def sums(prompts: int, carbon_mid_gco2e: float) -> Sums:
    """A row whose low end is a quarter and whose high end four times the middle."""
    carbon = round(carbon_mid_gco2e * 1e6)
    return Sums(prompts, prompts * 6_900, prompts * 410, prompts * 1_900_000, carbon // 4, carbon, carbon * 4)


def budget(tenant: str, name: str, ratio: float, state: str, unit: str = "gco2e", team: str = "") -> BudgetFigure:
    """A budget of 1.5 of its larger unit, with thresholds at 50, 80 and 100 %."""
    limit = 1.5 if unit == "kwh" else 1500.0
    reached = tuple(t for t in (0.5, 0.8, 1.0) if ratio >= t)
    return BudgetFigure(name, tenant, team, limit, unit, "day", (0.5, 0.8, 1.0), ratio * limit, ratio, reached, state)  # type: ignore[arg-type]


TENANTS = {
    "northwind-retail": (1_542, 1840.5),
    "tundra-logistics": (522, 1001.2),
    "acme": (2_192, 502.0),
    "granite-insurance": (327, 390.1),
    "helix-pharma": (192, 33.0),
    "größe-münchen-株式会社-limited": (9, 0.42),
}
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
CHANGES = (("warning", "northwind-retail", "northwind-retail-24h", 0.5), ("warning", "tundra-logistics", "research-day", 0.8),
           ("exceeded", "tundra-logistics", "research-day", 1.0), ("resolved", "acme", "acme-month", 0.5))  # fmt: skip
FIGURES = Figures(
    totals=sums(sum(prompts for prompts, _ in TENANTS.values()), sum(grams for _, grams in TENANTS.values())),
    tenants=tuple(Named(name, sums(*values)) for name, values in TENANTS.items()),
    models=(Named("claude-sonnet-4-5", sums(700, 2000.0)), Named("(unknown models)", sums(11, 17.5))),
    regions=(Named("gcp:us-central1", sums(600, 1500.0)), Named("azure:swedencentral", sums(100, 2.5)),
             Named("world", sums(11, 1.0))),
    budgets=(
        budget("northwind-retail", "northwind-retail-24h", 0.6123, "warning"),
        budget("tundra-logistics", "research-day", 1.872, "exceeded", team="research"),
        budget("acme", "acme-month", 0.41, "resolved", unit="kwh"),
        budget("granite-insurance", "granite-insurance-quarter", 0.0004, "ok"),
    ),
    accounted=Accounted(recorded=4_784, duplicates=84, conflicts=0, quarantined=7),
    reasons=(("invalid_field", 6), ("inconsistent_tokens", 1)),
    fallback_prompts=62,
    alert_ids=frozenset("abcd"),
)  # fmt: skip
VIEW = View(
    stage=STAGE,
    phase="live",
    elapsed_s=17.4,
    seconds=30.0,
    sent=4_890,
    waiting=15,
    figures=FIGURES,
    alerts=tuple(
        ArrivedAlert(identity, tenant, name, threshold, state, threshold + 0.0123, NOON + timedelta(seconds=7 * n), 0.1)
        for n, (identity, (state, tenant, name, threshold)) in enumerate(zip("abcd", CHANGES, strict=True))
    ),
    rates_per_s=(0.0, 120.0, 310.0, 290.0, 401.0, 280.0, 305.0, 299.0),
)
