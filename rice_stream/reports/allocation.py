"""Shared emissions shown with those who share them: what a shared team or cost centre used is divided among the others of its
tenant by a stated rule, to the microgram. Pure; nothing that is stored changes.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, get_args

from rice_stream.errors import UsageError
from rice_stream.quantities import MEASURES
from rice_stream.reports.sums import Group

Rule = Literal["equal", "tokens", "carbon"]
"""Each the same, or in proportion to the tokens (in and out) or the carbon that they used themselves."""
RULES: tuple[Rule, ...] = get_args(Rule)
ALLOCATED_BY = ("team", "project", "cost_centre")
"""What may be shared."""
_AROUND = ("tenant", "hour", "day", "month")
"""What a break-down may have besides: nothing is divided across these."""
_CARBON = MEASURES.index("carbon_mid_ugco2e")
_TOKENS = MEASURES.index("input_tokens"), MEASURES.index("output_tokens")


class Allocated(NamedTuple):
    """Micrograms of a row, middle values."""

    ugco2e: int
    """Its own with what it was given; nothing where it is shared and others have it."""
    shared_ugco2e: int
    """What it was given, with a minus what it gave."""


def check_allocation(fields: Sequence[str], tenant: str | None, shared: Sequence[str], top: int | None) -> None:
    """UsageError: a break-down of which it cannot be said who shares what."""
    shared_by = [name for name in fields if name in ALLOCATED_BY]
    others = [name for name in fields if name not in (*ALLOCATED_BY, *_AROUND)]
    if len(shared_by) != 1 or others:
        raise UsageError(
            f"--allocate: break down by one of {', '.join(ALLOCATED_BY)}, and by nothing else but time and tenant"
        )
    if tenant is None and "tenant" not in fields:
        raise UsageError("--allocate: nothing is divided among tenants; say --tenant, or break down by tenant as well")
    if not shared:
        raise UsageError("--shared: say whose use the others share ('' for what is unattributed)")
    if top is not None:
        raise UsageError("--top: with --allocate all names are needed")


def allocated(
    groups: Mapping[Group, Sequence[int]], fields: Sequence[str], rule: Rule, shared: Sequence[str]
) -> dict[Group, Allocated]:
    """What each group has once the shared ones are divided among the others of the same tenant and time.

    They add up to the sum of what the groups have themselves. Where there is nobody else, what is shared stays where it is.
    """
    place = next(number for number, name in enumerate(fields) if name in ALLOCATED_BY)
    around: dict[Group, list[Group]] = {}
    for group in groups:
        around.setdefault((*group[:place], *group[place + 1 :]), []).append(group)
    found: dict[Group, Allocated] = {}
    for together in around.values():
        givers = [group for group in together if (group[place] or "") in shared]
        takers = [group for group in together if (group[place] or "") not in shared]
        given = sum(groups[group][_CARBON] for group in givers) if takers else 0
        parts = divided(given, [_weight(groups[group], rule) for group in takers])
        for group, part in zip(takers, parts, strict=True):
            found[group] = Allocated(groups[group][_CARBON] + part, part)
        for group in givers:
            own = groups[group][_CARBON]
            found[group] = Allocated(0, -own) if takers else Allocated(own, 0)
    return found


def divided(amount: int, weights: Sequence[int]) -> list[int]:
    """An amount of at least 0 in proportion to weights, each at least 0, in whole numbers that add up to it: what is left goes to
    the largest remainders, of equal ones to the first. With no weight at all, each the same.

    >>> divided(100, [1, 1, 1]), divided(7, [0, 0]), divided(5, [3, 1])
    ([34, 33, 33], [4, 3], [4, 1])
    """
    if not weights:
        return []
    whole = sum(weights)
    if whole == 0:
        return divided(amount, [1] * len(weights))
    parts = [divmod(amount * weight, whole) for weight in weights]
    left = amount - sum(part for part, _ in parts)
    largest = sorted(range(len(parts)), key=lambda number: (-parts[number][1], number))[:left]
    return [part + (number in largest) for number, (part, _) in enumerate(parts)]


def _weight(sums: Sequence[int], rule: Rule) -> int:
    if rule == "equal":
        return 1
    # Entries may have taken more away than there was in this stretch.
    return max(sums[_CARBON] if rule == "carbon" else sum(sums[place] for place in _TOKENS), 0)
