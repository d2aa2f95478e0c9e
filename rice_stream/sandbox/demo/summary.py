"""What came of a demo: the checks that must hold, a few lines for people, one JSON document for programs. Pure."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rice_stream.reports.figures import Figures
from rice_stream.sandbox.demo import amounts
from rice_stream.sandbox.demo.view import ArrivedAlert, budget_label

_TENANTS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class DemoOutcome:
    """Everything as it stood when the worker had ended and the last alert had arrived."""

    sent: int
    figures: Figures
    alerts: tuple[ArrivedAlert, ...]
    lag: int
    worker_exit_code: int
    verification: dict[str, Any]
    seconds: float
    interrupted: bool

    @property
    def failures(self) -> list[str]:
        """What did not hold, each as a sentence; empty when the demo was good."""
        return list(_failures(self))

    @property
    def document(self) -> dict[str, Any]:
        """The closing JSON document; its fields are part of the command's interface."""
        accounted = self.figures.accounted
        return {
            "events": self.sent,
            "records": accounted.recorded,
            "duplicates": accounted.duplicates,
            "quarantined": accounted.quarantined,
            "alerts": len(self.alerts),
            "tenants": len(self.figures.tenants),
            "carbon_gco2e": self.figures.totals.carbon_gco2e,
            "verify": "ok" if self.verification["ok"] else "failed",
        }


def _failures(outcome: DemoOutcome) -> Iterator[str]:
    accounted, arrived = outcome.figures.accounted, {alert.alert_id for alert in outcome.alerts}
    if not outcome.verification["ok"]:
        count, first = outcome.verification["differences_total"], outcome.verification["differences"][0]
        yield f"verify found {count:,} differences between the totals and the records; the first: {json.dumps(first)}"
    if accounted.events != outcome.sent:
        yield f"{outcome.sent:,} events were sent, {accounted.events:,} are accounted for"
    if accounted.recorded != outcome.figures.totals.prompts:
        yield f"{accounted.recorded:,} prompts were recorded, the totals have {outcome.figures.totals.prompts:,}"
    if outcome.lag:
        yield f"the worker left {outcome.lag:,} records un-acknowledged"
    if outcome.worker_exit_code != 0:
        yield f"the worker ended with exit code {outcome.worker_exit_code}"
    if missing := outcome.figures.alert_ids - arrived:
        yield f"{len(missing)} alert(s) of the store did not arrive on Kafka"
    announced = {(a.tenant_id, a.budget, a.threshold) for a in outcome.alerts if a.state in ("warning", "exceeded")}
    for budget in outcome.figures.budgets:
        for threshold in budget.reached:
            if (budget.tenant_id, budget.name, threshold) not in announced:
                yield f"no alert says that {budget_label(budget.tenant_id, budget.name)} reached {amounts.percent(threshold)}"
    if not arrived and not outcome.interrupted:
        yield "no alert arrived"


def summary_lines(outcome: DemoOutcome) -> list[str]:
    """A few lines of plain ASCII."""
    figures, accounted = outcome.figures, outcome.figures.accounted
    totals = figures.totals
    carbon = totals.carbon_gco2e
    energy = " ".join(amounts.watt_hours(totals.facility_energy_wh))
    reasons = ", ".join(f"{count} {reason}" for reason, count in figures.reasons)
    conflicts = f", {accounted.conflicts:,} conflicts" if accounted.conflicts else ""
    largest = ", ".join(
        f"{row.name} {amounts.grams(row.sums.carbon_gco2e['mid'])}" for row in figures.tenants[:_TENANTS_SHOWN]
    )
    events = (
        f"{outcome.sent:,} events in {outcome.seconds:.0f} s: {accounted.recorded:,} prompts recorded,"
        f" {accounted.duplicates:,} duplicates dropped, {accounted.quarantined:,} quarantined"
    )
    emitted = (
        f"{energy}, {amounts.grams(carbon['mid'])}CO2e (low {amounts.grams(carbon['low'])}, high"
        f" {amounts.grams(carbon['high'])}), {len(figures.tenants)} tenants; most: {largest or 'none'}"
    )
    lines = [
        events + (f" ({reasons})" if reasons else "") + conflicts,
        emitted,
        *(_alert_line(alert) for alert in outcome.alerts),
        _verify_line(outcome),
    ]
    return lines + [f"FAILED: {failure}" for failure in outcome.failures]


def _alert_line(alert: ArrivedAlert) -> str:
    label = budget_label(alert.tenant_id, alert.budget)
    return f"alert {alert.arrived_at:%H:%M:%S}  {alert.state:8}  {label} at {alert.threshold:.0%}"


def _verify_line(outcome: DemoOutcome) -> str:
    report = outcome.verification
    verdict = "every total equals the recount of its records" if report["ok"] else "totals and records DIFFER"
    return f"verify: {verdict} ({report['records']:,} records, {report['totals_checked']:,} totals)"
