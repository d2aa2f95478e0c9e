"""The live screen: the figures of a moment as lines of text, for any size of terminal from about 80 x 20 on. Pure."""

from collections.abc import Sequence
from itertools import zip_longest

from rich.text import Text

from rice_stream.reports.figures import BudgetFigure, Named
from rice_stream.sandbox.demo import amounts
from rice_stream.sandbox.demo.layout import bar, beside, box, cell, gauge, line, sparkline, spread
from rice_stream.sandbox.demo.view import ArrivedAlert, View, budget_label

_STATE_STYLES = {"ok": "green", "warning": "yellow", "exceeded": "bold red", "resolved": "cyan"}
_DIM = "bright_black"
_NUMBER = "bold"
_CARBON = "green"
_THROUGHPUT = "cyan"

_CARDS_HEIGHT = 4
_BUDGET_LINES = 2
_CARD_WIDE = 21
_NAME = 17
_RANGE = 14
_ALERT_DETAIL_WIDTH = 68
_FOOTER_INDENT = 15
_WHERE = "  (second terminal)"
_GAUGE_SCALE = 1.2
"""Gauges end at 120 % of the limit, so that the limit itself is a mark within."""

_MIN_WIDTH = 72
_MIN_HEIGHT = 18
_LEFT_SHARE = 0.6
_ALERTS_WIDTH_MIN = 44
_UPPER_SHARE = 0.56
_HEADER_LINES = 2
_FOOTER_LINES = 3


def draw(view: View, width: int, height: int) -> Text:
    """The picture as `height` lines of `width` columns each."""
    columns, rows = max(width, _MIN_WIDTH), max(height, _MIN_HEIGHT)
    body = rows - _HEADER_LINES - _CARDS_HEIGHT - _FOOTER_LINES
    figures = view.figures
    needed = max(len(figures.tenants) + 1, _BUDGET_LINES * len(figures.budgets)) + 2
    upper = min(round(body * _UPPER_SHARE), max(needed, 8))
    left = round(columns * _LEFT_SHARE)
    alerts_width = max(columns // 2, _ALERTS_WIDTH_MIN)
    lines = [
        *_header(view, columns),
        *_cards(view, columns),
        *beside(_tenants(view, left, upper), _budgets(view, columns - left, upper)),
        *beside(_rankings(view, columns - alerts_width, body - upper), _alerts(view, alerts_width, body - upper)),
        *_footer(view, columns),
    ]
    if (columns, rows) != (width, height):
        lines = [cell(drawn, width) for drawn in lines[:height]]
    return Text("\n", no_wrap=True, end="").join(lines)


def _header(view: View, width: int) -> list[Text]:
    """By which method, for how long; what runs where."""
    stage = view.stage
    clock = amounts.minutes(view.elapsed_s) + (f" / {amounts.minutes(view.seconds)}" if view.seconds else "")
    title = Text.assemble(
        (" rice_stream ", "bold black on green"),
        ("  method ", _DIM),
        stage.method_version,
        ("  factors ", _DIM),
        stage.factor_version.removeprefix("factors-"),
    )
    where = Text.assemble(
        (" Kafka ", _DIM), stage.broker, ("  database ", _DIM), stage.database, ("  worker ", _DIM), stage.worker_url
    )
    status = Text.assemble((f"{view.phase}  ", _THROUGHPUT), (clock, _NUMBER), " ")
    return [spread(title, status, width), cell(where, width)]


def _cards(view: View, width: int) -> list[Text]:
    """Prompts with their rate, tokens, energy, carbon."""
    quarter = max((width - 6) // 4, 12)
    first = width - 3 * quarter
    totals = view.figures.totals
    energy, energy_unit = amounts.watt_hours(totals.facility_energy_wh, 4)
    per_prompt, per_prompt_unit = amounts.watt_hours(totals.facility_energy_wh / max(totals.prompts, 1))
    carbon, carbon_unit = amounts.grams_co2e(totals.carbon_gco2e["mid"])
    inner = first - 4
    prompts = [
        spread(Text(f"{totals.prompts:,}", _NUMBER), Text(f"{view.rate_per_s:,.0f}/s", _THROUGHPUT), inner),
        Text(sparkline(view.rates_per_s, inner), _THROUGHPUT),
    ]
    tokens = [
        Text.assemble((amounts.count(totals.input_tokens), _NUMBER), " in"),
        Text.assemble((amounts.count(totals.output_tokens), _NUMBER), " out"),
    ]
    used = [Text.assemble((energy, _NUMBER), f" {energy_unit}"), Text(f"{per_prompt} {per_prompt_unit}/prompt", _DIM)]
    digits = 3 if quarter >= _CARD_WIDE else 2
    span = amounts.gram_range(totals.carbon_gco2e["low"], totals.carbon_gco2e["high"], digits)
    emitted = [Text.assemble((carbon, f"bold {_CARBON}"), (f" {carbon_unit}", _CARBON)), Text(span, _CARBON)]
    return beside(
        box("Prompts", prompts, first, _CARDS_HEIGHT, f"lag {view.waiting:,}"),
        box("Tokens", tokens, quarter, _CARDS_HEIGHT),
        box("Energy", used, quarter, _CARDS_HEIGHT),
        box("Carbon", emitted, quarter, _CARDS_HEIGHT),
    )


def _tenants(view: View, width: int, height: int) -> list[Text]:
    """Tenants by gCO2e: middle, range and share of all; on a narrow terminal without the range."""
    inner = width - 4
    ranged, counted = inner >= 52, inner >= 60
    bar_width = inner - sum((_NAME + 1, 7 + 1, 8 + 1, (_RANGE + 1) * ranged, 6 * counted))
    heads = [cell("tenant", _NAME), cell("prompts", 7, right=True), cell("CO2e", 8, right=True)]
    heads += [cell("low–high", _RANGE, right=True)] * ranged + [cell("share", bar_width)]
    rows = [line(*heads)]
    rows[0].stylize(_DIM)
    total = max(view.figures.totals.carbon_mid_ugco2e, 1)
    largest = max((row.sums.carbon_mid_ugco2e for row in view.figures.tenants), default=0) or 1
    for row in view.figures.tenants:
        share = row.sums.carbon_mid_ugco2e / total
        cells = [
            cell(row.name, _NAME),
            cell(amounts.count(row.sums.prompts), 7, right=True),
            cell(amounts.grams(row.sums.carbon_gco2e["mid"]), 8, _NUMBER, right=True),
        ]
        if ranged:
            span = amounts.gram_range(row.sums.carbon_gco2e["low"], row.sums.carbon_gco2e["high"], digits=2)
            cells.append(cell(span, _RANGE, _DIM, right=True))
        cells.append(cell(bar(row.sums.carbon_mid_ugco2e / largest, bar_width), bar_width, _CARBON))
        if counted:
            cells.append(cell(amounts.percent(share), 5, right=True))
        rows.append(line(*cells))
    hidden = len(view.figures.tenants) - (height - 3)
    return box("Tenants by CO2e", rows, width, height, f"{hidden} more" if hidden > 0 else "")


def _budgets(view: View, width: int, height: int) -> list[Text]:
    """Each budget with a gauge on which its thresholds are marked, the nearest to its limit first."""
    ordered = sorted(view.figures.budgets, key=lambda budget: -budget.ratio)
    rows = [row for budget in ordered for row in _budget(budget, width - 4)]
    return box("Budgets", rows, width, height, "┃ thresholds")


def _budget(budget: BudgetFigure, width: int) -> list[Text]:
    style = _STATE_STYLES[budget.state]
    gauge_width = width - 15
    return [
        spread(
            Text(budget_label(budget.tenant_id, budget.name)),
            Text(amounts.limited(budget.consumed, budget.limit, budget.unit) + _end_of_range(budget)),
            width,
        ),
        line(
            gauge(budget.ratio, budget.thresholds, gauge_width, style, _GAUGE_SCALE),
            cell(amounts.percent(budget.ratio), 5, _NUMBER, right=True),
            cell(budget.state, 8, style),
        ),
    ]


def _end_of_range(budget: BudgetFigure) -> str:
    return f" ({budget.estimate})" if budget.unit == "gco2e" and budget.estimate != "mid" else ""


def _rankings(view: View, width: int, height: int) -> list[Text]:
    """Models and regions by gCO2e, beside each other; on a narrow terminal models alone."""
    columns = 2 if width >= 48 else 1
    column = (width - 4 - 2 * (columns - 1)) // columns
    ranked = [_ranking(rows, column) for rows in (view.figures.models, view.figures.regions)[:columns]]
    rows = [line(*cells, gap=2) for cells in zip_longest(*ranked, fillvalue=cell("", column))]
    return box("Models and regions" if columns == 2 else "Models", rows, width, height)


def _ranking(rows: Sequence[Named], width: int) -> list[Text]:
    return [
        line(cell(row.name, width - 8), cell(amounts.grams(row.sums.carbon_gco2e["mid"]), 7, _NUMBER, right=True))
        for row in rows
    ]


def _alerts(view: View, width: int, height: int) -> list[Text]:
    """The latest alerts, as they arrived on Kafka."""
    rows = [_alert(alert, width - 4) for alert in reversed(view.alerts)]
    if not rows:
        rows = [Text("none yet", _DIM)]
    return box(f"Alerts on Kafka: {view.stage.alerts_topic}", rows, width, height, str(len(view.alerts) or ""))


def _alert(alert: ArrivedAlert, width: int) -> Text:
    cells = [
        cell(f"{alert.arrived_at:%H:%M:%S}", 8, _DIM),
        cell(alert.state, 8, _STATE_STYLES.get(alert.state, "")),
        cell("", 0),
        cell(amounts.percent(alert.threshold), 5, right=True),
    ]
    if width >= _ALERT_DETAIL_WIDTH:
        cells.append(cell(f"{amounts.percent(alert.ratio)} used", 11, _DIM, right=True))
        cells.append(cell(f"after {max(alert.delay_s, 0):.1f} s", 11, _DIM, right=True))
    taken = sum(part.cell_len + 1 for part in cells) - 1
    cells[2] = cell(budget_label(alert.tenant_id, alert.budget), width - taken)
    return line(*cells)


def _footer(view: View, width: int) -> list[Text]:
    """How good the data is, and how to look around."""
    figures = view.figures
    assumed = figures.fallback_prompts / max(figures.totals.prompts, 1)
    reasons = ", ".join(f"{number} {reason.replace('_', ' ')}" for reason, number in figures.reasons)
    quality = Text(" · ", _DIM).join(
        [
            Text(f"{amounts.percent(assumed)} fallbacks"),
            Text(f"{figures.accounted.duplicates:,} duplicates dropped"),
            Text(f"{figures.accounted.quarantined:,} quarantined" + (f": {reasons}" if reasons else "")),
        ]
    )
    look, see_also = _commands(view.stage.environment_file, width - _FOOTER_INDENT)
    return [
        cell(Text.assemble((" data quality  ", _DIM), quality), width),
        cell(Text.assemble((" look around   ", _DIM), look), width),
        spread(Text.assemble(" " * _FOOTER_INDENT, see_also), Text("Ctrl-C ends it in good order ", _DIM), width),
    ]


def _commands(environment_file: str, width: int) -> tuple[Text, Text]:
    """What to type in a second terminal, on one line where it fits: a path for temporary files may be long."""
    source, totals = f". {environment_file}", "rice-stream totals --by team"
    look = Text(f"{source}; {totals}", "bold")
    if look.cell_len > width:
        return Text(source, "bold"), Text(totals, "bold")
    if look.cell_len + len(_WHERE) <= width:
        look.append(_WHERE, _DIM)
    return look, Text("also: budget status, alerts, quarantine list, verify", _DIM)
