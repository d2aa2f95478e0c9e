"""Quiet hours in the database: what is due is held until they end, and then one digest tells of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from rice_stream.channels.definition import Channel
from rice_stream.channels.digests import Digest, digests_of
from rice_stream.channels.quiet_hours import held_until, quiet_until
from rice_stream.instants import datetime_of, epoch_us
from rice_stream.store import held_deliveries
from rice_stream.store.channel_store import StoredChannel, load_channels
from rice_stream.store.database_clock import database_now_us
from rice_stream.store.delivery_claims import DeliveryOutcome, finish
from rice_stream.store.delivery_store import NewDelivery, StoredDelivery
from rice_stream.store.engine import Connection, Engine, reading, writing
from rice_stream.store.open_alerts import still_true

TOLD_BY_DIGEST = frozenset({"alert", "reminder"})
"""Kinds that a digest tells of; the others are sent by themselves when quiet hours are over."""
_KEEP_STATE = frozenset({"pagerduty", "alertmanager"})
"""Types whose receivers hold an alert for open until they are told that it is over: that is good news, and told at any hour."""


def sent_now(
    connection: Connection, server: str, channel: Channel, taken: Sequence[StoredDelivery]
) -> list[StoredDelivery]:
    """Which of the deliveries that the server has taken are sent now; part of the transaction in which they are taken.

    The others are held over quiet hours or, of reminders of what no longer holds, withdrawn.
    """
    now = datetime_of(database_now_us(connection))
    true = still_true(connection, {each.alert_id for each in taken if each.kind == "reminder"}, now)
    untrue = {each.id for each in taken if each.kind == "reminder" and each.alert_id not in true}
    held_deliveries.withdraw(connection, untrue)
    kept = [each for each in taken if each.id not in untrue]
    until = {each.id: _held_until(connection, channel, each, now) for each in kept}
    held = [DeliveryOutcome(number, "held", epoch_us(end)) for number, end in until.items() if end is not None]
    finish(connection, server, held)
    return [each for each in kept if until[each.id] is None]


def _held_until(connection: Connection, channel: Channel, each: StoredDelivery, now: datetime) -> datetime | None:
    until = held_until(channel, each.kind, each.severity, now)
    if until is None or channel.type not in _KEEP_STATE or each.kind != "alert" or each.lane is None:
        return until
    is_over = all(event["data"]["state"] == "resolved" for event in each.content["alerts"])
    # Where the alert itself is held still, both are told in the end.
    if is_over and not held_deliveries.take_held(connection, each.channel_id, lane=each.lane):
        return None
    return until


def end_quiet_hours(engine: Engine) -> int:
    """Tell of what was held on channels that have no quiet hours now; returns how many digests there are to send.

    By the quiet hours as they are now: they may have been moved or removed since something was held. Servers that do so
    at once make one digest between them.
    """
    with reading(engine) as connection:
        if not _changing(connection):
            return 0
    made = 0
    with writing(engine) as connection:
        now_us = database_now_us(connection)
        for channel_id, channel, last_us, until_us in _changing(connection):
            if until_us is not None:
                held_deliveries.hold_until(connection, channel_id, until_us)
            else:
                made += _tell(connection, channel, channel_id, now_us=now_us, end_us=min(last_us, now_us))
    return made


def _changing(connection: Connection) -> list[tuple[int, Channel, int, int | None]]:
    """Channels on which something is held otherwise than their quiet hours are now: until when so far, and from now on."""
    held = held_deliveries.held_until(connection)
    if not held:
        return []
    now = datetime_of(database_now_us(connection))
    channels: Mapping[int, StoredChannel] = {each.id: each for each in load_channels(connection)}
    found = []
    for channel_id, (first_us, last_us) in sorted(held.items()):
        if channel_id not in channels:
            continue  # removed this moment
        channel = channels[channel_id].channel
        until = None if channel.quiet_hours is None else quiet_until(channel.quiet_hours, now)
        until_us = None if until is None else epoch_us(until)
        if until_us is None or not first_us == last_us == until_us:
            found.append((channel_id, channel, last_us, until_us))
    return found


def _tell(connection: Connection, channel: Channel, channel_id: int, *, now_us: int, end_us: int) -> int:
    held = held_deliveries.take_held(connection, channel_id)
    reminded = {each.alert_id for each in held if each.kind == "reminder"}
    true = still_true(connection, reminded, datetime_of(now_us))
    untrue = {each.id for each in held if each.kind == "reminder" and each.alert_id not in true}
    held_deliveries.withdraw(connection, untrue)
    kept = [each for each in held if each.id not in untrue]
    told = [each for each in kept if each.kind in TOLD_BY_DIGEST]
    alone = {each.id for each in kept if each.kind not in TOLD_BY_DIGEST}
    tenants = {each.tenant_id for each in told}
    tenant_id = tenants.pop() if len(tenants) == 1 else None
    made = 0
    events = ((each.id, event) for each in told for event in each.content["alerts"])
    for part, digest in enumerate(digests_of(events, channel.type)):
        cause = f"digest:{end_us}" if part == 0 else f"digest:{end_us}:{part + 1}"
        if held_deliveries.tell(connection, _new(channel, channel_id, cause, digest, tenant_id), digest.told):
            made += 1
        else:
            alone |= set(digest.told)  # held too late for the digest of its time
    held_deliveries.release(connection, alone)
    return made


def _new(channel: Channel, channel_id: int, cause: str, digest: Digest, tenant_id: str | None) -> NewDelivery:
    return NewDelivery(
        channel_id,
        channel.name,
        "digest",
        cause,
        digest.content,
        tenant_id=tenant_id,
        severity=digest.severity,
    )
