"""docs/metrics.md has every metric that the processes expose, with its labels, type and unit, and no other."""

import re
import subprocess

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from rice_stream.api.metrics import ServerMetrics
from rice_stream.worker.metrics import Metrics, ProcessMetrics
from tests.support.docs_reading import codes, rows, section, text_of
from tests.support.exposed_metrics import ExposedMetric, exposed, of_processes, of_the_server, of_the_worker
from tests.support.fakes import event
from tests.support.places import ROOT
from tests.support.programs import program
from tests.unit.api.conftest import Door

PAGE = "docs/metrics.md"
ROOMS = {"## Of the worker": of_the_worker, "## Of several processes": of_processes, "## Of the server": of_the_server}
SOURCES = {"worker": "rice_stream/worker/metrics.py", "server": "rice_stream/api/metrics.py"}
UNIT_OF_SUFFIX = {"seconds": "s", "bytes": "bytes", "wh_total": "Wh", "gco2e_total": "gCO2e", "tokens_total": "tokens"}
"""What a name says of its unit has to be what the table says."""
_LIBRARY_METRIC = re.compile(r"\b(?:Counter|Gauge|Histogram|Summary|Info|Enum)\(\s*\"")


def documented(heading: str) -> dict[str, ExposedMetric]:
    """The table under the heading."""
    found = {}
    for cells in rows(section(text_of(PAGE), heading)):
        name, _, labels = codes(cells[0])[0].partition("{")
        found[name] = ExposedMetric(name, cells[1], frozenset(labels.rstrip("}").split(",")) - {""})
    return found


@pytest.mark.parametrize("heading", ROOMS)
def test_every_metric_is_documented_with_its_labels_and_type(heading: str) -> None:
    """An operator finds each under the name that Prometheus shows; there is no other."""
    assert documented(heading) == ROOMS[heading]()


@pytest.mark.parametrize("heading", ROOMS)
def test_every_metric_has_a_meaning_and_the_unit_that_its_name_says(heading: str) -> None:
    """`_seconds` is in s."""
    for cells in rows(section(text_of(PAGE), heading)):
        name = codes(cells[0])[0].partition("{")[0]
        assert len(cells[3]) > 10, name
        said = [unit for suffix, unit in UNIT_OF_SUFFIX.items() if name.endswith(suffix)]
        assert cells[2], name
        assert all(cells[2].startswith(unit) for unit in said), name


def test_a_metric_that_nothing_moves_is_marked_and_no_other() -> None:
    """`(not filled yet)` is said of exactly those metrics that no code touches."""
    code = "\n".join(path.read_text("utf-8") for path in sorted((ROOT / "rice_stream").rglob("*.py")))
    # A series that only begins with 0 is not moved.
    moved = set(re.findall(r"\b_?(?:metrics|self)\.(?=(\w+)\b(?!\.labels\(\w+(?:, \w+)?\)$))", code, re.MULTILINE))
    idle = {
        getattr(metrics, name)._name
        for metrics in (Metrics(), ProcessMetrics(), ServerMetrics())
        for name in metrics.__dataclass_fields__
        if name not in moved
    }
    marked = {
        codes(cells[0])[0].partition("{")[0].removesuffix("_total")
        for heading in ROOMS
        for cells in rows(section(text_of(PAGE), heading))
        if "not filled yet" in cells[3]
    }
    assert marked == idle


def test_prometheus_finds_nothing_to_say_about_what_is_exposed() -> None:
    """By its own tool: names, suffixes, units and help texts are as its users know them."""
    for registry in (Metrics().registry, ProcessMetrics().registry, ServerMetrics().registry):
        exposed(registry)  # gives labelled ones a series
        run = subprocess.run(
            [program("promtool"), "check", "metrics"], input=generate_latest(registry), capture_output=True, check=False
        )
        assert (run.returncode, run.stdout, run.stderr) == (0, b"", b"")


def test_the_server_shows_every_metric_that_is_documented() -> None:
    """As a scrape gets it, once somebody has asked for something and something was sent."""
    door = Door()
    assert door.post("/v1/events", [event()]).status == 202
    shown = {family.name for family in text_string_to_metric_families(door.get("/metrics").body.decode())}
    assert {name.removesuffix("_total") for name in documented("## Of the server")} <= shown


def test_each_process_has_one_room_for_its_metrics() -> None:
    """Nobody makes a metric anywhere else, where the table would not know it."""
    made = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "rice_stream").rglob("*.py")
        if "prometheus_client" in (text := path.read_text("utf-8"))
        and (_LIBRARY_METRIC.search(text) or "MetricFamily" in text)
    }
    assert made == {*SOURCES.values(), "rice_stream/worker/weighted_histogram.py"}
