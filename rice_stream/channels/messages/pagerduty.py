"""What PagerDuty gets (Events API v2): one incident for a budget and period, from the first warning until it is over."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rice_stream.channels.addresses import PAGERDUTY
from rice_stream.channels.definition import Channel, HttpMessage, Parcel, Secrets
from rice_stream.channels.letters import letter_of
from rice_stream.channels.messages.alert_words import AlertWords
from rice_stream.channels.messages.incident import incident_of
from rice_stream.channels.messages.links import absolute
from rice_stream.channels.messages.required import required_key
from rice_stream.channels.messages.telling import TEST
from rice_stream.errors import UsageError
from rice_stream.wording.plain_text import visible

_SUMMARY_MAX = 1_024
_CLIENT = "rice_stream"


def messages(
    parcel: Parcel, channel: Channel, secrets: Secrets, *, public_url: str | None, now: datetime
) -> tuple[HttpMessage, ...]:
    """A request for each incident: PagerDuty takes one event at a time. UsageError: there is no key, or it is a statement."""
    if parcel.kind == "statement":
        raise UsageError("statements: PagerDuty takes alerts only; set statements to false")
    if parcel.kind == "notice":
        events = [_notice(parcel, public_url)]
    else:
        latest: dict[str, AlertWords] = {}
        for alert in sorted(parcel.content["alerts"], key=lambda each: each["data"]["sequence"]):
            latest[incident_of(alert)] = AlertWords(alert)
        events = [_event(key, words, public_url) for key, words in latest.items()]
        # A test is over as soon as it has arrived.
        events += [_resolve(event["dedup_key"]) for event in events if parcel.kind == "test"]
    key, url = required_key(secrets), secrets.address or PAGERDUTY
    bodies = (json.dumps({"routing_key": key, **event}, ensure_ascii=False).encode() for event in events)
    return tuple(HttpMessage(url, body, {"Content-Type": "application/json"}) for body in bodies)


def _event(incident: str, words: AlertWords, public_url: str | None) -> dict[str, Any]:
    dedup_key = f"rice-test-{words.event['id']}" if words.is_test else f"rice-{incident}"
    if words.is_over and not words.still_beyond:
        return _resolve(dedup_key)
    data = words.data
    details = {
        **dict(words.facts),
        "Notes": " ".join(words.lines),
        "consumed_gco2e": data["consumed_gco2e"],
        "consumed_kwh": data["consumed_kwh"],
        "ratio": data["ratio"],
        "alert_id": words.event["id"],
    }
    links = words.links(public_url)
    return _trigger(
        dedup_key,
        (TEST if words.is_test else "") + words.title,
        severity="warning" if words.is_over else words.severity,
        time=words.event["time"],
        about={"source": words.tenant, "component": words.budget, "group": words.tenant, "class": data["basis"]},
        details=details if links else {**details, "Where it comes from": words.command},
        links=links,
    )


def _notice(parcel: Parcel, public_url: str | None) -> dict[str, Any]:
    letter = letter_of(parcel.content)
    if letter.is_over:
        return _resolve(f"rice-{letter.key}"[:255])
    links = [] if public_url is None or letter.path is None else [("The dashboard", absolute(public_url, letter.path))]
    return _trigger(
        f"rice-{letter.key}"[:255],
        visible(letter.title),
        severity=letter.severity,
        time=letter.time,
        about={"source": "rice-stream", "class": "notice"},
        details={**dict(letter.facts), "Notes": " ".join(letter.lines)},
        links=links,
    )


def _trigger(
    dedup_key: str,
    summary: str,
    *,
    severity: str,
    time: str,
    about: Mapping[str, str],
    details: Mapping[str, Any],
    links: Sequence[tuple[str, str]],
) -> dict[str, Any]:
    shown = (
        {"links": [{"href": address, "text": text} for text, address in links], "client_url": links[0][1]}
        if links
        else {}
    )
    return {
        "event_action": "trigger",
        "dedup_key": dedup_key,
        "payload": {
            "summary": summary[:_SUMMARY_MAX],
            "severity": severity,
            "timestamp": time,
            **about,
            "custom_details": details,
        },
        "client": _CLIENT,
        **shown,
    }


def _resolve(dedup_key: str) -> dict[str, Any]:
    return {"event_action": "resolve", "dedup_key": dedup_key}
