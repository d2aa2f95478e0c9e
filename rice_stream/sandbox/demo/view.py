"""All that the demo tells at one moment, as values."""

from dataclasses import dataclass
from datetime import datetime

from rice_stream.reports.figures import NOTHING, Figures


@dataclass(frozen=True, slots=True)
class StageInfo:
    """What runs where, and by which method and factors."""

    broker: str
    topic: str
    alerts_topic: str
    partitions: int
    database: str
    worker_url: str
    server_url: str
    sign_in_link: str
    """Signs a browser in as admin, once, and leads to the dashboard."""
    method_version: str
    factor_version: str
    environment_file: str


@dataclass(frozen=True, slots=True)
class ArrivedAlert:
    """A state change of a budget as it arrived on the alerts topic; `arrived_at` is in the zone of who is watching."""

    alert_id: str
    tenant_id: str
    budget: str
    threshold: float
    state: str
    ratio: float
    arrived_at: datetime
    delay_s: float
    """From the judgement (the event's `time`) to the arrival here."""


@dataclass(frozen=True, slots=True)
class View:
    """One moment. `alerts` has the latest last; `rates_per_s` prompts stored in each past second, the latest last."""

    stage: StageInfo
    phase: str = "starting"
    elapsed_s: float = 0.0
    seconds: float | None = None
    sent: int = 0
    waiting: int = 0
    """Events that Kafka has confirmed and the store does not hold yet."""
    figures: Figures = NOTHING
    alerts: tuple[ArrivedAlert, ...] = ()
    rates_per_s: tuple[float, ...] = ()

    @property
    def rate_per_s(self) -> float:
        """Prompts stored per second, over the last three seconds."""
        latest = self.rates_per_s[-3:]
        return sum(latest) / len(latest) if latest else 0.0


def budget_label(tenant_id: str, budget: str) -> str:
    """A budget's name in words that also say whose it is."""
    return budget if budget.startswith(tenant_id) else f"{tenant_id}/{budget}"
