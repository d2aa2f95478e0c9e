"""Statements of the months of teams and cost centres, made for the channels that want them: in the first days of the next month,
each once."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rice_stream.channels.definition import TAKES_STATEMENTS, Channel
from rice_stream.channels.letters import Letter
from rice_stream.channels.months import NEWS_FOR, month_to_state
from rice_stream.channels.routing import sees_tenants
from rice_stream.instants import datetime_of, epoch_us
from rice_stream.store.channel_store import StoredChannel, channels_sent_to
from rice_stream.store.database_clock import database_now_us
from rice_stream.store.delivery_store import NewDelivery, add_deliveries
from rice_stream.store.engine import Connection, Engine, reading, writing
from rice_stream.store.team_statements import stated, time_zones

Whose = tuple[str, ...]
"""A team's name, or `cost_centre` and its name."""
LettersOf = Callable[[Engine, str, str], Mapping[Whose, Letter]]
"""(engine, tenant, month) -> the statement of each of the tenant's teams and cost centres."""
_Made = tuple[int, str, str]
"""Channel, tenant and month."""


class Stating:
    """Looks every so often whether statements are to be made, and remembers where there is no more to do."""

    def __init__(self, letters_of: LettersOf, now_us: Callable[[Connection], int] = database_now_us) -> None:
        self._letters_of = letters_of
        self._now_us = now_us
        self._made: set[_Made] = set()

    def make(self, engine: Engine) -> int:
        """Make what is to be made now; returns how many statements. Servers that do so at once make each of them once.

        All of a tenant's for a channel are stored together, so none is left out by a server that dies half-way.
        """
        made = 0
        for (tenant_id, month), channels in self._wanted(engine).items():
            letters = self._letters_of(engine, tenant_id, month)
            rows = [_delivery(each, tenant_id, whose, month, letters[whose]) for each in channels for whose in letters]
            with writing(engine) as connection:
                add_deliveries(connection, rows)
            made += len(rows)
            self._made |= {(each.id, tenant_id, month) for each in channels}
        return made

    def _wanted(self, engine: Engine) -> dict[tuple[str, str], list[StoredChannel]]:
        """The channels that have no statements yet, by tenant and month."""
        with reading(engine) as connection:
            channels = [each for each in channels_sent_to(connection) if _takes_statements(each.channel)]
            if not channels:
                return {}
            now = datetime_of(self._now_us(connection))
            wanted: dict[tuple[str, str], list[StoredChannel]] = {}
            for tenant_id, time_zone in time_zones(connection).items():
                month = month_to_state(now, time_zone)
                if month is None:
                    continue
                new = [
                    each
                    for each in _of_tenant(channels, tenant_id)
                    if (each.id, tenant_id, month.name) not in self._made
                ]
                if new:
                    wanted[tenant_id, month.name] = new
            for name in {name for _, name in wanted}:
                found = stated(connection, name, epoch_us(now - NEWS_FOR))
                self._made |= {(channel_id, tenant_id, name) for channel_id, tenant_id in found}
        left = {key: [each for each in new if (each.id, *key) not in self._made] for key, new in wanted.items()}
        return {key: new for key, new in left.items() if new}


def _takes_statements(channel: Channel) -> bool:
    return channel.statements and channel.type in TAKES_STATEMENTS


def _of_tenant(channels: Sequence[StoredChannel], tenant_id: str) -> list[StoredChannel]:
    return [each for each in channels if sees_tenants(each.channel, frozenset({tenant_id}))]


def _delivery(channel: StoredChannel, tenant_id: str, whose: Whose, month: str, letter: Letter) -> NewDelivery:
    # Names may hold colons: without this two teams could have one cause.
    names = (name.replace("%", "%25").replace(":", "%3A") for name in (tenant_id, *whose))
    cause, content = ":".join(("statement", *names, month)), letter.content()
    fields: dict[str, Any] = {"tenant_id": tenant_id, "severity": letter.severity}
    return NewDelivery(channel.id, channel.channel.name, "statement", cause, content, **fields)
