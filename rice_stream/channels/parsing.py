"""Channels from what a user wrote: command line options, an API body or a YAML file, already loaded; and back. Pure."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from typing import Any, cast

from rice_stream.budgets.definition import field_problems
from rice_stream.budgets.states import Severity
from rice_stream.channels.addresses import address_problem, shown
from rice_stream.channels.definition import RANK, TAKES_STATEMENTS, TYPES, Channel, ChannelType, QuietHours, Secrets
from rice_stream.channels.keys import keys_problem
from rice_stream.errors import UsageError

EVERY_TENANT = "*"
KAFKA = "kafka"
"""The channel that is always there; no other may have its name."""
NEVER = "never"
SHOWN_FIELDS = ("name", "type", "tenants", "budgets", "min_severity", "quiet_hours", "remind_every_s", "statements")
"""What is answered as it is given. The address and the secrets are given, and not answered."""
FIELDS = (*SHOWN_FIELDS, "url", "secret", "secrets", "new_secret", "remind_every")
REMIND_EVERY_MIN_S, REMIND_EVERY_MAX_S = 30, 31 * 86_400
NAMES_MAX = 1_000
_QUIET_FIELDS = ("start", "end", "time_zone", "breaks_through")
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)", re.ASCII)
_SPAN = re.compile(r"([1-9]\d{0,8})([smhd])", re.ASCII)
_UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


@dataclass(frozen=True, slots=True)
class AskedChannel:
    """A channel as somebody wants it. Where no address or key is given, those that it has stay.

    `channel.target` is empty without an address. `secrets` is never shown, nor part of a text of this value.
    """

    channel: Channel
    secrets: Secrets
    new_secret: bool = False
    """Make a new key; a webhook's one from before goes on beside it."""

    def __repr__(self) -> str:
        return f"AskedChannel({self.channel!r})"


class _Problems(list[str]):
    """One "field: what is wrong and what to do" per problem."""

    def add(self, name: str, problem: str | None) -> bool:
        """Whether there is none."""
        if problem is not None:
            self.append(f"{name}: {problem}")
        return problem is None


def parse_channel(mapping: Mapping[str, object]) -> AskedChannel:
    """A channel from its fields as a user writes them; a field that is absent or None takes its default.

    `tenants` is a list of names, or `*` for every one (the default); `budgets` a list of names, empty for every one; `quiet_hours`
    `{"start": "22:00", "end": "07:00", "time_zone", "breaks_through"}`; `remind_every` a text such as "4h" (or `remind_every_s`,
    seconds); `secret` is one key, `secrets` several with the one in force first.

    Raises:
        UsageError: one message that lists every problem, each with its field; no secret is repeated in it.
    """
    asked, problems = read_channel(mapping)
    if asked is None:
        name = mapping.get("name")
        raise UsageError(f"channel {name!r}: " + "; ".join(problems) if name else "; ".join(problems))
    return asked


def read_channel(mapping: Mapping[str, object]) -> tuple[AskedChannel | None, list[str]]:
    """The same with the problems, each with its field; the channel is None where there are any."""
    given = {name: value for name, value in mapping.items() if value is not None}
    problems = _Problems()
    for name in given:
        if name not in FIELDS:
            problems.add(str(name), _unknown_field(name))
    kind = _type(given, problems)
    settings = {
        "name": _name(given, problems),
        "tenants": _tenants(given, problems),
        "budgets": _budgets(given, problems),
        "min_severity": _severity("min_severity", given.get("min_severity", "info"), problems),
        "quiet_hours": _quiet_hours(given, problems),
        "remind_every_s": _remind_every_s(given, problems),
        "statements": _statements(given, kind, problems),
    }
    address, keys = _secrets(given, kind, problems)
    if problems or kind is None:
        return None, problems
    target = "" if address is None else shown(kind, address)
    channel = Channel(type=kind, target=target, **cast("Any", settings))
    return AskedChannel(channel, Secrets(address, keys), given.get("new_secret") is True), problems


def channel_fields(channel: Channel) -> dict[str, Any]:
    """The fields that may be shown, as a user writes them: `parse_channel` makes the same channel of them and its secrets."""
    return {
        "name": channel.name,
        "type": channel.type,
        "tenants": EVERY_TENANT if channel.tenants is None else sorted(channel.tenants),
        "budgets": sorted(channel.budgets),
        "min_severity": channel.min_severity,
        "quiet_hours": None if channel.quiet_hours is None else quiet_hours_fields(channel.quiet_hours),
        "remind_every_s": channel.remind_every_s,
        "statements": channel.statements,
    }


def quiet_hours_fields(quiet: QuietHours) -> dict[str, str | None]:
    """`{"start", "end", "time_zone", "breaks_through"}`."""
    return {
        "start": f"{quiet.start:%H:%M}",
        "end": f"{quiet.end:%H:%M}",
        "time_zone": quiet.time_zone,
        "breaks_through": quiet.breaks_through,
    }


def _unknown_field(name: object) -> str:
    close = difflib.get_close_matches(str(name), FIELDS, n=1)
    return "is no field of a channel" + (f"; did you mean {close[0]}?" if close else "")


def _type(given: Mapping[str, object], problems: _Problems) -> ChannelType | None:
    value = given.get("type")
    if value in TYPES:
        return value
    said = "is missing; it is" if value is None else f"{value!r} is no type of channel; choose"
    problems.add("type", f"{said} one of {', '.join(TYPES)}")
    return None


def _name(given: Mapping[str, object], problems: _Problems) -> str:
    name = given.get("name")
    if name is None:
        problems.add("name", "is missing")
    elif name == KAFKA:
        problems.add("name", f"{KAFKA} is the channel that is always there: choose another name")
    else:
        problems.extend(field_problems({"name": name}))
    return str(name)


def _tenants(given: Mapping[str, object], problems: _Problems) -> frozenset[str] | None:
    value = given.get("tenants", EVERY_TENANT)
    if value in (EVERY_TENANT, [EVERY_TENANT]):
        return None
    names = _names("tenants", "tenant_id", value, problems)
    if not names and isinstance(value, list | tuple) and not value:
        problems.add("tenants", f"must name a tenant, or be {EVERY_TENANT} for every one")
    if EVERY_TENANT in names:
        problems.add("tenants", f"{EVERY_TENANT} is every tenant; leave the others out")
    return names


def _budgets(given: Mapping[str, object], problems: _Problems) -> frozenset[str]:
    return _names("budgets", "name", given.get("budgets", []), problems)


def _names(field: str, rule: str, value: object, problems: _Problems) -> frozenset[str]:
    """Names that are as those of `rule`, a field of a budget."""
    if not isinstance(value, list | tuple):
        problems.add(field, f"must be a list of names, got {value!r}")
        return frozenset()
    if len(value) > NAMES_MAX:
        problems.add(field, f"must be at most {NAMES_MAX} names, got {len(value)}")
        return frozenset()
    wrong = next(filter(None, (field_problems({rule: each}) for each in value)), None)
    if wrong is not None:
        problems.add(field, f"each {wrong[0].partition(': ')[2]}")
        return frozenset()
    return frozenset(value)


def _severity(field: str, value: object, problems: _Problems) -> Severity:
    if not isinstance(value, str) or value not in RANK:
        problems.add(field, f"must be one of {', '.join(RANK)}, got {value!r}")
    return cast("Severity", value)


def _quiet_hours(given: Mapping[str, object], problems: _Problems) -> QuietHours | None:
    value = given.get("quiet_hours")
    if value is None:
        return None
    if not isinstance(value, Mapping):
        problems.add("quiet_hours", f"must have start and end, such as 22:00 and 07:00, and a time_zone, got {value!r}")
        return None
    found = _Problems()
    for name in value:
        if name not in _QUIET_FIELDS:
            found.add(str(name), f"is no field of quiet hours; they have {', '.join(_QUIET_FIELDS)}")
    start, end = (_time(name, value.get(name), found) for name in ("start", "end"))
    if start is not None and start == end:
        found.add("end", "is the start: nothing would ever be sent; raise min_severity, or remove the channel")
    time_zone = value.get("time_zone") or "UTC"
    found.extend(field_problems({"time_zone": time_zone}))
    through = value.get("breaks_through", "critical")
    breaks_through = None if through in (None, NEVER) else _severity("breaks_through", through, found)
    problems.extend(f"quiet_hours.{problem}" for problem in found)
    if found or start is None or end is None:
        return None
    return QuietHours(start, end, str(time_zone), breaks_through)


def _time(field: str, value: object, problems: _Problems) -> time | None:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1440:
        value = f"{value // 60:02}:{value % 60:02}"  # YAML takes 22:00 for a number to the base of 60
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        problems.add(field, f"must be a time such as 22:00, got {value!r}" if value is not None else "is missing")
        return None
    return time(int(match[1]), int(match[2]))


def _remind_every_s(given: Mapping[str, object], problems: _Problems) -> int | None:
    named = [name for name in ("remind_every", "remind_every_s") if name in given]
    if not named:
        return None
    if len(named) > 1:
        problems.add("remind_every, remind_every_s", "are the same; give one of them")
        return None
    value = given[named[0]]
    if named[0] == "remind_every_s":
        span_s = value if isinstance(value, int) and not isinstance(value, bool) else None
    else:
        match = _SPAN.fullmatch(value) if isinstance(value, str) else None
        span_s = None if match is None else int(match[1]) * _UNITS_S[match[2]]
    if span_s is None or not REMIND_EVERY_MIN_S <= span_s <= REMIND_EVERY_MAX_S:
        said = "a time such as 30m, 4h or 1d" if named[0] == "remind_every" else "a whole number of seconds"
        problems.add(named[0], f"must be {said}, from {REMIND_EVERY_MIN_S} seconds to 31 days, got {value!r}")
        return None
    return span_s


def _statements(given: Mapping[str, object], kind: ChannelType | None, problems: _Problems) -> bool:
    value = given.get("statements", False)
    if not isinstance(value, bool):
        problems.add("statements", f"must be true or false, got {value!r}")
    elif value and kind is not None and kind not in TAKES_STATEMENTS:
        problems.add("statements", f"a channel of the type {kind} takes alerts only")
    return value is True


def _secrets(
    given: Mapping[str, object], kind: ChannelType | None, problems: _Problems
) -> tuple[str | None, tuple[str, ...]]:
    """The address, and the keys with the one in force first, as far as they are given."""
    address, keys = given.get("url"), _keys(given, problems)
    if kind == "slack" and address is None and len(keys) == 1:
        address, keys = keys[0], ()  # it has no other secret than its address
    if kind is None:
        return None, ()
    if address is not None:
        problems.add("url", address_problem(kind, address))
    problems.add("secret", keys_problem(kind, keys))
    new = given.get("new_secret", False)
    if not isinstance(new, bool):
        problems.add("new_secret", f"must be true or false, got {new!r}")
    elif new and (kind != "webhook" or keys):
        problems.add("new_secret", "is for webhooks, where no secret is given")
    return cast("str | None", address), cast("tuple[str, ...]", keys)


def _keys(given: Mapping[str, object], problems: _Problems) -> tuple[object, ...]:
    if "secret" in given and "secrets" in given:
        problems.add("secret, secrets", "are the same; give one of them")
    if "secret" in given:
        return (given["secret"],)
    several = given.get("secrets", ())
    if not isinstance(several, list | tuple):
        problems.add("secrets", "must be a list of texts, the one in force first")
        return ()
    return tuple(several)
