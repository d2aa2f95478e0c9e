"""Channels in the database: set, removed and read, and how they fare."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import time
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from rice_stream.channels.definition import OPEN_STATES, Channel, ChannelState, QuietHours
from rice_stream.channels.parsing import channel_fields
from rice_stream.errors import NotFoundError, UsageError
from rice_stream.store import schema
from rice_stream.store.audit import Actor, AuditedChange, record
from rice_stream.store.database_clock import database_now_us
from rice_stream.store.http_tokens import names_of, only_tenant
from rice_stream.store.scope import EVERYTHING, Scope
from rice_stream.store.scoped import scoped_writing

REMOVED = "the channel was removed"
"""Why a delivery is dead whose channel is gone."""


@dataclass(frozen=True, slots=True)
class StoredChannel:
    """A channel with how it fares; its `channel_id` is given. `sealed`: its secrets, encrypted with the key `key_id`."""

    channel: Channel
    state: ChannelState
    failing_since_us: int | None
    last_done_at_us: int | None
    last_error: str | None
    sealed: bytes | None
    key_id: str | None
    created_at_us: int
    updated_at_us: int

    @property
    def id(self) -> int:
        """The channel's id."""
        if self.channel.channel_id is None:
            raise ValueError(f"channel {self.channel.name!r} is not stored")
        return self.channel.channel_id

    @property
    def is_sent_to(self) -> bool:
        """Whether anything is sent to it: a receiver that said that it is gone gets nothing until the channel is set again."""
        return self.state != "disabled"

    def is_within(self, scope: Scope) -> bool:
        """Whether all its tenants are in the scope, and every team of them: to others it is not there."""
        return _is_within(self.channel, scope)


ChannelCheck = Callable[[StoredChannel | None], None]
"""Is shown what was there before a change, and may raise: nothing is changed then."""


def load_channels(connection: Connection, scope: Scope = EVERYTHING) -> list[StoredChannel]:
    """The channels of the scope, by name."""
    table = schema.channel
    query = select(table).order_by(table.c.name, table.c.tenants)
    found = (_stored(row) for row in connection.execute(query).mappings())
    return [each for each in found if each.is_within(scope)]


def channels_sent_to(connection: Connection) -> list[StoredChannel]:
    """The channels of everybody that are not disabled, by name: whoever has news for channels chooses from these."""
    return [each for each in load_channels(connection) if each.is_sent_to]


def set_channel(
    engine: Engine,
    scope: Scope,
    channel: Channel,
    sealed: bytes | None,
    key_id: str | None,
    by: Actor,
    check: ChannelCheck | None = None,
    *,
    keep_secrets: bool = False,
) -> StoredChannel:
    """Make the channel, or change the one of its `channel_id` or, where it has none, of the same name and tenants.

    With `keep_secrets` those that are stored stay. Set, it is `ok` again, and what could not be delivered is tried at once;
    where nothing differs, and it was not disabled, nothing happens.

    NotFoundError: the scope has no such tenants, or no channel of this id; UsageError: another channel has this name for
    these tenants; StoreUnavailableError: the database did not do it.
    """
    if not _is_within(channel, scope):
        raise NotFoundError("tenants: name only those that you may see, all teams of them")
    table = schema.channel
    with scoped_writing(engine, scope) as connection:
        now_us = database_now_us(connection)
        before = _locked(connection, scope, channel)
        if check is not None:
            check(before)
        if keep_secrets and before is not None:
            sealed, key_id = before.sealed, before.key_id
        if before is not None and before.is_sent_to and _is_same(before, channel, sealed):
            return before
        values = {**_values(channel), "sealed": sealed, "key_id": key_id, "updated_at_us": now_us}
        values |= {"state": "ok", "failing_since_us": None}
        try:
            if before is None:
                row = connection.execute(insert(table).values(**values, created_at_us=now_us).returning(*table.c))
            else:
                changing = update(table).where(table.c.id == before.id).values(**values)
                row = connection.execute(changing.returning(*table.c))
            after = _stored(row.mappings().one())
        except IntegrityError as error:
            raise UsageError(f"name: there is a channel {channel.name!r} of these tenants already") from error
        if before is not None:
            _try_at_once(connection, after.id, now_us)
        fields = {**_fields(after), "secrets_changed": before is not None and sealed != before.sealed}
        record(connection, by, [_change("channel.set", after, before, fields)])
        return after


def remove_channel(
    engine: Engine, scope: Scope, channel_id: int, by: Actor, check: ChannelCheck | None = None
) -> StoredChannel:
    """Remove the channel with its secrets; what was not delivered to it is dead, and the log of its deliveries stays.

    NotFoundError: the scope has no such channel; StoreUnavailableError: the database did not do it.
    """
    table = schema.channel
    with scoped_writing(engine, scope) as connection:
        before = _locked_by_id(connection, scope, channel_id)
        if check is not None:
            check(before)
        end_open(connection, channel_id, REMOVED)
        connection.execute(delete(table).where(table.c.id == channel_id))
        record(connection, by, [_change("channel.remove", before, before, None)])
        return before


def seal_again(connection: Connection, stored: StoredChannel, sealed: bytes, key_id: str) -> bool:
    """Keep the same secrets under another key; False: they have been changed since they were read, and stay."""
    table = schema.channel
    same = table.c.id == stored.id, table.c.sealed == stored.sealed
    return connection.execute(update(table).where(*same).values(sealed=sealed, key_id=key_id)).rowcount == 1


def end_open(connection: Connection, channel_id: int, problem: str) -> int:
    """Give up what is not delivered to a channel, as part of the caller's transaction; returns how many deliveries.

    They can be asked for again as long as there is the channel.
    """
    table = schema.delivery
    is_open = (table.c.channel_id == channel_id) & table.c.state.in_(OPEN_STATES)
    ended = {"state": "dead", "problem": problem, "ended_at_us": database_now_us(connection)}
    statement = update(table).where(is_open).values(**ended, lease_by=None, lease_until_us=None)
    return connection.execute(statement).rowcount


def _is_within(channel: Channel, scope: Scope) -> bool:
    if scope.teams:
        return False
    return scope.tenants is None or (channel.tenants is not None and channel.tenants <= scope.tenants)


def _is_same(before: StoredChannel, channel: Channel, sealed: bytes | None) -> bool:
    return replace(channel, channel_id=before.id) == before.channel and sealed == before.sealed


def _values(channel: Channel) -> dict[str, Any]:
    fields = {**channel_fields(channel), "target": channel.target}
    listed = {name: json.dumps(fields.pop(name)) for name in ("tenants", "budgets")}
    columns = {name: fields.pop(name) for name in ("name", "type", "target", "min_severity")}
    return {**columns, **listed, "settings": json.dumps(fields)}


def _locked(connection: Connection, scope: Scope, channel: Channel) -> StoredChannel | None:
    if channel.channel_id is not None:
        return _locked_by_id(connection, scope, channel.channel_id)
    table, values = schema.channel, _values(channel)
    same = (table.c.name == channel.name) & (table.c.tenants == values["tenants"])
    row = connection.execute(select(table).where(same).with_for_update()).mappings().one_or_none()
    return None if row is None else _stored(row)


def _locked_by_id(connection: Connection, scope: Scope, channel_id: int) -> StoredChannel:
    table = schema.channel
    query = select(table).where(table.c.id == channel_id).with_for_update()
    row = connection.execute(query).mappings().one_or_none()
    found = None if row is None else _stored(row)
    if found is None or not found.is_within(scope):
        raise NotFoundError(f"there is no channel with the id {channel_id} that you may see")
    return found


def _try_at_once(connection: Connection, channel_id: int, now_us: int) -> None:
    table = schema.delivery
    waiting = (table.c.channel_id == channel_id) & table.c.state.in_(("due", "failed")) & (table.c.next_at_us > now_us)
    connection.execute(update(table).where(waiting).values(next_at_us=now_us))


def _stored(row: RowMapping) -> StoredChannel:
    settings: Mapping[str, Any] = json.loads(row["settings"])
    quiet = settings.get("quiet_hours")
    if quiet is not None:
        ends = {name: time.fromisoformat(quiet[name]) for name in ("start", "end")}
        quiet = QuietHours(**ends, time_zone=quiet["time_zone"], breaks_through=quiet["breaks_through"])
    channel = Channel(
        name=row["name"],
        type=row["type"],
        target=row["target"],
        tenants=names_of(row["tenants"]),
        budgets=frozenset(json.loads(row["budgets"])),
        min_severity=row["min_severity"],
        quiet_hours=quiet,
        remind_every_s=settings.get("remind_every_s"),
        statements=settings.get("statements", False),
        channel_id=row["id"],
    )
    fares = ("state", "failing_since_us", "last_done_at_us", "last_error", "key_id", "created_at_us", "updated_at_us")
    sealed = None if row["sealed"] is None else bytes(row["sealed"])
    return StoredChannel(channel, sealed=sealed, **{name: row[name] for name in fares})


def _change(
    action: str, named: StoredChannel, before: StoredChannel | None, after: Mapping[str, Any] | None
) -> AuditedChange:
    was = None if before is None else _fields(before)
    tenant_id = only_tenant(named.channel.tenants)
    return AuditedChange(action, "channel", named.channel.name, tenant_id, before=was, after=after)


def _fields(stored: StoredChannel) -> dict[str, Any]:
    """As the audit trail says it: whether there are secrets, and never which."""
    return {**channel_fields(stored.channel), "target": stored.channel.target, "has_secrets": stored.sealed is not None}
