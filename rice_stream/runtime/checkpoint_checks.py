"""What `rice-stream check` says of checkpoints: whether the trail is covered, and every place has been told."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from rice_stream.reports.checkpoints import checkpoint_health, place_rows
from rice_stream.runtime.checked_database import asked_of_database
from rice_stream.runtime.checks import Check
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.scope import EVERYTHING

_NAME = "checkpoints"
_LATE = 3
"""How many times RICE_CHECKPOINT_EVERY_S an entry may wait before something is wrong."""
_LATE_MIN_S = 600


def checkpoint_checks(settings: Settings, now: Callable[[], datetime]) -> Iterator[Check]:
    """Nothing where the database cannot be asked: other checks say why."""
    found = asked_of_database(
        settings, lambda engine: (checkpoint_health(engine, EVERYTHING, now()), place_rows(engine, EVERYTHING))
    )
    if found is None:
        return
    health, places = found
    problems = [*_trail(settings, health), *_places(places)]
    yield from problems
    if not problems:
        yield Check(_NAME, ok=True, detail=_good(settings, health))


def _trail(settings: Settings, health: dict[str, Any]) -> Iterator[Check]:
    latest = health["latest"]
    if health["problem"] is not None:
        detail = f"checkpoint {latest['id']} does not hold: {health['problem']}"
        yield Check(
            _NAME, ok=False, detail=detail, what_to_do="run `rice-stream audit verify`, which says what was changed"
        )
    late_s = max(_LATE * settings.checkpoint_every_s, _LATE_MIN_S)
    waited_s = health["uncovered_s"] or 0.0
    # Before the first one nobody has asked for any: a server makes it where RICE_SECRETS_KEY is set.
    if latest is not None and waited_s > late_s:
        detail = (
            f"{health['uncovered']} entries of the audit trail wait for one, the oldest for {waited_s / 3600:.1f} h"
        )
        what = "run `rice-stream serve` with RICE_SECRETS_KEY on this database, or `rice-stream audit checkpoint`"
        yield Check(_NAME, ok=False, detail=detail, what_to_do=what)


def _places(places: list[dict[str, Any]]) -> Iterator[Check]:
    for each in places:
        if each["problem"] is not None and each["behind"]:
            detail = f"{each['place']} has not been told of {each['behind']} since {each['failing_since']}: {each['problem']}"
            what = "mend what is named, or change the RICE_CHECKPOINT_* settings; it is tried again by itself"
            yield Check(_NAME, ok=False, detail=detail, what_to_do=what)


def _good(settings: Settings, health: dict[str, Any]) -> str:
    latest = health["latest"]
    if latest is not None:
        return f"the latest covers {latest['size']} entries of the audit trail, and {health['uncovered']} came since"
    if settings.secrets_key is None:
        return "none are made: RICE_SECRETS_KEY, with which the key that signs is encrypted, is not set"
    return "none yet: `rice-stream serve` makes them"
