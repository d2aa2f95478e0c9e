"""How the suite is shared out when it runs in several processes, where its files lie, and what holds for all tests."""

import tempfile
from typing import Any

import psutil
import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from tests.support import cases, temporary_files

pytest_plugins = [
    "tests.support.services",
    "tests.support.databases",
    "tests.support.worker_fixtures",
    "tests.support.cli_running",
]

# How long an example takes is no property of ours: machines are slow at times.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

# Before anything asks where temporary files lie. Processes that share the suite out have the directory of the one that began.
_IN_MEMORY = temporary_files.keep_in_memory()

PROCESS_BYTES = 3 << 30
"""What a process of the suite takes with its servers and their files."""
_DASHBOARD = "tests/integration/console/"
SERVERS = {"kafka", "postgres"}
"""The fixtures that start one."""


def pytest_report_header() -> list[str]:
    """What a reader needs to run the same cases again, and where to look for what they leave."""
    return [cases.described(), f"temporary files: {tempfile.gettempdir()} (TMPDIR says where else)"]


def pytest_unconfigure() -> None:
    """Nothing stays in memory."""
    temporary_files.let_go(_IN_MEMORY)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """`-n auto`: one process more than there are processors, because tests of servers wait for them, but no more than memory
    holds with a Kafka, a PostgreSQL and perhaps a browser each."""
    return max(1, min((psutil.cpu_count() or 1) + 1, psutil.virtual_memory().available // PROCESS_BYTES))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Whatever asks for a server is marked `services`: `-m "not services"` leaves it out.

    Coverage is measured on the unit tests: the others repeat the same lines many times, or run other processes.
    """
    for item in items:
        if not item.nodeid.startswith("tests/unit/"):
            item.add_marker(pytest.mark.no_cover)
        if SERVERS & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.services)
    if hasattr(config, "workerinput"):  # one of several processes
        items.sort(key=lambda item: not _is_long(item.nodeid))


def _is_long(nodeid: str) -> bool:
    """Integration tests take seconds each, and wait a lot: for groups to form, for servers to come back."""
    return nodeid.startswith("tests/integration/")


class _LongTestsFirst(LoadScopeScheduling):  # type: ignore[misc]
    """Long tests one by one, then the rest file by file, so that all processes end together.

    Those of the dashboard stay together: they share a browser and a filled ledger.

    Each process has servers of its own, from the first test on that asks for them: no test stops another's.
    """

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(_DASHBOARD):
            return _DASHBOARD
        return nodeid if _is_long(nodeid) else nodeid.split("::", 1)[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Instead of the built-in ones; work is given out in the order of collection."""
    config.option.loadscopereorder = False
    return _LongTestsFirst(config, log)
