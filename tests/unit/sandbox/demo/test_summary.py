"""A demo is good only when everything it promises held; its last line is for programs."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from rice_stream.reports.figures import Accounted, BudgetFigure, Figures, Named, Sums
from rice_stream.sandbox.demo.inbox import parse_alert
from rice_stream.sandbox.demo.summary import DemoOutcome, summary_lines
from rice_stream.sandbox.demo.view import ArrivedAlert

TOTALS = Sums(90, 1000, 200, 5_000_000, 1_000_000, 2_500_000, 9_000_000)
BUDGET = BudgetFigure("acme-24h", "acme", "", 4.0, "gco2e", "rolling-24h", (0.5, 1.0), 2.5, 0.625, (0.5,), "warning")
ALERT = ArrivedAlert("a1", "acme", "acme-24h", 0.5, "warning", 0.51, datetime(2026, 11, 22, 12, tzinfo=UTC), 0.1)
FIGURES = Figures(
    totals=TOTALS,
    tenants=(Named("acme", TOTALS),),
    models=(),
    regions=(),
    budgets=(BUDGET,),
    accounted=Accounted(recorded=90, duplicates=7, conflicts=0, quarantined=3),
    reasons=(("invalid_field", 3),),
    fallback_prompts=1,
    alert_ids=frozenset({"a1"}),
)
DIFFERENCE = {"table": "minute_total", "measure": "prompts"}
VERIFIED = {"ok": True, "records": 90, "totals_checked": 12, "differences": [], "differences_total": 0}
GOOD = DemoOutcome(
    sent=100,
    figures=FIGURES,
    alerts=(ALERT,),
    lag=0,
    worker_exit_code=0,
    verification=VERIFIED,
    seconds=30.0,
    interrupted=False,
)


def test_a_good_demo_has_no_failures_and_says_it_in_one_document() -> None:
    """Exactly the fields that programs rely on."""
    assert GOOD.failures == []
    assert GOOD.document == {
        "events": 100,
        "records": 90,
        "duplicates": 7,
        "quarantined": 3,
        "alerts": 1,
        "tenants": 1,
        "carbon_gco2e": {"low": 1.0, "mid": 2.5, "high": 9.0},
        "verify": "ok",
    }


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (replace(GOOD, sent=101), "101 events were sent, 100 are accounted for"),
        (replace(GOOD, lag=4), "left 4 records un-acknowledged"),
        (replace(GOOD, worker_exit_code=-9), "exit code -9"),
        (replace(GOOD, figures=replace(FIGURES, alert_ids=frozenset({"a1", "a2"}))), "1 alert\\(s\\) of the store"),
        (
            replace(GOOD, figures=replace(FIGURES, budgets=(replace(BUDGET, reached=(0.5, 1.0)),))),
            "acme-24h reached 100 %",
        ),
        (replace(GOOD, figures=replace(FIGURES, totals=replace(TOTALS, prompts=89))), "the totals have 89"),
        (
            replace(GOOD, verification={**VERIFIED, "ok": False, "differences": [DIFFERENCE], "differences_total": 2}),
            "verify found 2 differences.*minute_total",
        ),
        (
            replace(GOOD, alerts=(), figures=replace(FIGURES, alert_ids=frozenset(), budgets=())),
            "no alert arrived",
        ),
    ],
)
def test_each_broken_promise_is_a_failure_of_its_own(broken: DemoOutcome, said: str) -> None:
    """One thing wrong: one failure, named in the summary."""
    assert len(broken.failures) == 1
    (line,) = [line for line in summary_lines(broken) if line.startswith("FAILED: ")]
    assert re.search(said, line)


def test_a_failed_verification_is_in_the_document() -> None:
    """`verify` is "ok" or "failed", nothing else."""
    report = {**VERIFIED, "ok": False, "differences": [DIFFERENCE], "differences_total": 1}
    assert replace(GOOD, verification=report).document["verify"] == "failed"


def test_who_ends_the_demo_early_need_not_have_seen_an_alert() -> None:
    """Before the first crossing there is none; a crossing without its alert stays a failure."""
    early = replace(GOOD, interrupted=True, alerts=(), figures=replace(FIGURES, alert_ids=frozenset(), budgets=()))
    assert early.failures == []
    assert replace(early, figures=replace(FIGURES, alert_ids=frozenset())).failures != []


def test_a_resolution_does_not_stand_for_a_crossing() -> None:
    """Only a warning or an exceeded says that a threshold was reached."""
    assert replace(GOOD, alerts=(replace(ALERT, state="resolved"),)).failures != []


def test_the_summary_is_ascii_and_tells_counts_amounts_and_alerts() -> None:
    """It goes to logs of any encoding."""
    text = "\n".join(summary_lines(GOOD))
    assert text.isascii()
    for part in ("100 events in 30 s", "90 prompts recorded", "7 duplicates", "3 invalid_field", "2.50 gCO2e"):
        assert part in text
    assert "alert 12:00:00  warning   acme-24h at 50%" in text


def test_alerts_are_read_as_subscribers_read_them() -> None:
    """The fields come from the CloudEvent; the delay is from its time to the arrival."""
    cloud_event: dict[str, Any] = {
        "id": "x",
        "time": "2026-11-22T11:59:59.500000Z",
        "data": {"tenant_id": "t", "budget": "b", "threshold": 0.8, "state": "warning", "ratio": 0.81, "more": 1},
    }
    alert = parse_alert(cloud_event, datetime(2026, 11, 22, 12, tzinfo=UTC))
    assert alert == ArrivedAlert("x", "t", "b", 0.8, "warning", 0.81, datetime(2026, 11, 22, 12, tzinfo=UTC), 0.5)
