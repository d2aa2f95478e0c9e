"""What the parts of a coverage report have in common: each is asked ahead of what its shares are of."""

from collections.abc import Callable
from typing import Any, NamedTuple


class CoveredWhole(NamedTuple):
    """All that a report is of, and how many rows of a list it tells; `limit` None: all."""

    carbon_ugco2e: int
    prompts: int = 0
    limit: int | None = None

    def share_of_carbon(self, carbon_ugco2e: int) -> float | None:
        """None where there is no carbon at all."""
        return carbon_ugco2e / self.carbon_ugco2e if self.carbon_ugco2e else None


Part = Callable[[CoveredWhole], dict[str, Any]]
"""Tells a part, once: what it needs was asked for already, and is waited for (`asked_ahead`)."""
