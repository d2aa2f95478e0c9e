"""Who an item is charged to: rules first, then the configured attributes, then the format's own ladder."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rice_stream.errors import UsageError
from rice_stream.events.formats.reading.values import Find, text
from rice_stream.events.unnamed import UNKNOWN_TENANT

ATTRIBUTED_FIELDS = ("tenant_id", "team_id", "project_id", "user_id", "api_key_id")
_RULE_KEYS = frozenset({"attribute", "pattern", "value", "table", "sets"})


@dataclass(frozen=True)
class AttributionRule:
    """Sets one field from one attribute: by a table, by a regular expression, or (with neither) as it is.

    `pattern` must match the whole value; `value` is its template (`\\1`, `\\g<name>`), without one the first group
    stands (or the match). `table` maps the result; what it does not list falls through to the next rule. `attribute`
    is a name as the format spells it, `tags`, or `kafka.topic`, `kafka.key`, `kafka.header.NAME`.
    UsageError: the pattern is no regular expression, the template names a group it lacks, the field is no known one.

    >>> AttributionRule("service.name", pattern="svc-([a-z]+)-.*").apply("svc-search-eu")
    'search'
    """

    attribute: str
    pattern: str | None = None
    value: str | None = None
    table: Mapping[str, str] | None = None
    sets: str = "tenant_id"
    _compiled: re.Pattern[str] | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        if not self.attribute:
            raise UsageError("attribution rule: attribute: must name the attribute to look at")
        if self.sets not in ATTRIBUTED_FIELDS:
            raise UsageError(
                f"attribution rule for {self.attribute}: sets: must be one of {', '.join(ATTRIBUTED_FIELDS)}"
            )
        if self.value is not None and self.pattern is None:
            raise UsageError(
                f"attribution rule for {self.attribute}: value: is the template of a pattern; there is none"
            )
        if self.pattern is not None:
            try:
                compiled = re.compile(self.pattern)
                if self.value is not None:
                    # `sub` raises for a template that names a missing group; the result is not used.
                    compiled.sub(self.value, "")
            except (re.error, IndexError) as error:
                raise UsageError(f"attribution rule for {self.attribute}: pattern: {error}") from error
            object.__setattr__(self, "_compiled", compiled)

    def apply(self, attribute_value: str) -> str | None:
        """The field's value, None where the rule does not say one."""
        result: str | None = attribute_value
        if self._compiled is not None:
            match = self._compiled.fullmatch(attribute_value)
            if match is None:
                return None
            result = match.expand(self.value) if self.value is not None else match.group(1 if match.re.groups else 0)
        if self.table is not None:
            result = self.table.get(result or "")
        return text(result)


def parse_rules(rows: Iterable[Mapping[str, Any]]) -> tuple[AttributionRule, ...]:
    """Rules as a settings file spells them. UsageError names the row and the key at fault."""
    rules = []
    for number, row in enumerate(rows, start=1):
        unknown = set(row) - _RULE_KEYS
        if unknown or not isinstance(row.get("attribute"), str):
            raise UsageError(
                f"attribution rule {number}: has attribute and of {', '.join(sorted(_RULE_KEYS))} what it needs;"
                f" {'not ' + ', '.join(sorted(map(str, unknown))) if unknown else 'attribute is missing'}"
            )
        table = row.get("table")
        if table is not None and not isinstance(table, Mapping):
            raise UsageError(f"attribution rule {number}: table: must map values to names")
        rules.append(AttributionRule(**{**row, "table": {str(k): str(v) for k, v in table.items()} if table else None}))
    return tuple(rules)


def attribute(
    fields: dict[str, Any],
    find: Find,
    *,
    rules: Sequence[AttributionRule],
    configured: Mapping[str, Sequence[str]],
    tenant_ladder: Sequence[str],
) -> None:
    """Fill tenant, team, project, user and API key; what a format has filled itself is overruled by configuration."""
    if rules or configured:
        fields |= configured_fields(find, rules, configured)
    if text(fields.get("tenant_id")) is None:
        fields["tenant_id"] = _by_names(find, tenant_ladder) or UNKNOWN_TENANT


def configured_fields(
    find: Find, rules: Sequence[AttributionRule], configured: Mapping[str, Sequence[str]]
) -> dict[str, str]:
    """What rules and configured attributes say, by field: these overrule what the format says."""
    found = {}
    for name in ATTRIBUTED_FIELDS:
        said = _by_rules(name, find, rules) or _by_names(find, configured.get(name, ()))
        if said is not None:
            found[name] = said
    return found


def _by_rules(name: str, find: Find, rules: Sequence[AttributionRule]) -> str | None:
    for rule in rules:
        if rule.sets == name:
            for candidate in _candidates(find(rule.attribute)):
                said = rule.apply(candidate)
                if said is not None:
                    return said
    return None


def _by_names(find: Find, names: Sequence[str]) -> str | None:
    for name in names:
        found = find(name)
        if found is not None:
            for candidate in _candidates(found):
                return candidate
    return None


def _candidates(found: object) -> list[str]:
    values = found if isinstance(found, list) else [found]
    return [value for value in map(text, values) if value is not None]
