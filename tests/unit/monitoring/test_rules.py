"""deploy/prometheus-rules.yaml: Prometheus takes it, each alert fires when it should, and it reads only what is there."""

import re
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from rice_stream.api.metrics import DELIVERY_OUTCOMES
from rice_stream.basis import Basis
from rice_stream.events.records import BATCH_NOT_UNPACKED
from rice_stream.worker.metrics import OUTCOMES
from tests.support.docs_reading import anchors, codes, rows, section, text_of
from tests.support.exposed_metrics import buckets, selectors, series
from tests.support.places import ROOT
from tests.support.programs import program

RULES = "deploy/prometheus-rules.yaml"
CASES = Path(__file__).with_name("rules_test.yaml")
WINDOWS = ("5m", "30m", "1h", "6h", "3d")
BURN_RATES = {"page": [(14.4, "1h", "5m"), (6.0, "6h", "30m")], "ticket": [(1.0, "3d", "6h")]}
"""How many times too fast over which windows."""
VALUES = {
    "outcome": {*OUTCOMES, *DELIVERY_OUTCOMES},
    "reason": {BATCH_NOT_UNPACKED},
    "basis": {basis.name.lower() for basis in Basis if basis.name},
    "status": {"5.."},
}
"""What labels can say."""


def groups() -> dict[str, list[dict[str, Any]]]:
    """The rules by the name of their group."""
    return {group["name"]: group["rules"] for group in yaml.safe_load(text_of(RULES))["groups"]}


RECORDED = [rule for rules in groups().values() for rule in rules if "record" in rule]
ALERTS = [rule for rules in groups().values() for rule in rules if "alert" in rule]


def test_prometheus_takes_the_rules_and_each_case_fires_exactly_its_alerts() -> None:
    """By Prometheus' own tool: syntax, and what fires at which minute of the cases in rules_test.yaml."""
    promtool = program("promtool")
    for arguments in (["check", "rules", RULES], ["test", "rules", str(CASES)]):
        run = subprocess.run([promtool, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stdout + run.stderr


def test_every_alert_fires_in_a_case() -> None:
    """A rule that nobody has seen firing may be one that cannot."""
    fired = set(re.findall(r'labels: \'\{alertname="(\w+)"', CASES.read_text("utf-8")))
    fired |= set(re.findall(r'ALERTS\{alertstate="firing",alertname="(\w+)"\}', CASES.read_text("utf-8")))
    assert fired == {rule["alert"] for rule in ALERTS}


@pytest.mark.parametrize("rule", [*ALERTS, *RECORDED], ids=lambda rule: str(rule.get("alert", rule.get("record"))))
def test_every_rule_reads_metrics_labels_and_values_that_there_are(rule: dict[str, Any]) -> None:
    """A rule on a metric, label, value or bucket that does not exist never fires."""
    recorded = {each["record"] for each in RECORDED}
    named = set(re.findall(r"rice:[\w:]+", rule["expr"]))
    assert named <= recorded
    for name, matchers in selectors(re.sub(r"rice:[\w:]+", "", rule["expr"])):
        assert name in series()
        assert {label for label, _, _ in matchers} <= series()[name]
        for label, operator, value in matchers:
            known = buckets()[name.removesuffix("_bucket")] if label == "le" else VALUES[label]
            assert set(value.split("|") if operator == "=~" else [value]) <= known
    assert named or list(selectors(rule["expr"]))


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: str(rule["alert"]))
def test_every_alert_says_how_urgent_it_is_what_it_means_and_where_to_read_on(rule: dict[str, Any]) -> None:
    """The runbook has a heading of the alert's name."""
    assert rule["labels"] == {"severity": rule["labels"]["severity"]}
    assert rule["labels"]["severity"] in {"page", "ticket"}
    notes = rule["annotations"]
    assert set(notes) == {"summary", "description", "runbook"}
    assert all(len(text) > 20 for text in notes.values())
    page, _, anchor = notes["runbook"].partition("#")
    assert anchor == rule["alert"].lower()
    assert anchor in anchors(text_of(page))


def test_the_runbook_has_no_entry_for_an_alert_that_is_gone() -> None:
    """Both directions."""
    written = set(re.findall(r"^#+ (Rice[A-Z]\w+)$", text_of("docs/runbook.md"), flags=re.MULTILINE))
    assert written == {rule["alert"] for rule in ALERTS}


class Promise(NamedTuple):
    """A row of the table of promises."""

    name: str
    metric: str
    within: str
    """The bucket's bound, as `le` writes it."""
    missed_max: float
    """The share that may be missed."""
    least: int

    def recorded(self, window: str) -> tuple[str, str]:
        """Name and expression of the share that missed it over a window."""
        good = f'{self.metric}_bucket{{le="{self.within}"}}[{window}]'
        return (
            f"rice:{self.name}:missed_ratio_{window}",
            f"1 - sum(rate({good})) / sum(rate({self.metric}_count[{window}]))",
        )

    def alert(self, severity: str) -> str:
        """The expression of the alert of a severity."""
        parts = []
        for factor, long, short in BURN_RATES[severity]:
            limit = f"{factor * self.missed_max:.3g}"
            good = f'{self.metric}_bucket{{le="{self.within}"}}[{long}]'
            missed = f"sum(increase({self.metric}_count[{long}])) - sum(increase({good}))"
            ratios = " and ".join(f"rice:{self.name}:missed_ratio_{window} > {limit}" for window in (long, short))
            parts.append(f"({ratios} and {missed} >= {self.least})")
        return " or ".join(parts)


def promises() -> list[Promise]:
    """What docs/metrics.md promises."""
    found = []
    for cells in rows(section(text_of("docs/metrics.md"), "## Promises")):
        [name], [metric] = codes(cells[1]), codes(cells[2])
        within = str(float(cells[3].removesuffix(" s")))
        share = round(1 - float(cells[4].removesuffix(" %")) / 100, 6)
        found.append(Promise(name, metric, within, share, int(cells[5].split()[0])))
    return found


def test_the_promises_of_the_documentation_are_the_ones_that_are_watched() -> None:
    """Objective, bucket, windows and burn rates: the rules follow from the table, and there are no others."""
    wanted = dict(promise.recorded(window) for promise in promises() for window in WINDOWS)
    assert {rule["record"]: rule["expr"] for rule in RECORDED} == wanted
    burning = {
        " ".join(rule["expr"].split()): rule["labels"]["severity"] for rule in groups()["rice_stream_burn_rates"]
    }
    assert burning == {promise.alert(severity): severity for promise in promises() for severity in BURN_RATES}
