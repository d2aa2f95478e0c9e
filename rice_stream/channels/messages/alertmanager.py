"""What Alertmanager gets (API v2). Each threshold of a budget is one alert there, for as long as it is crossed.

Labels say which alert it is, so nothing that changes is among them: another number would be another alert. What is posted holds
until `endsAt`, unless it is posted again before (`definition.posts_again_every_s`); that it is over is posted with the time when
it ended.
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from rice_stream.budgets.states import SEVERITIES, crossing_state
from rice_stream.channels.definition import ALERTMANAGER_AGAIN_S, Channel, HttpMessage, Parcel, Secrets
from rice_stream.channels.letters import letter_of
from rice_stream.channels.messages.alert_words import AlertWords
from rice_stream.channels.messages.links import absolute
from rice_stream.channels.messages.required import required_address
from rice_stream.errors import UsageError
from rice_stream.instants import epoch_us, rfc3339
from rice_stream.wording.amounts import MINUS, THIN, exact, exact_percent
from rice_stream.wording.plain_text import visible

PATH = "/api/v2/alerts"
HOLDS_S = 4 * ALERTMANAGER_AGAIN_S
"""How long what was posted holds: two posts may fail without anybody being told that it is over."""
TEST_NAME, NOTICE_NAME = "RiceTest", "RiceChannelFailing"
NAMES = {"actual": "RiceCarbonBudget", "forecast": "RiceCarbonBudgetForecast", "burn_rate": "RiceCarbonBudgetBurnRate"}
_TEST_HOLDS = timedelta(minutes=5)


def messages(
    parcel: Parcel, channel: Channel, secrets: Secrets, *, public_url: str | None, now: datetime
) -> tuple[HttpMessage, ...]:
    """The one request, with all alerts of the parcel. UsageError: there is no address, or it is a statement."""
    if parcel.kind == "statement":
        raise UsageError("statements: Alertmanager takes alerts only; set statements to false")
    if parcel.kind == "notice":
        alerts = [_notice(parcel, public_url, now)]
    else:
        alerts = [_alert(AlertWords(event), parcel, public_url, now) for event in parcel.content["alerts"]]
    address = required_address(secrets).rstrip("/")
    url = address if address.endswith(PATH) else address + PATH
    headers = {"Content-Type": "application/json"}
    if secrets.keys:
        headers["Authorization"] = f"Bearer {secrets.keys[0]}"
    return (HttpMessage(url, json.dumps(alerts, ensure_ascii=False).encode(), headers),)


def _alert(words: AlertWords, parcel: Parcel, public_url: str | None, now: datetime) -> dict[str, Any]:
    data, time = words.data, words.event["time"]
    links = words.links(public_url)
    annotations = {
        "summary": ("[Test] " if words.is_test else "") + words.title,
        "description": "\n".join([*words.lines, *(f"{name}: {text}" for name, text in words.facts)]),
        "consumed": str(data["consumed_gco2e"][data["estimate"]] if "limit_gco2e" in data else data["consumed_kwh"]),
        "limit": str(data["limit_gco2e"] if "limit_gco2e" in data else data["limit_kwh"]),
        "unit": "gco2e" if "limit_gco2e" in data else "kwh",
        "ratio": str(data["ratio"]),
        "alert_id": words.event["id"],
        **({"dashboard": links[0][1]} if links else {"command": words.command}),
    }
    found: dict[str, Any] = {"labels": _labels(words), "annotations": annotations}
    if links:
        found["generatorURL"] = links[0][1]
    if words.is_over:
        return {**found, "endsAt": time}
    holds = _TEST_HOLDS if words.is_test else timedelta(seconds=HOLDS_S)
    return {**found, "startsAt": time, "endsAt": _text(now + holds)}


def _labels(words: AlertWords) -> dict[str, str]:
    data = words.data
    name = TEST_NAME if words.is_test else NAMES[data["basis"]]
    labels = {
        "alertname": name,
        "tenant": words.tenant,
        "budget": words.budget,
        "severity": _severity(data),
        "threshold": _threshold(data),
    }
    team = data["scope"]["team_id"]
    return labels if team is None else {**labels, "team": visible(team)}


def _severity(data: Mapping[str, Any]) -> str:
    """That of the crossing, also when it is over: who is told that must be who was told of the crossing."""
    if data["state"] != "resolved":
        return str(data["severity"])
    return SEVERITIES[crossing_state(data["threshold"])] if data["basis"] == "actual" else "warning"


def _threshold(data: Mapping[str, Any]) -> str:
    """What was set, not what was measured: `80%` of the limit, or `14.4x` the pace that lasts."""
    text = f"{exact(data['threshold'])}x" if data["basis"] == "burn_rate" else exact_percent(data["threshold"])
    return text.replace(THIN, "").replace(MINUS, "-")


def _notice(parcel: Parcel, public_url: str | None, now: datetime) -> dict[str, Any]:
    letter = letter_of(parcel.content)
    lines = [*letter.lines, *(f"{name}: {text}" for name, text in letter.facts)]
    found: dict[str, Any] = {
        # The word that it is over is less severe, and has to have the same labels.
        "labels": {"alertname": NOTICE_NAME, "subject": visible(letter.key), "severity": "warning"},
        "annotations": {"summary": visible(letter.title), "description": "\n".join(map(visible, lines))},
    }
    if public_url is not None and letter.path is not None:
        found["generatorURL"] = absolute(public_url, letter.path)
    if letter.is_over:
        return {**found, "endsAt": letter.time}
    return {**found, "startsAt": letter.time, "endsAt": _text(now + timedelta(days=1))}


def _text(instant: datetime) -> str:
    return rfc3339(epoch_us(instant))
