"""A moment of the demo in a few lines: where the dashboard is, what has come so far, and how to look around. Pure."""

from rich.text import Text

from rice_stream.sandbox.demo import amounts
from rice_stream.sandbox.demo.view import ArrivedAlert, View, budget_label

_STATE_STYLES = {"ok": "green", "warning": "yellow", "exceeded": "bold red", "resolved": "cyan"}
_DIM = "bright_black"
_LABEL = 11


def live_lines(view: View) -> Text:
    """For a terminal. The address can be clicked, also where the terminal is too narrow for it."""
    stage, clock = view.stage, amounts.minutes(view.elapsed_s)
    if view.seconds:
        clock += f" / {amounts.minutes(view.seconds)}"
    rows = [
        Text.assemble((" rice_stream demo ", "bold black on green"), f"  {view.phase}  ", (clock, "bold")),
        _row("dashboard", Text(stage.sign_in_link, f"bold underline green link {stage.sign_in_link}")),
        _row(
            "",
            Text("opens in the first browser, within 15 minutes; then it is at ", _DIM) + Text(stage.server_url, _DIM),
        ),
        _row("so far", Text(so_far(view))),
        _row("alerts", _alerts(view)),
        _row("more", Text(f". {stage.environment_file}")),
        _row("", Text("rice-stream totals --by team") + Text("  (both in a second terminal)", _DIM)),
        _row("", Text("Ctrl-C ends it in good order", _DIM)),
    ]
    return Text("\n").join(rows)


def so_far(view: View) -> str:
    """Prompts, energy, carbon with its range, and what is on its way."""
    totals = view.figures.totals
    carbon = totals.carbon_gco2e
    return (
        f"{totals.prompts:,} prompts ({view.rate_per_s:,.0f}/s), {' '.join(amounts.watt_hours(totals.facility_energy_wh))},"
        f" {amounts.grams(carbon['mid'])}CO2e (low {amounts.grams(carbon['low'])}, high {amounts.grams(carbon['high'])}),"
        f" {len(view.alerts)} alerts, lag {view.waiting:,}"
    )


def _row(label: str, content: Text) -> Text:
    return Text.assemble((f" {label}".ljust(_LABEL), _DIM), content)


def _alerts(view: View) -> Text:
    if not view.alerts:
        return Text("none yet", _DIM)
    return _alert(view.alerts[-1])


def _alert(alert: ArrivedAlert) -> Text:
    return Text.assemble(
        f"{alert.arrived_at:%H:%M:%S} ",
        (alert.state, _STATE_STYLES.get(alert.state, "")),
        f"  {budget_label(alert.tenant_id, alert.budget)} at {amounts.percent(alert.threshold)}",
        (f", {max(alert.delay_s, 0):.1f} s after it was judged", _DIM),
    )
