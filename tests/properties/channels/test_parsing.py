"""Any channel: written as fields and read again it is the same, and no field has anything of its secrets."""

import base64
import json
from datetime import time
from typing import get_args
from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st

from rice_stream.budgets.states import Severity
from rice_stream.channels.addresses import shown
from rice_stream.channels.definition import TYPES, Channel, ChannelType, QuietHours
from rice_stream.channels.parsing import REMIND_EVERY_MAX_S, REMIND_EVERY_MIN_S, channel_fields, parse_channel

NAMES = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=30).filter(lambda name: name != "kafka")
SEVERITIES = st.sampled_from(get_args(Severity))
TIMES = st.builds(time, st.integers(0, 23), st.integers(0, 59))
QUIET = st.builds(
    QuietHours, TIMES, TIMES, st.sampled_from(("UTC", "Europe/Berlin", "Asia/Kathmandu")), st.none() | SEVERITIES
).filter(lambda quiet: quiet.start != quiet.end)
SECRET = "s3cr3t"


def _address(kind: ChannelType, path: str) -> str:
    if kind == "email":
        return f"smtp://{SECRET}@mail.example.com?from=a@example.com&to=b@example.com"
    secret = "" if kind == "slack" else f"me:{SECRET}@"
    return f"https://{secret}example.com/{quote(path)}{SECRET if kind == 'slack' else ''}?x={SECRET}"


@st.composite
def channels(draw: st.DrawFn) -> tuple[Channel, str]:
    """A channel with its address."""
    kind = draw(st.sampled_from(TYPES))
    address = _address(kind, draw(NAMES))
    return Channel(
        name=draw(NAMES),
        type=kind,
        target=shown(kind, address),
        tenants=draw(st.none() | st.frozensets(NAMES, min_size=1, max_size=4)),
        budgets=draw(st.frozensets(NAMES, max_size=4)),
        min_severity=draw(SEVERITIES),
        quiet_hours=draw(st.none() | QUIET),
        remind_every_s=draw(st.none() | st.integers(REMIND_EVERY_MIN_S, REMIND_EVERY_MAX_S)),
        statements=draw(st.booleans()) and kind not in ("alertmanager", "pagerduty"),
    ), address


@settings(max_examples=100, deadline=None)
@given(given_channel=channels())
def test_a_channel_comes_back_from_its_fields(given_channel: tuple[Channel, str]) -> None:
    """Through JSON, which is what the API answers and takes."""
    channel, address = given_channel
    key = {"webhook": "whsec_" + base64.b64encode(b"k" * 32).decode(), "slack": None}.get(channel.type, SECRET)
    fields = json.loads(json.dumps(channel_fields(channel)))
    asked = parse_channel({**fields, "url": address, "secret": key})
    assert asked.channel == channel
    assert asked.secrets.address == address
    assert SECRET not in json.dumps(fields) + asked.channel.target + repr(asked)
