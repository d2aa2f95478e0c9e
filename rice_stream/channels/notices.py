"""What other channels are told of one that fails. Pure."""

from datetime import datetime

from rice_stream.channels.definition import Channel
from rice_stream.channels.letters import NOTICE_TYPE, Letter
from rice_stream.instants import epoch_us, rfc3339

_PATH = "/admin"


def failing_notice(channel: Channel, since: datetime, problem: str, now: datetime) -> Letter:
    """Nothing has arrived for a day; it is tried all the same."""
    return _notice(
        channel,
        now,
        f"Nothing arrives at the channel {channel.name}",
        "Alerts wait, and are tried again. Those that are given up are kept: send them again when it is mended.",
        state="failing",
        since=since,
        problem=problem,
    )


def disabled_notice(channel: Channel, problem: str, now: datetime) -> Letter:
    """Its receiver wants nothing more."""
    return _notice(
        channel,
        now,
        f"The channel {channel.name} is disabled: its receiver says that it is gone",
        "Nothing is sent to it until it is set again. What it was not sent is kept, and can be sent then.",
        state="disabled",
        problem=problem,
    )


def mended_notice(channel: Channel, since: datetime, now: datetime) -> Letter:
    """Something has arrived."""
    return _notice(
        channel,
        now,
        f"The channel {channel.name} works again",
        "What waited is being sent; what was given up meanwhile can be sent again.",
        state="ok",
        since=since,
    )


def _notice(
    channel: Channel,
    now: datetime,
    title: str,
    line: str,
    *,
    state: str,
    since: datetime | None = None,
    problem: str | None = None,
) -> Letter:
    """The channel's address is no part of it: those who see the other channel may not see this one."""
    said = {"Channel": channel.name, "Type": channel.type}
    if since is not None:
        said["Since"] = rfc3339(epoch_us(since))
    if problem is not None:
        said["Last failure"] = problem
    fields = {"channel": channel.name, "type": channel.type, "state": state, "problem": problem}
    only = next(iter(channel.tenants)) if channel.tenants is not None and len(channel.tenants) == 1 else None
    return Letter(
        event_type=NOTICE_TYPE,
        title=title,
        time=rfc3339(epoch_us(now)),
        lines=(line,),
        facts=tuple(said.items()),
        path=_PATH,
        subject=only,
        severity="info" if state == "ok" else "warning",
        key=f"channel:{channel.name}",
        is_over=state == "ok",
        data={**fields, "since": said.get("Since")},
    )
