"""Channels and deliveries of the dashboard's ledger: in every state, so that the pages show all of them."""

import json
from datetime import datetime, timedelta
from typing import Any

from rice_stream.instants import epoch_us
from rice_stream.reports.alerts import latest_alerts
from rice_stream.store.engine import Engine
from rice_stream.store.scope import EVERYTHING
from tests.support.channels_store import add_channel, add_delivery
from tests.support.console_names import ACME, HELIX, NORTHWIND, ZONES, Names

PLATFORM, SLACK, PAGER, NIGHT = "platform-alerts", "northwind-sustainability", "acme-oncall", "helix-mail"
_TOLD, _LATE = 8, 5
"""So many of the latest alerts of a tenant have deliveries, as channels are younger than budgets; of so few something is open."""
_LIMITED = "rate_limited: try again in 600 s"


def fill_channels(engine: Engine, names: Names, now: datetime) -> None:
    """Four of them, and deliveries of the latest alerts: arrived, held, tried again, given up, and a test."""
    _Channels(engine, names, now).fill()


class _Channels:
    def __init__(self, engine: Engine, names: Names, now: datetime) -> None:
        self._engine, self._names, self._now = engine, names, now

    def fill(self) -> None:
        quiet = {"start": "18:00", "end": "08:00", "time_zone": ZONES[HELIX], "breaks_through": "critical"}
        channels = {
            PLATFORM: self._channel(
                PLATFORM, None, "webhook", "https://hooks.northwind.example", remind_every_s=14_400
            ),
            SLACK: self._channel(SLACK, [NORTHWIND], "slack", "hooks.slack.com", statements=True),
            PAGER: self._channel(PAGER, [ACME], "pagerduty", "events.pagerduty.com", failing=True),
            NIGHT: self._channel(NIGHT, [HELIX], "email", "carbon@helix.example", quiet_hours=quiet),
        }
        of = {self._names.of(NORTHWIND): SLACK, self._names.of(ACME): PAGER, self._names.of(HELIX): NIGHT}
        told = [
            (alert, place)
            for tenant in of
            for place, alert in enumerate(latest_alerts(self._engine, EVERYTHING, tenant=tenant, limit=_TOLD))
        ]
        for alert, place in sorted(told, key=lambda each: str(each[0]["time"])):
            for name in (PLATFORM, of[alert["tenant_id"]]):
                self._delivery(channels[name], name, alert, late=place < _LATE)
        values = {"kind": "test", "state": "done", "answered_status": 204, "attempts": 1}
        add_delivery(self._engine, channels[PLATFORM], "test:1", **self._of(PLATFORM, self._now), **values)

    def _channel(self, name: str, tenants: list[str] | None, kind: str, target: str, **settings: Any) -> int:
        failing = settings.pop("failing", False)
        arrived = self._now - timedelta(hours=3 if not failing else 9)
        return add_channel(
            self._engine,
            self._names.of(name),
            None if tenants is None else [self._names.of(tenant) for tenant in tenants],
            type=kind,
            target=target,
            settings=json.dumps(settings),
            min_severity="warning" if failing else "info",
            last_done_at_us=epoch_us(arrived),
            last_error=f"429 {_LIMITED}" if failing else None,
            failing_since_us=epoch_us(arrived + timedelta(minutes=20)) if failing else None,
        )

    def _delivery(self, channel_id: int, channel: str, alert: dict[str, Any], *, late: bool) -> None:
        made = datetime.fromisoformat(alert["time"])
        values: dict[str, Any] = {"state": "done", "attempts": 1, "answered_status": 200}
        if channel == NIGHT and late:
            end = self._now.replace(hour=2, minute=15) + timedelta(days=1)
            values = {"state": "held", "next_at_us": epoch_us(end)}
        elif channel == PAGER:
            values |= {"attempts": 4, "answered_status": 429, "answer_head": f'{{"error": "{_LIMITED}"}}'}
            if late:
                values |= {"state": "failed", "next_at_us": epoch_us(self._now + timedelta(minutes=25))}
            else:
                values |= {"state": "dead", "attempts": 10}
        elif channel == SLACK:
            values["answer_head"] = "ok"
        own = {"alert_id": alert["id"], "tenant_id": alert["tenant_id"], "severity": "warning"}
        add_delivery(self._engine, channel_id, alert["id"], **{**self._of(channel, made), **own, **values})

    def _of(self, channel: str, made: datetime) -> dict[str, Any]:
        return {
            "channel": self._names.of(channel),
            "created_at_us": epoch_us(made),
            "first_tried_at_us": epoch_us(made) + 300_000,
            "ended_at_us": epoch_us(made) + 640_000,
        }
