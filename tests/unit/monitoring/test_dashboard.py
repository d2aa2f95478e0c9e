"""The Grafana dashboard: as made by tests/grafana.py, every query reads what is exposed, every panel says what it shows."""

import json
import re
import subprocess
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.grafana import DASHBOARD, WIDTH, text
from tests.support.docs_reading import text_of
from tests.support.exposed_metrics import buckets, of_the_server, of_the_worker, selectors, series
from tests.support.programs import program
from tests.unit.monitoring.test_rules import RECORDED, VALUES

SCRAPED = {"job", "instance"}
"""Labels that Prometheus adds."""
UNITS = {"percentunit", "ops", "reqps", "s", "bytes", "short", "massg", "watt"}
"""Units that Grafana knows, of those that are used."""


def board() -> dict[str, Any]:
    """The file."""
    loaded: dict[str, Any] = json.loads(DASHBOARD.read_text("utf-8"))
    return loaded


PANELS = [panel for panel in board()["panels"] if panel["type"] != "row"]
QUERIES = [(panel["title"], target["expr"], target["legendFormat"]) for panel in PANELS for target in panel["targets"]]


def test_the_file_is_what_the_program_makes() -> None:
    """`python -m tests.grafana` writes it; it is not changed by hand."""
    assert DASHBOARD.read_text("utf-8") == text()


@pytest.mark.parametrize(("title", "expression", "legend"), QUERIES)
def test_every_query_reads_metrics_labels_and_values_that_there_are(title: str, expression: str, legend: str) -> None:
    """A panel of a metric that does not exist stays empty, and nobody knows why."""
    recorded = set(re.findall(r"rice:[\w:]+", expression))
    assert recorded <= {rule["record"] for rule in RECORDED}
    found = list(selectors(re.sub(r"rice:[\w:]+", "", expression)))
    assert found or recorded
    known = set(SCRAPED)
    for name, matchers in found:
        known |= series()[name]
        assert {label for label, _, _ in matchers} == ({*SCRAPED} | {label for label, _, _ in matchers[2:]})
        for label, _, value in matchers[2:]:
            assert value in (buckets()[name.removesuffix("_bucket")] if label == "le" else VALUES[label])
            assert label in series()[name]
    grouped = {label.strip() for group in re.findall(r"by \(([^)]*)\)", expression) for label in group.split(",")}
    assert grouped <= known, title
    assert set(re.findall(r"\{\{(\w+)}}", legend)) <= grouped - {"le"}


def test_prometheus_understands_every_query(tmp_path: Path) -> None:
    """By its own parser, with Grafana's variables filled in."""
    filled = [
        query.replace("$__rate_interval", "5m").replace("$job", ".*").replace("$instance", ".*")
        for _, query, _ in QUERIES
    ]
    rules = [{"record": f"panel:{number}", "expr": query} for number, query in enumerate(filled)]
    path = tmp_path / "queries.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}), "utf-8")
    run = subprocess.run(
        [program("promtool"), "check", "rules", str(path)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_every_panel_says_what_it_shows_in_which_unit_and_from_where_on_that_is_bad() -> None:
    """Title, description, unit, thresholds; ids are its own."""
    ids = [panel["id"] for panel in board()["panels"]]
    assert len(set(ids)) == len(ids)
    assert len({panel["title"] for panel in PANELS}) == len(PANELS)
    for panel in PANELS:
        assert len(panel["description"]) > 12, panel["title"]
        defaults = panel["fieldConfig"]["defaults"]
        assert defaults["unit"] in UNITS, panel["title"]
        values = [step["value"] for step in defaults["thresholds"]["steps"]]
        assert values[0] is None
        assert values[1:] == sorted(set(values[1:])), panel["title"]
        assert panel["datasource"]["uid"] == "${datasource}"
        assert [target["refId"] for target in panel["targets"]] == [*"ABCD"][: len(panel["targets"])]


def test_panels_lie_beside_each_other_and_leave_no_hole() -> None:
    """Within 24 columns, none over another, every row of panels full."""
    covered: dict[tuple[int, int], str] = {}
    for panel in board()["panels"]:
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert covered.setdefault((x, y), panel["title"]) == panel["title"], panel["title"]
    height = max(y for _, y in covered) + 1
    assert len(covered) == WIDTH * height
    assert all(0 <= x < WIDTH for x, _ in covered)


def test_it_has_a_row_for_each_question_and_variables_for_whom() -> None:
    """Freshness, throughput, lag, what is refused, the store, alerts, HTTP; chosen by data source, job and instance."""
    rows = [panel["title"] for panel in board()["panels"] if panel["type"] == "row"]
    assert rows == [
        "Freshness",
        "Throughput",
        "Lag",
        "Refused and quarantined",
        "Store",
        "Alerts and deliveries",
        "HTTP",
    ]
    assert [each["name"] for each in board()["templating"]["list"]] == ["datasource", "job", "instance"]
    assert (board()["uid"], board()["tags"]) == ("rice-stream", ["rice-stream", "carbon", "llm"])


def test_every_metric_is_on_the_dashboard_or_said_not_to_be() -> None:
    """A new metric gets a panel, or a reason here."""
    without = {
        "rice_batches_total": "the count of rice_batch_events",
        "rice_contexts": "of interest to developers",
        "rice_factor_rungs_total": "the page Data quality shows it",
    }
    shown = {
        re.sub(r"_(bucket|sum|count)$", "", selector.name) for _, query, _ in QUERIES for selector in selectors(query)
    }
    assert {*of_the_worker(), *of_the_server()} - shown == set(without)


def test_grafana_is_told_where_the_dashboard_and_prometheus_are() -> None:
    """What compose mounts: one data source, which the dashboard's variable finds, and one folder of dashboards."""
    [source] = yaml.safe_load(text_of("deploy/grafana/provisioning/datasources/prometheus.yaml"))["datasources"]
    assert (source["type"], source["isDefault"]) == ("prometheus", True)
    [provider] = yaml.safe_load(text_of("deploy/grafana/provisioning/dashboards/rice-stream.yaml"))["providers"]
    assert (provider["type"], provider["options"]) == ("file", {"path": "/etc/grafana/dashboards"})


def test_no_two_queries_are_the_same() -> None:
    """One place for each answer."""
    assert [one for one, other in combinations([query for _, query, _ in QUERIES], 2) if one == other] == []
