"""The demo's live screen: what it shows for fixed figures, at every size, with and without colours.

The two pictures in `data/` are what people see; after a change on purpose, `python -m tests.unit.sandbox.demo.test_screen`
draws them anew, and the difference is for the reviewer.
"""

import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from rich.console import Console

from rice_stream.reports.figures import NOTHING, Accounted, BudgetFigure, Figures, Named, Sums
from rice_stream.sandbox.demo.layout import bar, gauge, sparkline
from rice_stream.sandbox.demo.screen import draw
from rice_stream.sandbox.demo.view import ArrivedAlert, StageInfo, View
from tests.support.places import DATA as PICTURES

SIZES = [(100, 30), (150, 40)]

STAGE = StageInfo(
    broker="127.0.0.1:21034",
    topic="llm-requests",
    alerts_topic="carbon-alerts",
    partitions=4,
    database="PostgreSQL",
    worker_url="http://127.0.0.1:17345",
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


def plain(view: View, width: int, height: int) -> str:
    """The picture without styles."""
    return draw(view, width, height).plain


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_picture_of_fixed_figures(width: int, height: int) -> None:
    """To the character."""
    golden = (PICTURES / f"demo-screen-{width}x{height}.txt").read_text("utf-8")
    assert plain(VIEW, width, height) + "\n" == golden


@pytest.mark.parametrize("view", [VIEW, View(STAGE), replace(VIEW, figures=NOTHING, seconds=None)])
@pytest.mark.parametrize(("width", "height"), [(40, 10), (72, 18), (80, 24), (99, 31), (120, 60), (250, 90)])
def test_every_size_is_filled_exactly(view: View, width: int, height: int) -> None:
    """As many lines as the terminal has, each as wide as it is: nothing wraps, nothing scrolls, nothing flickers."""
    lines = draw(view, width, height).split("\n")
    assert len(lines) == height
    assert {line.cell_len for line in lines} == {width}


def test_all_that_matters_is_there_on_a_small_terminal() -> None:
    """At 80 x 24: totals with their range, the largest tenant, budgets with states, alerts, quality, how to go on."""
    text = plain(VIEW, 80, 24)
    for part in (
        "4,784",
        "295/s",
        "33.0 M in",
        "9.090 kWh",
        "3.767 kgCO2e",
        "942 g – 15 kg",
        "northwind-retail",
        "tundra",
        "exceeded",
        "187 %",
        "84 duplicates dropped",
        "7 quarantined",
        "lag 15",
        "00:17 / 00:30",
        "demo.env; rice-stream totals --by team",
    ):
        assert part in text, part


def test_a_long_path_does_not_hide_the_command() -> None:
    """Where temporary files lie deep (macOS), the command is on a line of its own."""
    deep = "/var/folders/zz/zyxvpxvq6csfxvn_n0000000000000/T/rice-stack-1a2b3c4d/demo.env"
    text = plain(replace(VIEW, stage=replace(STAGE, environment_file=deep)), 100, 30)
    assert f" . {deep} " in text
    assert " rice-stream totals --by team " in text


def test_without_colours_states_are_words() -> None:
    """NO_COLOR takes nothing away that matters: every state stands there in letters, and no colour is sent."""
    shown = StringIO()
    Console(file=shown, force_terminal=True, no_color=True, width=100, height=30).print(draw(VIEW, 100, 30))
    for state in ("ok", "warning", "exceeded", "resolved"):
        assert state in shown.getvalue()
    assert "\x1b[3" not in shown.getvalue()


def test_budgets_nearest_to_their_limit_come_first_and_tenants_by_emissions() -> None:
    """What needs a look is at the top."""
    text = plain(VIEW, 150, 40)
    assert text.index("tundra-logistics/research-day") < text.index("granite-insurance-quarter")
    tenants = [text.index(f"│ {name:17} ") for name in list(TENANTS)[:5]]
    assert tenants == sorted(tenants)


def test_a_budget_on_an_end_of_the_range_says_so() -> None:
    """Without it, its amount would contradict the tenant's middle value beside it. Energy has no range."""
    judged = [replace(budget("acme", "b", 0.5, "ok", unit), estimate="high") for unit in ("gco2e", "kwh")]
    assert "0.75 of 1.5 kg (high)" in plain(replace(VIEW, figures=replace(VIEW.figures, budgets=(judged[0],))), 120, 40)
    assert "(high)" not in plain(replace(VIEW, figures=replace(VIEW.figures, budgets=(judged[1],))), 120, 40)


def test_gauges_mark_thresholds_where_they_are() -> None:
    """120 % is the end of the gauge: at 24 columns, 50 % is column 10, 100 % column 20; over the end it stays full."""
    assert gauge(0.25, (0.5, 1.0), 24, "", 1.2).plain == "━" * 5 + "─" * 5 + "┃" + "─" * 9 + "┃" + "─" * 3
    assert gauge(7.0, (1.0,), 24, "", 1.2).plain == "━" * 20 + "┃" + "━" * 3
    assert gauge(0.0, (), 4, "", 1.2).plain == "────"
    assert gauge(1e-9, (), 4, "", 1.2).plain == "━───"


def test_bars_and_sparklines() -> None:
    """Eighths of a column; something is never nothing; the newest value is at the right."""
    assert bar(0.5, 4) == "██  "
    assert bar(1 / 32, 4) == "▏   "
    assert bar(1e-9, 2) == "▏ "
    assert bar(0.0, 2) == "  "
    assert bar(3.0, 2) == "██"
    assert sparkline([0, 4, 8], 5) == "  ▁▅█"
    assert sparkline([9, 8, 0, 0], 2) == "▁▁"
    assert sparkline([], 3) == "   "


def main() -> None:
    """Draw the pictures anew."""
    for width, height in SIZES:
        (PICTURES / f"demo-screen-{width}x{height}.txt").write_text(plain(VIEW, width, height) + "\n", "utf-8")
        sys.stdout.write(plain(VIEW, width, height) + "\n")


if __name__ == "__main__":
    main()
