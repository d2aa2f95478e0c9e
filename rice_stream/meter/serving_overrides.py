"""The operator's own serving profiles, and which provider or model is served how. Pure.

    [[serving_profiles]]                         [[serving_overrides]]
    name = "pool-a"                              model = "llama-3.1-*"
    hardware = "H100"                            profile = "pool-a"
    batch_size = [8, 24, 64]
    precision = "fp8"

What an event states itself comes first, then the first override that fits, then the settings for all, then the profile.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from rice_stream.estimator.method import Profile
from rice_stream.quantities import BATCH_SIZE_LIMITS, DEVICES_LIMITS, PRECISIONS, Limits, Range

_PROFILE_KEYS = ("name", "hardware", "batch_size", "precision", "idle_share", "source")
_OVERRIDE_KEYS = ("provider", "model", "profile", "hardware", "devices", "batch_size", "precision")
IDLE_SHARE_DEFAULT = 0.0
"""A profile of one's own says itself what its idle machines cost."""
_IDLE_SHARE_LIMITS = Limits(at_least=0)


@dataclass(frozen=True, slots=True)
class Override:
    """How one provider's or one family's models are served. Patterns are of the shell's kind (`*`, `?`), without case."""

    provider: str | None = None
    model: str | None = None
    profile: str | None = None
    hardware: str | None = None
    devices: float | None = None
    batch_size: float | None = None
    precision: str | None = None

    def fits(self, providers: Sequence[str], models: Sequence[str]) -> bool:
        """Whether one of the spellings of provider and of model matches; what is not stated matches all."""
        return _matches(self.provider, providers) and _matches(self.model, models)


NO_OVERRIDE = Override()


def find_override(overrides: Sequence[Override], providers: Sequence[str], models: Sequence[str]) -> Override:
    """The first that fits; NO_OVERRIDE where none does."""
    return next((one for one in overrides if one.fits(providers, models)), NO_OVERRIDE)


def parse_profiles(rows: Sequence[Mapping[str, Any]]) -> dict[str, Profile]:
    """Profiles by name. ValueError names entry and field, and what it may hold."""
    profiles: dict[str, Profile] = {}
    for number, row in enumerate(rows, start=1):
        where = f"entry {number}"
        _check_keys(row, _PROFILE_KEYS, where)
        name = _word(row, "name", where, required=True)
        if name in profiles:
            raise ValueError(f"{where}, name: {name!r} is there twice")
        profiles[str(name)] = Profile(
            hardware=str(_word(row, "hardware", where, required=True)),
            batch_size=_range(row.get("batch_size"), f"{where}, batch_size", BATCH_SIZE_LIMITS),
            precision=str(_precision(row, where) or "bf16"),
            idle_share=_range(row.get("idle_share", IDLE_SHARE_DEFAULT), f"{where}, idle_share", _IDLE_SHARE_LIMITS),
            source=str(row.get("source", "the operator's settings")),
        )
    return profiles


def parse_overrides(rows: Sequence[Mapping[str, Any]]) -> tuple[Override, ...]:
    """Overrides in their order. ValueError names entry and field, and what it may hold."""
    found = []
    for number, row in enumerate(rows, start=1):
        where = f"entry {number}"
        _check_keys(row, _OVERRIDE_KEYS, where)
        if not {"provider", "model"} & set(row):
            raise ValueError(f"{where}: say which provider or model it is for")
        if not set(row) - {"provider", "model"}:
            raise ValueError(f"{where}: say what differs: {', '.join(_OVERRIDE_KEYS[2:])}")
        words: dict[str, Any] = {name: _word(row, name, where) for name in ("provider", "model", "profile", "hardware")}
        numbers: dict[str, Any] = {
            name: _number(row[name], f"{where}, {name}", limits)
            for name, limits in (("devices", DEVICES_LIMITS), ("batch_size", BATCH_SIZE_LIMITS))
            if name in row
        }
        found.append(Override(**words, **numbers, precision=_precision(row, where)))
    return tuple(found)


def _matches(pattern: str | None, spellings: Sequence[str]) -> bool:
    return pattern is None or any(fnmatchcase(spelling.lower(), pattern.lower()) for spelling in spellings)


def _check_keys(row: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    unknown = sorted(set(row) - set(known))
    if unknown:
        raise ValueError(f"{where}: {unknown[0]!r} is not one of {', '.join(known)}")


def _word(row: Mapping[str, Any], name: str, where: str, *, required: bool = False) -> str | None:
    value = row.get(name)
    if value is None and not required:
        return None
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{where}, {name}: must be a text")
    return value.strip()


def _precision(row: Mapping[str, Any], where: str) -> str | None:
    value = row.get("precision")
    if value is not None and value not in PRECISIONS:
        raise ValueError(f"{where}, precision: {value!r} is not one of {', '.join(PRECISIONS)}")
    return value


def _number(value: object, where: str, limits: Limits) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not limits.allow(value):
        raise ValueError(f"{where}: must be {limits}, got {value!r}")
    return float(value)


def _range(value: object, where: str, limits: Limits) -> Range:
    """A number, or [low, middle, high]."""
    values = value if isinstance(value, list | tuple) else [value, value, value]
    if len(values) != 3:
        raise ValueError(f"{where}: must be a number, or low, middle and high")
    ends = [_number(one, where, limits) for one in values]
    if ends != sorted(ends):
        raise ValueError(f"{where}: must rise from low over middle to high, got {values}")
    return Range(*ends)
