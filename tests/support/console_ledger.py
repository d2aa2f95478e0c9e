"""The ledger that the dashboard's tests and pictures show: three tenants in three time zones, two months, something of everything.

The same rows for the same arguments, by the product's own pipeline, method and tables. A server in front of it has to
stand at the instant `NOW`.
"""

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from rice_stream.alerting.budgets import set_budgets
from rice_stream.alerting.judge import Judge
from rice_stream.budgets.parsing import parse_budget
from rice_stream.events.mappings import MappedName
from rice_stream.instants import epoch_us, rfc3339
from rice_stream.pipeline.pipeline import Pipeline
from rice_stream.runtime.opening_estimator import open_estimator, token_defaults
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.budget_store import mark_delivered, undelivered_alerts
from rice_stream.store.calendars import set_time_zone
from rice_stream.store.dimensions import Dimensions
from rice_stream.store.engine import Engine, open_engine, writing
from rice_stream.store.http_tokens import HttpToken, create_token, revoke_token
from rice_stream.store.live_tokens import mark_used
from rice_stream.store.mapping_store import save_mapping
from rice_stream.store.scope import EVERYTHING
from rice_stream.store.writers import open_writer
from tests.support import console_names
from tests.support.console_channels import fill_channels
from tests.support.console_names import ACME, HELIX, LONE_KEY, NORTHWIND, TEAMS, ZONES, Names, Served, Team
from tests.support.fakes import OPERATOR, chunk_of

NOW = datetime(2026, 11, 24, 14, 5, tzinfo=UTC)
"""A Tuesday afternoon in Berlin, the morning in New York, the evening in Kathmandu."""
DAYS = 61
SMALL: dict[str, Any] = {"days": 9, "share": 0.4}
"""Arguments of `fill` where a few hundred prompts are enough."""
RECORD = "northwind-pinned-1"
"""An event that is always there, for the page of one record."""
_HOURS = (0, 0, 0, 0, 0, 1, 3, 8, 14, 16, 15, 11, 9, 14, 16, 14, 11, 7, 4, 3, 2, 1, 1, 0)
"""How a working day is spread over its hours."""
_WEEKEND = 0.16


def fill(url: str, names: Names | None = None, days: int = DAYS, share: float = 1.0) -> None:
    """Into a migrated database without data; `share` of the prompts."""
    ledger = _Ledger(url, names or Names())
    try:
        ledger.fill(days, share)
    finally:
        ledger.close()


def add_prompts(url: str, count: int, names: Names | None = None) -> None:
    """So many more of one team that end now, into a ledger that `fill` has made."""
    ledger = _Ledger(url, names or Names())
    try:
        ledger.add_prompts(count)
    finally:
        ledger.close()


class _Ledger:
    def __init__(self, url: str, names: Names) -> None:
        self._names = names
        self._of = names.of
        self._of_budget = names.of_budget
        self._engine: Engine = open_engine(url)
        self._writer = open_writer(self._engine)
        settings = Settings.model_validate({"database_url": url})
        self._pipeline = Pipeline(
            dimensions=Dimensions(self._engine),
            writer=self._writer,
            estimator=open_estimator(settings),
            defaults=token_defaults(settings),
        )
        self._judge = Judge(self._engine)
        self._offset = 0

    def close(self) -> None:
        self._writer.close()
        self._engine.dispose()

    def fill(self, days: int, share: float) -> None:
        start = NOW - timedelta(days=days)
        for tenant, zone in ZONES.items():
            # A tenant is there from its first event on.
            first = self._event(Random(tenant), _team_of(tenant), start, f"{tenant}-first")
            self._add([first], start)
            set_time_zone(self._engine, self._of(tenant), zone, OPERATOR)
        set_budgets(self._engine, [parse_budget(each) for each in self._budgets()], epoch_us(start), OPERATOR)
        for number in range(days + 1):
            end = min(start + timedelta(days=number + 1), NOW)
            events = [event for team in TEAMS for event in self._day(team, start, end, number, share)]
            events.sort(key=lambda event: str(event["ended_at"]))
            self._add(events, end)
            self._judge_and_deliver(end)
        self._add(list(self._oddities()), NOW)
        self._add(list(self._late()), NOW)
        self._judge_and_deliver(NOW)
        self._tokens()
        fill_channels(self._engine, self._names, NOW)
        with writing(self._engine) as connection:
            mapped = MappedName("model", self._of("gpt-4o-latest"), "gpt-4o-2024-11-20", epoch_us(start))
            save_mapping(connection, mapped, epoch_us(NOW))

    def add_prompts(self, count: int) -> None:
        self._offset = 10_000_000
        draws, team = Random("more"), _team_of(NORTHWIND)
        self._add([self._event(draws, team, NOW, f"more-{number}") for number in range(count)], NOW)

    def _tokens(self) -> None:
        """One of each kind: for everything, for a tenant, for a team, one that ends soon, and one that was revoked."""
        made = [
            self._token(number, *each)
            for number, each in enumerate(
                [
                    ("gateway", "ingest", None, (), None, 1),
                    ("billing export", "reader", [NORTHWIND], (), 300, 6),
                    ("research notebook", "reader", [NORTHWIND], (console_names.RISING,), 3, 20),
                    ("auditor 2026", "auditor", None, (), 37, 24 * 9),
                    ("old dashboard", "editor", [ACME], (), None, 24 * 30),
                ]
            )
        ]
        revoke_token(self._engine, made[-1].id, EVERYTHING, OPERATOR)

    def _token(
        self,
        number: int,
        name: str,
        role: str,
        tenants: list[str] | None,
        teams: tuple[str, ...],
        ends_in_days: int | None,
        unused_hours: int,
    ) -> HttpToken:
        token = HttpToken(
            id=0,
            name=self._of(name),
            role=role,
            prefix=f"rice_{role}_{number}x7Kq",
            digest=bytes([number]) * 32,
            tenants=None if tenants is None else frozenset(map(self._of, tenants)),
            teams=frozenset(map(self._of, teams)),
            requests_per_s=None,
            concurrency=None,
            created_at_us=epoch_us(NOW - timedelta(days=60 - number)),
            expires_at_us=None if ends_in_days is None else epoch_us(NOW + timedelta(days=ends_in_days)),
        )
        kept = create_token(self._engine, token, EVERYTHING, OPERATOR)
        mark_used(self._engine, [kept.id], epoch_us(NOW - timedelta(hours=unused_hours)))
        return kept

    def _judge_and_deliver(self, now: datetime) -> None:
        """As a worker does within seconds."""
        self._judge.judge_all(now)
        with writing(self._engine) as connection:
            told = [str(alert["id"]) for alert in undelivered_alerts(connection)]
            mark_delivered(connection, told, epoch_us(now) + 3_000_000)

    def _add(self, payloads: Sequence[object], received: datetime) -> None:
        self._pipeline.process([chunk_of(payloads, offset=self._offset)], epoch_us(received) + 2_000_000)
        self._offset += len(payloads)

    def _day(self, team: Team, start: datetime, end: datetime, number: int, share: float) -> Iterator[dict[str, Any]]:
        draws = Random(f"{team.tenant}/{team.name}/{number}")
        zone = ZoneInfo(ZONES[team.tenant])
        day = (start.astimezone(zone) + timedelta(days=number)).date()
        factor = share * (_WEEKEND if day.weekday() >= 5 else 1.0) * (1 + 0.003 * number) * draws.uniform(0.9, 1.1)
        rising = team.name == console_names.RISING and end > NOW - timedelta(days=7)
        for place in range(round(team.prompts * factor * (1.8 if rising else 1.0))):
            ended = _moment(draws, day, zone)
            if start < ended <= NOW and ended > end - timedelta(days=2):
                event = self._event(draws, team, ended, f"{team.tenant}-{team.name}-{number}-{place}", rising=rising)
                yield event

    def _event(
        self, draws: Random, team: Team, ended: datetime, event_id: str, *, rising: bool = False
    ) -> dict[str, Any]:
        model = _picked(draws, console_names.RISEN if rising else team.models)
        inputs, outputs = (round(median * math.exp(draws.gauss(0, 0.7))) for median in team.tokens)
        if rising:
            outputs *= 2
        started = ended - timedelta(milliseconds=400 + 12 * outputs)
        project, user = draws.choice(team.projects), draws.randint(1, 6)
        event = {
            "event_id": event_id,
            "started_at": rfc3339(epoch_us(started)),
            "ended_at": rfc3339(epoch_us(ended)),
            "tenant_id": self._of(team.tenant),
            "team_id": self._of(team.name),
            "project_id": self._of(project),
            "user_id": self._of(f"{team.name}-user-{user}"),
            "api_key_id": self._of(f"key-{team.name}"),
            "input_tokens": inputs,
            "output_tokens": outputs,
            "inference_region": team.region,
            **self._model(model),
        }
        if draws.random() < 0.3:
            event["cache_read_input_tokens"] = inputs // 2
        if model.joules_per_output_token is not None and draws.random() < 0.8:
            event |= {
                "energy_joules": round((inputs / 40 + outputs) * model.joules_per_output_token, 1),
                "energy_boundary": "gpu",
                "hardware": "H100",
            }
        return event

    def _model(self, model: Served) -> dict[str, Any]:
        known = model.requested != console_names.UNKNOWN_MODEL
        return {
            "provider": model.provider,
            "request_model": model.requested if known else self._of(model.requested),
            "response_model": model.answered if known else self._of(model.answered),
            "source": self._of(model.source),
        }

    def _oddities(self) -> Iterator[object]:
        """Prompts of nobody's team and of no tenant, and items that are refused or contradict others."""
        draws = Random("oddities")
        team = _team_of(NORTHWIND)
        for number in range(40):
            event = self._event(draws, team, NOW - timedelta(hours=3 + 5 * number), f"notebook-{number}")
            yield {
                **{name: value for name, value in event.items() if name not in ("team_id", "project_id", "user_id")},
                "api_key_id": self._of(LONE_KEY),
            }
        for number in range(12):
            event = self._event(draws, team, NOW - timedelta(hours=2 + 9 * number), f"nobody-{number}")
            yield {**event, "tenant_id": "unknown", "team_id": None, "project_id": None}
        pinned = self._event(Random(RECORD), team, NOW - timedelta(minutes=40), RECORD)
        yield pinned
        yield {**pinned, "output_tokens": int(pinned["output_tokens"]) + 40}
        wrong: list[dict[str, object]] = [{"input_tokens": -1}, {"ended_at": "yesterday"}, {"output_tokens": 2**40}]
        for number, broken in enumerate(wrong):
            yield {**pinned, "event_id": f"refused-{number}", **broken}
        yield b"{not json"

    def _late(self) -> Iterator[dict[str, Any]]:
        """A gateway that was cut off for three days sends what it has."""
        draws = Random("late")
        for number in range(25):
            ended = NOW - timedelta(days=3, minutes=7 * number)
            yield self._event(draws, _team_of(ACME), ended, f"late-{number}")

    def _budgets(self) -> list[dict[str, Any]]:
        def budget(name: str, tenant: str, period: str, limit: float, **narrowed: str) -> dict[str, Any]:
            scope = {key: self._of(value) for key, value in narrowed.items()}
            return {
                "name": self._of_budget(name),
                "tenant_id": self._of(tenant),
                "period": period,
                "limit_gco2e": limit,
                "time_zone": ZONES[tenant],
                **scope,
            }

        return [
            budget("whole company", NORTHWIND, "month", LIMITS["whole company"]),
            budget("research", NORTHWIND, "month", LIMITS["research"], team_id=console_names.RISING),
            budget("search week", NORTHWIND, "week", LIMITS["search week"], team_id="search"),
            budget("engineering", ACME, "month", LIMITS["engineering"], team_id="engineering"),
            budget("care today", ACME, "day", LIMITS["care today"], team_id="customer-care"),
            budget("trading", ACME, "rolling-24h", LIMITS["trading"], team_id="trading"),
            budget("year", ACME, "year", LIMITS["year"]),
            budget("discovery", HELIX, "rolling-30d", LIMITS["discovery"], team_id="discovery"),
            {
                **budget("regulatory energy", HELIX, "quarter", 1, team_id="regulatory"),
                "limit_gco2e": None,
                "limit_kwh": LIMITS["regulatory energy"],
            },
        ]


LIMITS = {
    "whole company": 650.0,
    "research": 220.0,
    "search week": 40.0,
    "engineering": 1_250.0,
    "care today": 3.0,
    "trading": 5.0,
    "year": 12_000.0,
    "discovery": 105.0,
    "regulatory energy": 4.0,
}
"""gCO2e (kWh for the last one): some are far from their end, some near it, some past it."""


def _team_of(tenant: str) -> Team:
    return next(team for team in TEAMS if team.tenant == tenant)


def _picked(draws: Random, models: Sequence[tuple[Served, float]]) -> Served:
    return draws.choices([model for model, _ in models], [weight for _, weight in models])[0]


def _moment(draws: Random, day: date, zone: ZoneInfo) -> datetime:
    hour = draws.choices(range(24), _HOURS)[0]
    second = draws.randrange(3600)
    local = datetime.combine(day, time(hour), tzinfo=zone)
    return local.astimezone(UTC) + timedelta(seconds=second, milliseconds=draws.randrange(1000))
