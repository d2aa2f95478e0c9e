"""One server's tries to deliver, in the database: what is taken, what came of it, and who is told of a channel that fails."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from rice_stream.alerting.holding import sent_now
from rice_stream.channels.answers import ReceiverAnswer
from rice_stream.channels.definition import DeliveryState, Secrets
from rice_stream.channels.letters import Letter
from rice_stream.channels.notices import disabled_notice, failing_notice, mended_notice
from rice_stream.channels.routing import sees_tenants
from rice_stream.channels.schedule import NextStep, Schedule
from rice_stream.instants import SECOND_US, datetime_of
from rice_stream.quantities import is_storable
from rice_stream.store.channel_health import disable, note_arrival, note_failure
from rice_stream.store.channel_store import (
    REMOVED,
    StoredChannel,
    channels_sent_to,
    end_open,
    load_channels,
)
from rice_stream.store.database_clock import database_now_us
from rice_stream.store.delivery_claims import (
    DeliveryOutcome,
    channels_with_due,
    claim,
    finish,
    open_counts,
    overdue_since_us,
)
from rice_stream.store.delivery_store import NewDelivery, StoredDelivery, add_deliveries
from rice_stream.store.engine import Connection, Engine, reading, writing

Unseal = Callable[[str, bytes], Secrets]
"""What was sealed for the channel of a name. UsageError: it cannot be opened."""
log = logging.getLogger(__name__)


class TakenDelivery(NamedTuple):
    """A delivery that this server is to send, and the channel as it is now."""

    channel: StoredChannel
    delivery: StoredDelivery


class TriedDelivery(NamedTuple):
    """A try. `answer` None: it was not sent after all, and is for whoever takes it next."""

    taken: TakenDelivery
    answer: ReceiverAnswer | None


class DeliveryFigures(NamedTuple):
    """How deliveries stand: of all servers, as the database says."""

    channels: int
    failing: int
    """Channels that fail or are disabled."""
    open: Mapping[DeliveryState, int]
    overdue_s: float
    """How long the one has waited that no server takes, and that has waited longest; 0: there is none."""


def take(engine: Engine, server: str, free: Callable[[int], int], *, lease_s: float) -> list[TakenDelivery]:
    """Take what is due, on each channel as many as `free` says for its id, but for what quiet hours hold.

    StoreUnavailableError: the database does not answer.
    """
    with reading(engine) as connection:
        due = channels_with_due(connection)
        if not due:
            return []
        channels = {each.id: each for each in load_channels(connection)}
    taken: list[TakenDelivery] = []
    for channel_id in due:
        limit = free(channel_id)
        if limit <= 0:
            continue
        with writing(engine) as connection:
            channel = channels.get(channel_id)
            if channel is None:  # it was removed while somebody added to it
                end_open(connection, channel_id, REMOVED)
                continue
            claimed = claim(connection, server, channel_id, limit=limit, lease_s=lease_s)
            now = sent_now(connection, server, channel.channel, claimed) if claimed else []
            taken += [TakenDelivery(channel, each) for each in now]
    return taken


def mark(
    engine: Engine, server: str, tried: Sequence[TriedDelivery], schedule: Schedule, luck: Callable[[], float]
) -> list[StoredDelivery]:
    """Store what came of tries, with how their channels fare by that; returns those that were the server's still.

    Where a channel has turned, the other channels that take alerts of the same tenants are told so, in the same transaction.
    """
    by_channel = groupby(sorted(tried, key=lambda one: one.taken.channel.id), key=lambda one: one.taken.channel.id)
    with writing(engine) as connection:
        now_us = database_now_us(connection)
        told: list[NewDelivery] = []
        outcomes: list[DeliveryOutcome] = []
        for _, group in by_channel:
            of_channel = list(group)
            told += _fares(connection, of_channel, datetime_of(now_us))
            outcomes += [_outcome(one, schedule, luck(), now_us) for one in of_channel]
        marked = finish(connection, server, outcomes)
        add_deliveries(connection, told)
    return marked


def secrets_of(unseal: Unseal, stored: StoredChannel) -> Secrets:
    """Address and keys of a channel. UsageError: they were sealed with none of this server's keys."""
    if stored.sealed is None:
        return Secrets(stored.channel.target)
    return unseal(stored.channel.name, stored.sealed)


def figures(engine: Engine) -> DeliveryFigures:
    """How deliveries stand now. StoreUnavailableError: the database does not answer."""
    with reading(engine) as connection:
        channels = load_channels(connection)
        since_us = overdue_since_us(connection)
        late_us = 0 if since_us is None else database_now_us(connection) - since_us
        failing = sum(each.state != "ok" for each in channels)
        return DeliveryFigures(len(channels), failing, open_counts(connection), late_us / SECOND_US)


def _outcome(tried: TriedDelivery, schedule: Schedule, luck: float, now_us: int) -> DeliveryOutcome:
    delivery, answer = tried.taken.delivery, tried.answer
    if answer is None:
        return DeliveryOutcome(delivery.id, "due")
    tried_for_s = (now_us - (delivery.first_tried_at_us or now_us)) / SECOND_US
    step: NextStep = schedule.next_step(answer, attempts=delivery.attempts, tried_for_s=tried_for_s, luck=luck)
    return DeliveryOutcome(
        delivery.id,
        step.state,
        now_us + round(step.wait_s * SECOND_US),
        answer.status,
        answer.head if is_storable(answer.head or "") else None,
        answer.problem,
        answer.digest,
        step.counts,
    )


def _fares(connection: Connection, tried: Sequence[TriedDelivery], now: datetime) -> list[NewDelivery]:
    """Note how a channel fares by these tries; what the others are to be told of it."""
    channel = tried[0].taken.channel
    answers = [one.answer for one in tried if one.answer is not None]
    problems = [answer.problem for answer in answers if answer.problem is not None]
    told: list[NewDelivery] = []
    if any(answer.is_done for answer in answers):
        since_us = note_arrival(connection, channel.id)
        if since_us is not None:
            letter = mended_notice(channel.channel, datetime_of(since_us), now)
            told += _notices(connection, channel, letter, f"ok:{since_us}")
    elif problems:
        since_us = note_failure(connection, channel.id, problems[-1])
        if since_us is not None:
            letter = failing_notice(channel.channel, datetime_of(since_us), problems[-1], now)
            told += _notices(connection, channel, letter, f"failing:{since_us}")
    gone = [answer.problem for answer in answers if answer.is_gone]
    if gone and disable(connection, channel.id, gone[-1] or ""):
        letter = disabled_notice(channel.channel, gone[-1] or "", now)
        told += _notices(connection, channel, letter, f"disabled:{channel.updated_at_us}")
    return told


def _notices(connection: Connection, about: StoredChannel, letter: Letter, what: str) -> list[NewDelivery]:
    log.log(logging.INFO if letter.is_over else logging.ERROR, "%s", letter.title)
    others = [
        each
        for each in channels_sent_to(connection)
        if each.id != about.id and sees_tenants(each.channel, about.channel.tenants)
    ]
    return [
        NewDelivery(
            other.id,
            other.channel.name,
            "notice",
            f"notice:{about.id}:{what}",
            letter.content(),
            tenant_id=letter.subject,
            lane=f"channel:{about.id}",
            severity=letter.severity,
        )
        for other in others
    ]
