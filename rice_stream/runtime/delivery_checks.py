"""What `rice-stream check` says of channels: whether alerts arrive there, and whether a server sends them at all."""

from collections.abc import Callable, Iterator
from datetime import datetime

from rice_stream.reports.deliveries import delivery_health
from rice_stream.runtime.checked_database import asked_of_database
from rice_stream.runtime.checks import Check
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.scope import EVERYTHING

_NAME = "channels"


def delivery_checks(settings: Settings, now: Callable[[], datetime]) -> Iterator[Check]:
    """Nothing where the database cannot be asked: other checks say why."""
    health = asked_of_database(settings, lambda engine: delivery_health(engine, EVERYTHING, now()))
    if health is None:
        return
    overdue, bad = health["overdue"], [*health["failing"], *health["disabled"]]
    if overdue:
        detail = f"deliveries have waited since {health['overdue_since']} ({overdue}), and no server sends them"
        yield Check(_NAME, ok=False, detail=detail, what_to_do="run `rice-stream serve` on this database")
    if bad:
        detail = f"nothing arrives at {', '.join(bad)}"
        what = "look at `rice-stream channel list`; set what is wrong again, then send again what is dead"
        yield Check(_NAME, ok=False, detail=detail, what_to_do=what)
    if not overdue and not bad:
        yield Check(_NAME, ok=True, detail=f"{health['channels']} besides Kafka; {health['held']} deliveries held")
