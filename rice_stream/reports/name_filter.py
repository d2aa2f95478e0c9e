"""Which names a report is narrowed to, as conditions in SQL: the same for totals and for prompts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

_PREFIX = "name_"
_CHARGED = "({row}.tenant_key, {row}.attribution_key) IN (SELECT tenant_key, attribution_key FROM attribution WHERE {column} {of})"
_SAID = (
    "({row}.tenant_key, {row}.user_key) IN (SELECT tenant_key, principal_key FROM principal"
    " WHERE kind = 'user' AND name {of})"
)
_USED = "{row}.factor_key IN (SELECT factor_key FROM factor_use WHERE {column} {of})"
_COLUMNS = {"team": "team_id", "project": "project_id"}
"""Of the fields whose column has another name than the field."""
_CONDITIONS = {
    "team": _CHARGED,
    "project": _CHARGED,
    "cost_centre": _CHARGED,
    "user": _SAID,
    "model": _USED,
    "provider": _USED,
    "region": _USED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NameFilter:
    """Of each field any of its names; a field without any leaves nothing out. "" is where there is none.

    Fields and names are those that `totals` breaks down by.
    """

    team: tuple[str, ...] = ()
    project: tuple[str, ...] = ()
    cost_centre: tuple[str, ...] = ()
    user: tuple[str, ...] = ()
    model: tuple[str, ...] = ()
    provider: tuple[str, ...] = ()
    region: tuple[str, ...] = ()

    @classmethod
    def of(cls, given: Mapping[str, Sequence[str]]) -> "NameFilter":
        """The filter of lists of names by their field; each name counts once."""
        if not any(given.values()):
            return ALL_NAMES
        return cls(**{field: tuple(dict.fromkeys(names)) for field, names in given.items()})

    @property
    def names(self) -> dict[str, tuple[str, ...]]:
        """The fields that are narrowed, with their names."""
        if self is ALL_NAMES:
            return {}
        return {field: names for field in NAME_FIELDS if (names := getattr(self, field))}

    def without(self, *left_out: str) -> "NameFilter":
        """The filter of the other fields."""
        return NameFilter(**{field: names for field, names in self.names.items() if field not in left_out})

    def conditions(self, row: str) -> list[str]:
        """What holds for a row that has the key columns of the narrowed fields; with `parameters`."""
        return [_condition(row, field, names) for field, names in self.names.items()]

    @property
    def parameters(self) -> dict[str, Any]:
        """Those of the conditions."""
        return {
            f"{_PREFIX}{field}_{place}": name
            for field, names in self.names.items()
            for place, name in enumerate(_given(field, names))
        }


NAME_FIELDS = tuple(field.name for field in fields(NameFilter))
"""What can be narrowed."""
ALL_NAMES = NameFilter()
"""Leaves nothing out."""


def _given(field: str, names: Sequence[str]) -> list[str]:
    """The names that are compared with; a user that nobody named has no key to be looked up by."""
    return [name for name in names if name or field != "user"]


def _condition(row: str, field: str, names: Sequence[str]) -> str:
    given = [f":{_PREFIX}{field}_{place}" for place in range(len(_given(field, names)))]
    # A single value, where there is one, is planned with what is known of it.
    of = f"= {given[0]}" if len(given) == 1 else f"IN ({', '.join(given)})"
    any_of = [_CONDITIONS[field].format(row=row, column=_COLUMNS.get(field, field), of=of)] if given else []
    if field == "user" and "" in names:
        any_of.append(f"{row}.user_key IS NULL")
    return any_of[0] if len(any_of) == 1 else f"({' OR '.join(any_of)})"
