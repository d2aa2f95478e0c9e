"""What a user may choose about a demo."""

from dataclasses import dataclass
from typing import Literal

RATE_PER_S = 300.0
TENANTS = 12
SEED = 7


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """`seconds` is how long traffic flows; None: until Ctrl-C. `rate_per_s` counts events, over all `tenants`."""

    store: Literal["postgres", "sqlite"] = "postgres"
    seconds: float | None = None
    rate_per_s: float = RATE_PER_S
    tenants: int = TENANTS
    seed: int = SEED
    answer_only: bool = False
    """Nothing but the final JSON document on stdout."""
