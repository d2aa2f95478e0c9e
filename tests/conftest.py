"""How the suite is shared out when it runs in several processes, and what holds for all properties."""

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

# How long an example takes is no property of ours: machines are slow at times.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")


class _ServicesTogether(LoadScopeScheduling):  # type: ignore[misc]
    """All that needs services runs in one process: they are started once, and tests with deadlines do not compete with
    each other. The rest goes file by file."""

    def _split_scope(self, nodeid: str) -> str:
        return "services" if nodeid.startswith("tests/integration/") else nodeid.split("::", 1)[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Instead of the built-in ones."""
    return _ServicesTogether(config, log)
