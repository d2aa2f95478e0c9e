"""Channels set, removed and tried, and deliveries sent again: what the command line, the HTTP API, the dashboard and the file of
channels do alike. Each change is in the audit trail, without what is secret."""

import secrets
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple, Protocol

from rice_stream.channels.addresses import PAGERDUTY, is_secret, mail_address, shown
from rice_stream.channels.definition import Channel, Secrets
from rice_stream.channels.keys import KEY_BYTES, key_of, missing_key
from rice_stream.channels.parsing import EVERY_TENANT, KAFKA, AskedChannel
from rice_stream.channels.trial import trial_event
from rice_stream.errors import NotFoundError, UsageError
from rice_stream.store import channel_store, delivery_store
from rice_stream.store.audit import Actor, AuditedChange, record
from rice_stream.store.channel_store import ChannelCheck, StoredChannel
from rice_stream.store.delivery_store import NewDelivery, Resent
from rice_stream.store.engine import Engine
from rice_stream.store.http_tokens import only_tenant
from rice_stream.store.scope import Scope
from rice_stream.store.scoped import scoped_reading, scoped_writing

_TRIES = 3
"""How often a channel is read again that somebody else changes at the same time."""


class SecretBox(Protocol):
    """Encrypts what is secret of channels (`runtime.secret_box`)."""

    def seal(self, channel: str, secret: Secrets) -> tuple[bytes, str]:
        """Encrypted, and the id of the key. UsageError: there is no key."""

    def open(self, channel: str, sealed: bytes) -> Secrets:
        """What was sealed for the channel of this name. UsageError: with none of the keys."""


class ChannelConflictError(UsageError):
    """What is asked does not go with what there is: the name is taken, or the channel is disabled."""


@dataclass(frozen=True, slots=True)
class SetChannel:
    """A channel as it is stored now. `new_key`: the one that was made for it, which is shown this once."""

    stored: StoredChannel
    new_key: str | None = None

    def __repr__(self) -> str:
        return f"SetChannel({self.stored!r})"


class _Merged(NamedTuple):
    """What is to be stored; `secret` None: what is stored stays."""

    channel: Channel
    before: StoredChannel | None
    secret: Secrets | None
    new_key: str | None


class _ChangedMeanwhileError(Exception):
    pass


def set_channel(
    engine: Engine,
    scope: Scope,
    box: SecretBox,
    asked: AskedChannel,
    by: Actor,
    *,
    tenants: Sequence[str] = (),
    check: ChannelCheck | None = None,
) -> SetChannel:
    """Make the channel, or change the one of this name; address and secrets stay where none are given.

    `tenants` (`["*"]`: every one) tells it from others of its name that the scope sees. `check` is shown what was there, and may
    raise: nothing is changed then. A secret never goes to an address that it was not given with.

    NotFoundError: the scope lacks one of the channel's tenants; UsageError: a field does not go with the others, or there is
    no RICE_SECRETS_KEY; StoreUnavailableError: the database did not do it.
    """
    for _ in range(_TRIES):
        merged = _merged(engine, scope, box, asked, tenants)
        try:
            return _stored(engine, scope, box, merged, by, check)
        except _ChangedMeanwhileError:
            continue
    raise ChannelConflictError(f"channel {asked.channel.name!r}: somebody else is changing it; do it again")


def set_channels(
    engine: Engine, scope: Scope, box: SecretBox, asked: Sequence[AskedChannel], by: Actor
) -> list[SetChannel]:
    """Set several. What is wrong with any of them is found before the first is stored; errors as from `set_channel`."""
    for each in asked:
        _merged(engine, scope, box, each, ())
    return [set_channel(engine, scope, box, each, by) for each in asked]


def remove_channel(
    engine: Engine,
    scope: Scope,
    name: str,
    by: Actor,
    *,
    tenants: Sequence[str] = (),
    check: ChannelCheck | None = None,
) -> StoredChannel:
    """Remove the channel of this name, with its secrets. What it has not been sent is dead; what became of the rest stays.

    NotFoundError, UsageError: as from `named_channel`; StoreUnavailableError: the database did not do it.
    """
    found = named_channel(engine, scope, name, tenants)
    return channel_store.remove_channel(engine, scope, found.id, by, check)


def send_trial(
    engine: Engine, scope: Scope, name: str, by: Actor, now: datetime, *, tenants: Sequence[str] = ()
) -> int:
    """Have a marked alert sent by the way of every other; returns the id of its delivery, which a server sends when it sees it.

    NotFoundError, UsageError: as from `named_channel`; ChannelConflictError: the channel is disabled.
    """
    found = named_channel(engine, scope, name, tenants)
    if not found.is_sent_to:
        raise ChannelConflictError(f"channel {name!r} is disabled ({found.last_error}): set it again first")
    number = uuid.uuid4().hex
    event = trial_event(found.channel, number, now)
    trial = NewDelivery(
        found.id, name, "test", f"test:{number}", {"alerts": [event]}, severity=event["data"]["severity"]
    )
    with scoped_writing(engine, scope) as connection:
        delivery_store.add_deliveries(connection, [trial])
        delivery_id = delivery_store.delivery_id(connection, found.id, trial.cause)
        tenant_id = only_tenant(found.channel.tenants)
        after = {"delivery": delivery_id}
        record(connection, by, [AuditedChange("channel.test", "channel", name, tenant_id, after=after)])
    return delivery_id


def resend(
    engine: Engine,
    scope: Scope,
    by: Actor,
    *,
    ids: Collection[int] = (),
    since_us: int | None = None,
    channel: str | None = None,
    tenants: Sequence[str] = (),
) -> Resent:
    """Send again the deliveries of these ids, or all that has not arrived and was stored since an instant (on one channel).

    NotFoundError: the scope has no delivery of one of the ids, or no such channel; UsageError: neither or both are given.
    """
    if bool(ids) == (since_us is not None):
        raise UsageError("ids, since: give one of them")
    channel_id = None if channel is None else named_channel(engine, scope, channel, tenants).id
    return delivery_store.resend(engine, scope, by, ids=ids, since_us=since_us, channel_id=channel_id)


def named_channel(engine: Engine, scope: Scope, name: str, tenants: Sequence[str] = ()) -> StoredChannel:
    """The one channel of this name that the scope sees, and of these tenants where any are given.

    NotFoundError: there is none; UsageError: there are several, or it is Kafka.
    """
    found = _named(engine, scope, name, tenants)
    if found is None:
        if name == KAFKA:
            raise UsageError(
                f"name: {KAFKA} is the channel that is always there: workers send to it, and RICE_ALERTS_TOPIC says where"
            )
        raise NotFoundError(f"there is no channel {name!r}; see `rice-stream channel list`")
    return found


def _named(engine: Engine, scope: Scope, name: str, tenants: Sequence[str]) -> StoredChannel | None:
    with scoped_reading(engine, scope) as connection:
        found = [each for each in channel_store.load_channels(connection, scope) if each.channel.name == name]
    if tenants:
        wanted = None if list(tenants) == [EVERY_TENANT] else frozenset(tenants)
        found = [each for each in found if each.channel.tenants == wanted]
    if len(found) > 1:
        of = "; ".join(
            EVERY_TENANT if each.channel.tenants is None else ", ".join(sorted(each.channel.tenants)) for each in found
        )
        raise UsageError(f"several channels have the name {name!r}: of {of}; say which with --tenant")
    return found[0] if found else None


def _merged(engine: Engine, scope: Scope, box: SecretBox, asked: AskedChannel, tenants: Sequence[str]) -> _Merged:
    """What is asked for, with what stays of the channel that is there."""
    before = _before(engine, scope, asked, tenants)
    channel = replace(asked.channel, channel_id=None if before is None else before.id)
    same_type = before is not None and before.channel.type == channel.type
    if before is not None and same_type and asked.secrets == Secrets() and not asked.new_secret:
        return _Merged(replace(channel, target=before.channel.target), before, None, None)
    old = _opened(box, before, asked) if before is not None and same_type else Secrets()
    secret, new_key = _secrets(asked, old)
    channel = replace(channel, target=shown(channel.type, secret.address or ""))
    return _Merged(channel, before, None if secret == old else secret, new_key)


def _before(engine: Engine, scope: Scope, asked: AskedChannel, tenants: Sequence[str]) -> StoredChannel | None:
    """The channel that is meant: the one of its name, or, where there are several, the one of these tenants."""
    try:
        return _named(engine, scope, asked.channel.name, tenants)
    except UsageError:
        if tenants:
            raise
        own = asked.channel.tenants
        return _named(engine, scope, asked.channel.name, [EVERY_TENANT] if own is None else sorted(own))


def _opened(box: SecretBox, before: StoredChannel, asked: AskedChannel) -> Secrets:
    """Of what is all given again nothing needs to be known: so a key that was lost can be replaced."""
    if before.sealed is None:
        return Secrets(before.channel.target)
    try:
        return box.open(before.channel.name, before.sealed)
    except UsageError:
        if asked.secrets.address is not None and (asked.secrets.keys or asked.channel.type == "slack"):
            return Secrets()
        raise


def _secrets(asked: AskedChannel, old: Secrets) -> tuple[Secrets, str | None]:
    """Address and keys as they shall be, and the key that was made."""
    kind, name = asked.channel.type, asked.channel.name
    address = asked.secrets.address or old.address or (PAGERDUTY if kind == "pagerduty" else None)
    if address is None:
        raise UsageError(f"channel {name!r}: url: is missing")
    stays = address == old.address
    keys = asked.secrets.keys or (old.keys if stays else ())
    if asked.new_secret or (kind == "webhook" and not keys):
        made = key_of(secrets.token_bytes(KEY_BYTES))
        return Secrets(address, (made, *keys[:1])), made
    if old.keys and not keys:
        raise UsageError(
            f"channel {name!r}: secret: the address changes, and no secret goes to another one: give it again"
        )
    missing = missing_key(kind) if not keys else None
    if missing is None and kind == "email" and bool(mail_address(address).user) != bool(keys):
        missing = "and a user in the address (smtp://USER@HOST) need each other"
    if missing is not None:
        raise UsageError(f"channel {name!r}: secret: {missing}")
    return Secrets(address, keys), None


def _stored(
    engine: Engine, scope: Scope, box: SecretBox, merged: _Merged, by: Actor, check: ChannelCheck | None
) -> SetChannel:
    channel, before, secret, new_key = merged

    def as_merged(found: StoredChannel | None) -> None:
        if (found is None) != (before is None) or (found and before and found.sealed != before.sealed):
            raise _ChangedMeanwhileError
        if check is not None:
            check(found)

    sealed, key_id = None, None
    if secret is not None and (secret.keys or is_secret(channel.type, secret.address or "")):
        sealed, key_id = box.seal(channel.name, secret)
    stored = channel_store.set_channel(
        engine, scope, channel, sealed, key_id, by, as_merged, keep_secrets=secret is None
    )
    return SetChannel(stored, new_key)
