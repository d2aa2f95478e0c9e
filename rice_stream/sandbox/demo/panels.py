"""The boxes of the screen: from the figures of a moment to lines of text. Pure."""

from collections.abc import Sequence
from itertools import zip_longest

from rich.text import Text

from rice_stream.reports.figures import BudgetFigure, Named
from rice_stream.sandbox.demo import amounts
from rice_stream.sandbox.demo.layout import bar, beside, box, cell, gauge, line, sparkline, spread
from rice_stream.sandbox.demo.view import ArrivedAlert, View, budget_label

STATE_STYLES = {"ok": "green", "warning": "yellow", "exceeded": "bold red", "resolved": "cyan"}
DIM = "bright_black"
NUMBER = "bold"
CARBON = "green"
THROUGHPUT = "cyan"

CARDS_HEIGHT = 4
BUDGET_LINES = 2
_CARD_WIDE = 21
_NAME = 17
_RANGE = 14
_ALERT_DETAIL_WIDTH = 68
_FOOTER_INDENT = 15
_WHERE = "  (second terminal)"
_GAUGE_SCALE = 1.2
"""Gauges end at 120 % of the limit, so that the limit itself is a mark within."""


def header(view: View, width: int) -> list[Text]:
    """By which method, for how long; what runs where."""
    stage = view.stage
    clock = amounts.minutes(view.elapsed_s) + (f" / {amounts.minutes(view.seconds)}" if view.seconds else "")
    title = Text.assemble(
        (" rice_stream ", "bold black on green"),
        ("  method ", DIM),
        stage.method_version,
        ("  factors ", DIM),
        stage.factor_version.removeprefix("factors-"),
    )
    where = Text.assemble(
        (" Kafka ", DIM), stage.broker, ("  database ", DIM), stage.database, ("  worker ", DIM), stage.worker_url
    )
    status = Text.assemble((f"{view.phase}  ", THROUGHPUT), (clock, NUMBER), " ")
    return [spread(title, status, width), cell(where, width)]


def cards(view: View, width: int) -> list[Text]:
    """Prompts with their rate, tokens, energy, carbon."""
    quarter = max((width - 6) // 4, 12)
    first = width - 3 * quarter
    totals = view.figures.totals
    energy, energy_unit = amounts.watt_hours(totals.facility_energy_uwh / 1e6, 4)
    per_prompt, per_prompt_unit = amounts.watt_hours(totals.facility_energy_uwh / 1e6 / max(totals.prompts, 1))
    carbon, carbon_unit = amounts.grams_co2e(totals.carbon_mid_ugco2e / 1e6)
    inner = first - 4
    prompts = [
        spread(Text(f"{totals.prompts:,}", NUMBER), Text(f"{view.rate_per_s:,.0f}/s", THROUGHPUT), inner),
        Text(sparkline(view.rates_per_s, inner), THROUGHPUT),
    ]
    tokens = [
        Text.assemble((amounts.count(totals.input_tokens), NUMBER), " in"),
        Text.assemble((amounts.count(totals.output_tokens), NUMBER), " out"),
    ]
    used = [Text.assemble((energy, NUMBER), f" {energy_unit}"), Text(f"{per_prompt} {per_prompt_unit}/prompt", DIM)]
    digits = 3 if quarter >= _CARD_WIDE else 2
    span = amounts.gram_range(totals.carbon_low_ugco2e / 1e6, totals.carbon_high_ugco2e / 1e6, digits)
    emitted = [Text.assemble((carbon, f"bold {CARBON}"), (f" {carbon_unit}", CARBON)), Text(span, CARBON)]
    return beside(
        box("Prompts", prompts, first, CARDS_HEIGHT, f"lag {view.waiting:,}"),
        box("Tokens", tokens, quarter, CARDS_HEIGHT),
        box("Energy", used, quarter, CARDS_HEIGHT),
        box("Carbon", emitted, quarter, CARDS_HEIGHT),
    )


def tenants(view: View, width: int, height: int) -> list[Text]:
    """Tenants by gCO2e: middle, range and share of all; on a narrow terminal without the range."""
    inner = width - 4
    ranged, counted = inner >= 52, inner >= 60
    bar_width = inner - sum((_NAME + 1, 7 + 1, 8 + 1, (_RANGE + 1) * ranged, 6 * counted))
    heads = [cell("tenant", _NAME), cell("prompts", 7, right=True), cell("CO2e", 8, right=True)]
    heads += [cell("low–high", _RANGE, right=True)] * ranged + [cell("share", bar_width)]
    rows = [line(*heads)]
    rows[0].stylize(DIM)
    total = max(view.figures.totals.carbon_mid_ugco2e, 1)
    largest = max((row.sums.carbon_mid_ugco2e for row in view.figures.tenants), default=0) or 1
    for row in view.figures.tenants:
        share = row.sums.carbon_mid_ugco2e / total
        cells = [
            cell(row.name, _NAME),
            cell(amounts.count(row.sums.prompts), 7, right=True),
            cell(amounts.grams(row.sums.carbon_mid_ugco2e / 1e6), 8, NUMBER, right=True),
        ]
        if ranged:
            span = amounts.gram_range(row.sums.carbon_low_ugco2e / 1e6, row.sums.carbon_high_ugco2e / 1e6, digits=2)
            cells.append(cell(span, _RANGE, DIM, right=True))
        cells.append(cell(bar(row.sums.carbon_mid_ugco2e / largest, bar_width), bar_width, CARBON))
        if counted:
            cells.append(cell(amounts.percent(share), 5, right=True))
        rows.append(line(*cells))
    hidden = len(view.figures.tenants) - (height - 3)
    return box("Tenants by CO2e", rows, width, height, f"{hidden} more" if hidden > 0 else "")


def budgets(view: View, width: int, height: int) -> list[Text]:
    """Each budget with a gauge on which its thresholds are marked, the nearest to its limit first."""
    ordered = sorted(view.figures.budgets, key=lambda budget: -budget.ratio)
    rows = [row for budget in ordered for row in _budget(budget, width - 4)]
    return box("Budgets", rows, width, height, "┃ thresholds")


def _budget(budget: BudgetFigure, width: int) -> list[Text]:
    style = STATE_STYLES[budget.state]
    gauge_width = width - 15
    return [
        spread(
            Text(budget_label(budget.tenant_id, budget.name)),
            Text(amounts.limited(budget.consumed, budget.limit, budget.unit) + _end_of_range(budget)),
            width,
        ),
        line(
            gauge(budget.ratio, budget.thresholds, gauge_width, style, _GAUGE_SCALE),
            cell(amounts.percent(budget.ratio), 5, NUMBER, right=True),
            cell(budget.state, 8, style),
        ),
    ]


def _end_of_range(budget: BudgetFigure) -> str:
    return f" ({budget.estimate})" if budget.unit == "gco2e" and budget.estimate != "mid" else ""


def rankings(view: View, width: int, height: int) -> list[Text]:
    """Models and regions by gCO2e, beside each other; on a narrow terminal models alone."""
    columns = 2 if width >= 48 else 1
    column = (width - 4 - 2 * (columns - 1)) // columns
    ranked = [_ranking(rows, column) for rows in (view.figures.models, view.figures.regions)[:columns]]
    rows = [line(*cells, gap=2) for cells in zip_longest(*ranked, fillvalue=cell("", column))]
    return box("Models and regions" if columns == 2 else "Models", rows, width, height)


def _ranking(rows: Sequence[Named], width: int) -> list[Text]:
    return [
        line(cell(row.name, width - 8), cell(amounts.grams(row.sums.carbon_mid_ugco2e / 1e6), 7, NUMBER, right=True))
        for row in rows
    ]


def alerts(view: View, width: int, height: int) -> list[Text]:
    """The latest alerts, as they arrived on Kafka."""
    rows = [_alert(alert, width - 4) for alert in reversed(view.alerts)]
    if not rows:
        rows = [Text("none yet", DIM)]
    return box(f"Alerts on Kafka: {view.stage.alerts_topic}", rows, width, height, str(len(view.alerts) or ""))


def _alert(alert: ArrivedAlert, width: int) -> Text:
    cells = [
        cell(f"{alert.arrived_at:%H:%M:%S}", 8, DIM),
        cell(alert.state, 8, STATE_STYLES.get(alert.state, "")),
        cell("", 0),
        cell(amounts.percent(alert.threshold), 5, right=True),
    ]
    if width >= _ALERT_DETAIL_WIDTH:
        cells.append(cell(f"{amounts.percent(alert.ratio)} used", 11, DIM, right=True))
        cells.append(cell(f"after {max(alert.delay_s, 0):.1f} s", 11, DIM, right=True))
    taken = sum(one.cell_len + 1 for one in cells) - 1
    cells[2] = cell(budget_label(alert.tenant_id, alert.budget), width - taken)
    return line(*cells)


def footer(view: View, width: int) -> list[Text]:
    """How good the data is, and how to look around."""
    figures = view.figures
    assumed = figures.fallback_prompts / max(figures.totals.prompts, 1)
    reasons = ", ".join(f"{number} {reason.replace('_', ' ')}" for reason, number in figures.reasons)
    quality = Text(" · ", DIM).join(
        [
            Text(f"{amounts.percent(assumed)} fallbacks"),
            Text(f"{figures.accounted.duplicates:,} duplicates dropped"),
            Text(f"{figures.accounted.quarantined:,} quarantined" + (f": {reasons}" if reasons else "")),
        ]
    )
    look, more = _commands(view.stage.environment_file, width - _FOOTER_INDENT)
    return [
        cell(Text.assemble((" data quality  ", DIM), quality), width),
        cell(Text.assemble((" look around   ", DIM), look), width),
        spread(Text.assemble(" " * _FOOTER_INDENT, more), Text("Ctrl-C ends it in good order ", DIM), width),
    ]


def _commands(environment_file: str, width: int) -> tuple[Text, Text]:
    """What to type in a second terminal, on one line where it fits: a path for temporary files may be long."""
    source, totals = f". {environment_file}", "rice-stream totals --by team"
    look = Text(f"{source}; {totals}", "bold")
    if look.cell_len > width:
        return Text(source, "bold"), Text(totals, "bold")
    if look.cell_len + len(_WHERE) <= width:
        look.append(_WHERE, DIM)
    return look, Text("also: budget status, alerts, quarantine list, verify", DIM)
