"""Settings that decide who is charged and what counts, each from an instant on. Pure.

They decide under which key an event is stored. If the worker's present settings were applied to whatever it reads, an
event that is read again after a change would be another one, and count twice. So each version holds for items that ended
at or after its instant; the store keeps the list, and settings only propose a new version.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from rice_stream.errors import UsageError
from rice_stream.events.formats.reading.attribution import AttributionRule, parse_rules
from rice_stream.events.formats.reading.options import FormatOptions, OptionsChange

_BEFORE: Mapping[str, Any] = {
    "attributes": {},
    "rules": [],
    "estimate_missing_usage": False,
    "count_log_events": False,
    "skipped_scopes": [],
}
"""What a version says; with what it means of a version that is older than the name. A new name here is how the decoders
change what an event's key is made of: versions that are stored mean the old way, the next one means the new way."""


class AttributionVersion(NamedTuple):
    """From `valid_from_us` (epoch microseconds) on `settings` hold, as `settings_text` writes them."""

    valid_from_us: int
    settings: str


def settings_text(options: FormatOptions) -> str:
    """The options that a version holds, as JSON: the same text for whatever means the same."""
    return json.dumps(
        {
            "attributes": {field: list(names) for field, names in options.attributes.items() if names},
            "rules": [_written(rule) for rule in options.rules],
            "estimate_missing_usage": options.estimate_missing_usage,
            "count_log_events": options.count_log_events,
            "skipped_scopes": sorted(options.skipped_scopes),
        },
        sort_keys=True,
        separators=(",", ":"),
    )


def _written(rule: AttributionRule) -> dict[str, Any]:
    written = {"attribute": rule.attribute, "pattern": rule.pattern, "value": rule.value, "sets": rule.sets}
    kept: dict[str, Any] = {name: value for name, value in written.items() if value is not None}
    return kept if rule.table is None else {**kept, "table": dict(rule.table)}


def dated(options: FormatOptions, versions: Sequence[AttributionVersion]) -> FormatOptions:
    """The options with what each version says from its instant on; as they are where there is no version.

    `versions` are in the order in which they were stored; of two that begin together the later stands. The first holds
    from the beginning, whatever its instant. UsageError: a version that this release cannot read.
    """
    if not versions:
        return replace(options, changes=())
    in_order = sorted(versions, key=lambda version: version.valid_from_us)
    changes = [OptionsChange(version.valid_from_us, _applied(options, version.settings)) for version in in_order]
    return replace(changes[0].options, changes=tuple(changes[1:]))


def _applied(options: FormatOptions, settings: str) -> FormatOptions:
    said = json.loads(settings)
    if said.keys() - _BEFORE.keys():
        raise UsageError(
            "the database has attribution settings of a newer version of rice_stream: use that version, or migrate back"
        )
    said = {**_BEFORE, **said}
    return replace(
        options,
        attributes={field: tuple(names) for field, names in said["attributes"].items()},
        rules=parse_rules(said["rules"]),
        estimate_missing_usage=said["estimate_missing_usage"],
        count_log_events=said["count_log_events"],
        skipped_scopes=frozenset(said["skipped_scopes"]),
        changes=(),
    )
