"""What is told again because it still holds: to people every so often, to Alertmanager before it takes it for ended."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from rice_stream.budgets.announcement import restated
from rice_stream.budgets.periods import period_at
from rice_stream.channels.definition import (
    OPEN_STATES,
    Channel,
    posts_again_every_s,
    posts_ended_for_s,
)
from rice_stream.channels.quiet_hours import held_until
from rice_stream.channels.routing import wants
from rice_stream.instants import DAY_US, SECOND_US, datetime_of
from rice_stream.store import budget_store, reminders
from rice_stream.store.channel_store import channels_sent_to
from rice_stream.store.consumption import consumed_in_each
from rice_stream.store.database_clock import database_now_us
from rice_stream.store.delivery_store import NewDelivery, add_deliveries
from rice_stream.store.engine import Connection, Engine, reading, writing
from rice_stream.store.open_alerts import OpenAlert, open_alerts
from rice_stream.store.reminders import AGAIN, Told

Event = Mapping[str, Any]


class _Planned(NamedTuple):
    """Something to tell again: as a reminder of its own, or, with `again`, by a delivery that is there."""

    channel: Channel
    alert: Told
    cause: str
    again: Told | None


def remind(engine: Engine) -> int:
    """Make the reminders due whose time has come; returns how many. Servers that do so at once make each of them once.

    Near to nothing is asked of the database while no channel is told again, or nothing is open.
    """
    with reading(engine) as connection:
        stored = channels_sent_to(connection)
        channels = {each.id: each.channel for each in stored if posts_again_every_s(each.channel) is not None}
        if not channels:
            return 0
        now_us = database_now_us(connection)
        opened = open_alerts(connection, datetime_of(now_us))
        ended = _ended(connection, channels, now_us)
        events: dict[str, Event] = {**{each.id: each.event for each in opened}, **ended}
        told = reminders.told_of(connection, channels, sorted(events))
        planned = list(_planned(channels, opened, ended, told, now_us))
        late = [each.id for each in told if _waits_too_long(channels[each.channel_id], each, now_us)]
        if planned:
            events = _with_figures(connection, opened, events, datetime_of(now_us))
    planned = [each for each in planned if each.alert.alert_id in events]
    if not planned and not late:
        return 0
    with writing(engine) as connection:
        reminders.hasten(connection, late, now_us)
        return sum(_make(connection, each, {"alerts": [events[each.alert.alert_id]]}) for each in planned)


def _ended(connection: Connection, channels: Mapping[int, Channel], now_us: int) -> dict[str, Event]:
    """What has ended lately, of channels that are told so again."""
    lengths = {number: posts_ended_for_s(channel) for number, channel in channels.items()}
    chosen = [number for number, length_s in lengths.items() if length_s]
    if not chosen:
        return {}
    # That something is over may have been told a while after it was.
    since_us = now_us - max(lengths.values()) * SECOND_US - DAY_US
    return dict(reminders.ended_lately(connection, chosen, since_us))


def _planned(
    channels: Mapping[int, Channel],
    opened: Sequence[OpenAlert],
    ended: Mapping[str, Event],
    told: Sequence[Told],
    now_us: int,
) -> Iterator[_Planned]:
    by_id = {each.id: each for each in opened}
    by_alert: dict[tuple[int, str], list[Told]] = {}
    for each in told:
        by_alert.setdefault((each.channel_id, each.alert_id), []).append(each)
    worst: dict[tuple[int, int], tuple[float, _Planned | None]] = {}
    for (channel_id, alert_id), rows in by_alert.items():
        channel = channels[channel_id]
        alert = next((each for each in rows if each.kind == "alert"), None)
        if alert is None or alert.state != "done" or alert.ended_at_us is None:
            continue  # it has not been told yet, or never was
        again = [each for each in rows if each.kind == "reminder"]
        if channel.type == "alertmanager":
            if _is_wanted(channel, by_id.get(alert_id), alert) or alert_id in ended:
                yield from _posted_again(channel, alert, again, ended=alert_id in ended, now_us=now_us)
        elif (crossing := by_id.get(alert_id)) is not None and not crossing.is_early:
            # Of a budget that is beyond several thresholds the highest says it all.
            key = channel_id, crossing.budget_id
            if key not in worst or worst[key][0] < crossing.threshold:
                due = _reminded(channel, alert, again, now_us) if _is_wanted(channel, crossing, alert) else None
                worst[key] = crossing.threshold, due
    yield from (planned for _, planned in worst.values() if planned is not None)


def _is_wanted(channel: Channel, crossing: OpenAlert | None, alert: Told) -> bool:
    """Whether the alert holds, and the channel, as it is now, is for it."""
    return crossing is not None and wants(channel, crossing.tenant_id, crossing.budget, alert.severity or "info")


def _reminded(channel: Channel, alert: Told, again: Sequence[Told], now_us: int) -> _Planned | None:
    every_s = posts_again_every_s(channel)
    last_us = max([alert.ended_at_us or now_us, *(each.created_at_us for each in again)])
    if every_s is None or now_us - last_us < every_s * SECOND_US or any(each.state in OPEN_STATES for each in again):
        return None
    if held_until(channel, "reminder", alert.severity, datetime_of(now_us)) is not None:
        return None  # it comes when quiet hours are over
    number = 1 + max((int(each.cause.rpartition("#")[2]) for each in again), default=0)
    return _Planned(channel, alert, f"{alert.alert_id}#{number}", None)


def _posted_again(
    channel: Channel, alert: Told, again: Sequence[Told], *, ended: bool, now_us: int
) -> Iterator[_Planned]:
    """One delivery, sent over and over: a row for each time would be thousands a day."""
    every_us = (posts_again_every_s(channel) or 0) * SECOND_US
    told_us = alert.ended_at_us or now_us
    if ended and now_us - told_us > posts_ended_for_s(channel) * SECOND_US:
        return
    last = again[0] if again else None
    last_us = told_us if last is None else last.ended_at_us
    if last_us is not None and now_us - last_us >= every_us:
        yield _Planned(channel, alert, f"{alert.alert_id}#{AGAIN}", last)


def _waits_too_long(channel: Channel, each: Told, now_us: int) -> bool:
    """Whether Alertmanager would take it for ended before it is tried again."""
    every_us = (posts_again_every_s(channel) or 0) * SECOND_US
    is_again = channel.type == "alertmanager" and each.kind == "reminder" and each.state == "failed"
    return is_again and each.next_at_us > now_us + every_us


def _with_figures(
    connection: Connection, opened: Sequence[OpenAlert], events: Mapping[str, Event], now: datetime
) -> dict[str, Event]:
    """The events with what has been consumed by now; without those whose budgets have fallen below, which nobody has judged yet."""
    stored = budget_store.load_budgets(connection, budget_ids={each.budget_id for each in opened})
    budgets = {budget.budget_id: budget for budget, _ in stored.readable}
    asked = [(each, budgets[each.budget_id]) for each in opened if each.budget_id in budgets]
    consumed = consumed_in_each(connection, [(budget, period_at(budget, now)) for _, budget in asked], with_ranges=True)
    known = dict(events)
    for (each, budget), amounts in zip(asked, consumed, strict=True):
        if not each.is_early and budget.released(each.threshold, amounts.amount(budget)):
            del known[each.id]
        else:
            known[each.id] = restated(each.event, budget, amounts)
    return known


def _make(connection: Connection, planned: _Planned, content: Mapping[str, Any]) -> int:
    if planned.again is not None:
        return int(reminders.tell_again(connection, planned.again, content))
    alert = planned.alert
    new = NewDelivery(
        alert.channel_id,
        planned.channel.name,
        "reminder",
        planned.cause,
        content,
        alert_id=alert.alert_id,
        tenant_id=content["alerts"][0]["data"]["tenant_id"],
        lane=alert.lane,
        severity=alert.severity,
    )
    add_deliveries(connection, [new])
    return 1
