"""Channels of a YAML file, which names the variables that hold what is secret of them. Pure."""

from collections.abc import Callable, Iterator, Mapping

from rice_stream.budgets.parsing import entries_of
from rice_stream.channels.addresses import address_problem, is_secret
from rice_stream.channels.definition import TYPES, ChannelType
from rice_stream.channels.parsing import AskedChannel, read_channel
from rice_stream.errors import UsageError

Variable = Callable[[str], str | None]
"""The value of a variable of the environment by its name; None where it is not set."""


def parse_channel_file(loaded: object, variable: Variable) -> list[AskedChannel]:
    """The channels of a loaded YAML file: a list of mappings, or a mapping whose one key `channels` holds that list.

    What is secret is in variables of the environment: `secret_env` names one, or several with the one in force first, and
    `url_env` one. A webhook must have one: nobody would see a key that is made for it.

    Raises:
        UsageError: one message that lists every problem of every channel, as "channels[2].type: ...".
    """
    asked: list[AskedChannel] = []
    problems: list[str] = []
    first_seen: dict[str, int] = {}
    for index, entry in enumerate(entries_of(loaded, "channels", "channel file")):
        if not isinstance(entry, Mapping):
            problems.append(f"channels[{index}]: must be a mapping of fields")
            continue
        secret = list(_secret_fields(entry))
        fields, missing = from_variables(entry, variable)
        made, wrong = read_channel(fields)
        problems += [f"channels[{index}].{problem}" for problem in (*secret, *missing, *wrong)]
        if made is None:
            continue
        other = first_seen.setdefault(made.channel.name, index)
        if other != index:
            problems.append(f"channels[{index}].name: {made.channel.name!r} is already the name of channels[{other}]")
        asked.append(made)
    if problems:
        raise UsageError("channel file: " + "; ".join(problems))
    return asked


def from_variables(mapping: Mapping[str, object], variable: Variable) -> tuple[dict[str, object], list[str]]:
    """The fields with what the variables hold that `secret_env` and `url_env` name, and what is wrong with those."""
    fields = dict(mapping)
    problems: list[str] = []
    for field, named in (("secrets", "secret_env"), ("url", "url_env")):
        given = fields.pop(named, None)
        names = given if isinstance(given, list | tuple) else [given]
        if given is None or not names:
            continue
        if not all(isinstance(name, str) and name for name in names) or (field == "url" and len(names) > 1):
            problems.append(f"{named}: must be the name of a variable of the environment")
            continue
        values = [variable(str(name)) for name in names]
        problems += [
            f"{named}: {name} is not set in the environment"
            for name, value in zip(names, values, strict=True)
            if not value
        ]
        if all(values):
            fields[field] = values if field == "secrets" else values[0]
    return fields, problems


def _secret_fields(entry: Mapping[str, object]) -> Iterator[str]:
    """What must not be in a file, and what must."""
    for name in ("secret", "secrets", "new_secret"):
        if name in entry:
            yield f"{name}: does not belong in a file: put it into a variable of the environment, and its name into secret_env"
    kind, address = entry.get("type"), entry.get("url")
    for known in TYPES:
        if kind == known and isinstance(address, str) and _is_secret(known, address):
            yield "url: has a secret: put it into a variable of the environment, and its name into url_env"
    if kind == "webhook" and entry.get("secret_env") is None:
        yield "secret_env: is missing: the name of the variable that has what the webhook is signed with (`whsec_` with base64)"


def _is_secret(kind: ChannelType, address: str) -> bool:
    return address_problem(kind, address) is None and is_secret(kind, address)
