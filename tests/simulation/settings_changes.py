"""Changes of who is charged, in the midst of a schedule: calls of a gateway, the settings that charge them, and the truth.

Workers look at the rules now and then only, so many prepare batches by settings that are no longer in force.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.events.formats.reading.versions import AttributionVersion, settings_text
from rice_stream.store.identity_rules import IdentityRules

BY_TEAM = settings_text(FormatOptions())
BY_ALIAS = settings_text(FormatOptions(attributes={"tenant_id": ("metadata.alias",)}))
BY_MODEL = settings_text(FormatOptions(attributes={"tenant_id": ("model",)}))
SETTINGS = (BY_TEAM, BY_ALIAS, BY_MODEL)
_LOOKS_AGAIN = 0.3


class SeldomLooked:
    """A worker's knowledge of the rules: as of its start, or of a later batch."""

    def __init__(self, look: Callable[[], IdentityRules], random: Random) -> None:
        self._look = look
        self._random = random
        self._known: IdentityRules | None = None

    def __call__(self, now_us: int, *, anew: bool = False) -> IdentityRules:
        del now_us
        if anew or self._known is None or self._random.random() < _LOOKS_AGAIN:
            self._known = self._look()
        return self._known


def call(random: Random, call_id: str, ended_us: int) -> dict[str, Any]:
    """A call of LiteLLM that ended then."""
    return {
        "litellm_call_id": call_id,
        "call_type": "acompletion",
        "model": random.choice(["small", "big"]),
        "endTime": str(ended_us),
        "prompt_tokens": random.choice([7, 100, 2000]),
        "completion_tokens": random.choice([3, 50]),
        "metadata": {"user_api_key_team_id": "team", "alias": random.choice(["alias-1", "alias-2"])},
    }


def meaning(said: dict[str, Any]) -> dict[str, Any]:
    """The event that a call is, with its tenant by settings in the place of one tenant."""
    metadata = said["metadata"]
    return {
        "event_id": said["litellm_call_id"],
        "tenant_id": metadata["user_api_key_team_id"],
        "ended_us": int(said["endTime"]),
        "request_model": said["model"],
        "input_tokens": said["prompt_tokens"],
        "output_tokens": said["completion_tokens"],
        "tenants": {BY_TEAM: metadata["user_api_key_team_id"], BY_ALIAS: metadata["alias"], BY_MODEL: said["model"]},
    }


def charged(event: dict[str, Any], versions: Sequence[AttributionVersion]) -> dict[str, Any]:
    """The event as it has to be recorded: by the last settings that had begun when it ended."""
    if "tenants" not in event:
        return event
    settings = BY_TEAM
    for version in sorted(versions, key=lambda version: version.valid_from_us):
        if version.valid_from_us <= event["ended_us"]:
            settings = version.settings
    return {**event, "tenant_id": event["tenants"][settings]}
