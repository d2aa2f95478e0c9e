"""The variance of a sum of amounts that share uncertainties, without a look at most of their pairs. Pure; loads no numpy."""

import math
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

Shared = tuple[tuple[str, float], ...]
"""(key, standard deviation of the logarithm) in the order of the keys: with whom an amount shares its uncertainty."""


class VariancePlan(NamedTuple):
    """How the variance of a sum comes from the masses of its groups."""

    several: tuple[tuple[int, ...], ...]
    """Classes of several groups, by the places of these: their masses come after those of the groups, in this order."""
    same: tuple[tuple[int, float, float], ...]
    """Of each class at its level: the place of its mass, e^w and e^n - 1 (as in `_levels`)."""
    different: tuple[tuple[int, int, float, float], ...]
    """The same of two classes with a key in common."""


def variance_of_sum(masses: Sequence[tuple[Shared, float]]) -> float:
    """sum_ij M_i M_j (e^(v_ij) - 1) over all ordered pairs of groups, without a look at most of the pairs."""
    return planned_variance(plan_of(tuple(shared for shared, _ in masses)), [mass for _, mass in masses])


def planned_variance(plan: VariancePlan, masses: list[float]) -> float:
    """The same, of masses in the order of the groups that the plan is of."""
    all_of = masses + [math.fsum([masses[place] for place in places]) for places in plan.several]
    squares = [mass * mass for mass in all_of]
    terms = [squares[one] * grown * more for one, grown, more in plan.same]
    terms += [2.0 * (all_of[one] * all_of[other] * grown * more) for one, other, grown, more in plan.different]
    return math.fsum(terms)


def plan_of(shared: tuple[Shared, ...]) -> VariancePlan:
    """The plan for groups that share their uncertainty like this. Of few groups it is kept."""
    return _plan_of_few(shared) if len(shared) <= _FEW else _plan(shared)


_FEW = 24
"""Groups: what is kept of many takes megabytes."""


@lru_cache(maxsize=16)
def _plan(shared: tuple[Shared, ...]) -> VariancePlan:
    places: dict[tuple[int, ...], int] = {(group,): group for group in range(len(shared))}
    same: list[tuple[int, float, float]] = []
    different: list[tuple[int, int, float, float]] = []
    for class_of, classes, pairs in _levels(shared):
        members: list[list[int]] = [[] for _ in range(classes)]
        for group, number in enumerate(class_of):
            members[number].append(group)
        place_of = [places.setdefault(tuple(each), len(places)) for each in members]
        for one, other, grown, more in pairs:
            if one == other:
                same.append((place_of[one], grown, more))
            else:
                different.append((place_of[one], place_of[other], grown, more))
    return VariancePlan(tuple(places)[len(shared) :], tuple(same), tuple(different))


_plan_of_few = lru_cache(maxsize=2048)(_plan.__wrapped__)


class _Level(NamedTuple):
    """What one kind of key adds to the variance of a sum."""

    class_of: tuple[int, ...]
    """Of each group."""
    classes: int
    """How many there are."""
    pairs: tuple[tuple[int, int, float, float], ...]
    """Two classes with a key in common, e^w and e^n - 1."""


def _levels(shared: tuple[Shared, ...]) -> list[_Level]:
    """Kind of key by kind of key, those with the fewest keys first.

    With v = w + n, where w is of the kinds before and n of this one, e^v - 1 = (e^w - 1) + e^w (e^n - 1). What a kind adds is the
    same for all groups that agree in it and in the kinds before it, which are taken as one class, and 0 for classes that have
    no key of the kind in common.
    """
    class_of = [0] * len(shared)
    parents: list[list[int]] = []
    known: list[list[dict[int, float]]] = []
    levels: list[_Level] = []
    for keys_of in _by_kind(shared):
        number_of: dict[tuple[int, Shared], int] = {}
        for group, keys in enumerate(keys_of):
            class_of[group] = number_of.setdefault((class_of[group], keys), len(number_of))
        parents.append([parent for parent, _ in number_of])
        rows = _common([keys for _, keys in number_of])
        pairs: list[tuple[int, int, float, float]] = []
        for one, row in enumerate(rows):
            for other, value in row.items():
                before = _known(known, parents, one, other)
                pairs.append((one, other, math.exp(before), math.expm1(value)))
                row[other] = before + value
        known.append(rows)
        levels.append(_Level(tuple(class_of), len(number_of), tuple(pairs)))
    return levels


def _known(known: list[list[dict[int, float]]], parents: list[list[int]], one: int, other: int) -> float:
    """The covariance of two classes by the kinds of keys before: that of the latest classes above them with a key in common."""
    for level in range(len(known) - 1, -1, -1):
        above = parents[level + 1]
        one, other = above[one], above[other]
        value = known[level][one].get(other) if one >= other else known[level][other].get(one)
        if value is not None:
            return value
    return 0.0


def _by_kind(shared: Sequence[Shared]) -> list[list[Shared]]:
    """For each kind of key, that with the fewest keys first, the keys of this kind that each group has."""
    keys_of: dict[str, set[str]] = defaultdict(set)
    split: list[dict[str, Shared]] = []
    for keys in shared:
        of_kind: dict[str, Shared] = {}
        for one in keys:
            kind = one[0].partition(":")[0]
            keys_of[kind].add(one[0])
            of_kind[kind] = (*of_kind.get(kind, ()), one)
        split.append(of_kind)
    kinds = sorted(keys_of, key=lambda kind: (len(keys_of[kind]), kind))
    return [[of_kind.get(kind, ()) for of_kind in split] for kind in kinds]


def _common(keys_of: Sequence[Shared]) -> list[dict[int, float]]:
    """For each place: the same or an earlier place -> covariance, of those that have a key in common with it."""
    rows: list[dict[int, float]] = []
    holders: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for place, keys in enumerate(keys_of):
        row: dict[int, float] = {}
        for key, sd in keys:
            same = holders[key]
            same.append((place, sd))
            for other, other_sd in same:
                row[other] = row.get(other, 0.0) + sd * other_sd
        rows.append(row)
    return rows
