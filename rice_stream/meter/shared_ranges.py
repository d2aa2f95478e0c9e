"""The 80 % range of a total, from uncertainties that its parts share. Pure; loads no numpy, so that reports start at once.

Each group of records (one kind of requests) is log-normal about the sum of its middles, S_i. Groups err together as far as they
share the keys of their spreads: the covariance of the logarithms of two groups, v_ij, is the sum over the keys that both have of
the products of their standard deviations. The sum of the groups is taken for log-normal too, with the mean and the variance
that it has (L. F. Fenton, IRE Transactions on Communications Systems 8, 1960, pages 57-67; after R. I. Wilkinson):

    M_i = S_i e^(v_ii / 2)     M = sum M_i     V = sum_ij M_i M_j (e^(v_ij) - 1)     s^2 = ln(1 + V / M^2)
    median = M e^(-s^2 / 2)    low, high = median e^(-/+ Z80 s)

The middle of a total stays the sum of the stored middles, which is additive; the median of a sum is a little larger. Low and high
enclose the middle, and are not beyond what they would be if all groups erred alike. The result does not depend on the order of
the groups, to the last digit.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from rice_stream.estimator.spread import Z80
from rice_stream.meter.variance_of_sums import Shared, VariancePlan, plan_of, planned_variance, variance_of_sum
from rice_stream.quantities import Range

STORED_ENDS = "stored ends"
"""Key of what the stored ends of records say beyond the spread of their factors; all records share it.

Records without a spread are of methods and versions that multiplied all low ends and all high ends: all of their range is under
this key, so that it stays what it was. With a spread there is something left where prompts came without token counts.
"""
LOG_SD_MAX = 6.0
"""More than a factor of two thousand on either side is not told apart: stored ends near 0 say nothing about how near."""

SAME = 1 + 1e-9
"""Variances whose ratio is less differ by the rounding of floating-point numbers at most."""

Group = tuple[int, Shared]
"""A subtotal of middles in whole units, and with whom its uncertainty is shared."""


class SharedRange(NamedTuple):
    """The range of a total in the whole units of its parts. `median` is the closed form's own."""

    low: int
    mid: int
    high: int
    median: int


class KindSums(NamedTuple):
    """The exact sums of records of one kind: of the same factors, or of factors with the same spread."""

    shared: Shared | None
    """None: the factors were stored without a spread."""
    method_version: str
    prompts: int
    low: int
    mid: int
    high: int


def shared_of(spread: Mapping[str, Mapping[str, float]]) -> Shared:
    """With whom the carbon of a kind of requests shares its uncertainty, from the `spread` of its stored factors."""
    return tuple(sorted((key, float(sd)) for key, sd in spread["shared"].items()))


class Sharing:
    """With whom an amount shares its uncertainty, and what follows from that alone: of equal ones there is one in `SharedRanges`,
    which is told apart by identity. To look for a tuple of names and numbers takes longer than all that is worked out with it."""

    __slots__ = ("end", "mean", "shared", "surely", "variance")

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.variance, self.mean, self.end = _widths(shared)
        # Ends with a smaller ratio say nothing beyond the variance: to compare it takes a fraction of the time of its logarithm.
        self.surely = self.end * self.end * (1 - 1e-12)


Part = tuple[Sharing | None, str, Sequence[int]]
"""As `KindSums`: with whom the uncertainty is shared, version of the method, and (prompts, low, mid, high)."""


class SharedRanges:
    """The ranges of several totals, which are made up of the same kinds of records. For several threads."""

    def __init__(self) -> None:
        self._sharings: dict[Shared, Sharing] = {}
        self._plans: dict[frozenset[Sharing], tuple[list[Sharing], VariancePlan]] = {}
        self.kept = 0
        """How much is kept of what was asked for so far, in pairs of kinds: some 400 bytes each."""
        self._certain = self.sharing(())

    def sharing(self, shared: Shared) -> Sharing:
        """The one for this, for parts."""
        known = self._sharings.get(shared)
        if known is None:
            self.kept += 1
            # Of two threads that make it at once, both get one of the two.
            known = self._sharings.setdefault(shared, Sharing(shared))
        return known

    def of(self, parts: Sequence[Part], mid: int | None = None) -> SharedRange:
        """The range of the sum of the parts; `mid` as in `total_range`."""
        if len(parts) == 1:
            ((sharing, _, ends),) = parts
            return self.of_subtotals({self._with_stored_ends(sharing or self._certain, *ends): ends[2]}, mid)
        subtotals: dict[Sharing, int] = {}
        for sharing, subtotal in self.grouped(parts):
            before = subtotals.get(sharing)
            subtotals[sharing] = subtotal if before is None else before + subtotal
        return self.of_subtotals(subtotals, mid)

    def grouped(self, parts: Iterable[Part]) -> list[tuple[Sharing, int]]:
        """As `groups_of`."""
        sums: dict[Sharing | str, Sequence[int]] = {}
        for sharing, version, ends in parts:
            key = version if sharing is None else sharing
            before = sums.get(key)
            sums[key] = ends if before is None else [a + b for a, b in zip(before, ends, strict=True)]
        return [
            (self._with_stored_ends(self._certain if isinstance(key, str) else key, *ends), ends[2])
            for key, ends in sums.items()
        ]

    def of_subtotals(self, subtotals: dict[Sharing, int], mid: int | None) -> SharedRange:
        """As `shared_range`."""
        if 0 in subtotals.values():
            subtotals = {sharing: subtotal for sharing, subtotal in subtotals.items() if subtotal}
        total = sum(subtotals.values())
        exact = total if mid is None else mid
        if total <= 0:
            return SharedRange(exact, exact, exact, exact)
        if len(subtotals) == 1:
            (sharing,) = subtotals
            median, end = float(total), sharing.end
            return _scaled(median / end, exact, median * end, median, total)
        order, plan = self._planned(frozenset(subtotals))
        masses = [subtotals[sharing] * sharing.mean for sharing in order]
        mass = math.fsum(masses)
        log_variance = math.log1p(planned_variance(plan, masses) / (mass * mass))
        median = mass * math.exp(-log_variance / 2)
        factor = math.exp(Z80 * math.sqrt(log_variance))
        # Where one part is far less certain than the others the form is too wide: nothing is wider than all erring alike.
        low = max(median / factor, math.fsum([subtotal / sharing.end for sharing, subtotal in subtotals.items()]))
        high = min(median * factor, math.fsum([subtotal * sharing.end for sharing, subtotal in subtotals.items()]))
        return _scaled(low, exact, high, median, total)

    def _planned(self, sharings: frozenset[Sharing]) -> tuple[list[Sharing], VariancePlan]:
        known = self._plans.get(sharings)
        if known is None:
            order = sorted(sharings, key=lambda sharing: sharing.shared)
            known = self._plans[sharings] = order, plan_of(tuple(sharing.shared for sharing in order))
            self.kept += len(order) ** 2
        return known

    def _with_stored_ends(self, sharing: Sharing, prompts: int, low: int, mid: int, high: int) -> Sharing:
        # What rounding each record's ends to whole units may have added is no uncertainty.
        slack = prompts / 2 if sharing.shared else 0.0
        lowest, highest = low + slack, high - slack
        if highest < lowest * sharing.surely:
            return sharing
        stored = _log_sd_of_ends(lowest, mid, highest)
        if stored * stored <= sharing.variance * SAME:
            return sharing
        beyond = STORED_ENDS, math.sqrt(stored * stored - sharing.variance)
        return self.sharing(tuple(sorted((*sharing.shared, beyond))))


def total_range(kinds: Iterable[KindSums], mid: int | None = None) -> SharedRange:
    """The range of the sum of these records.

    `mid` is the exact sum where the kinds only say in which shares it is made up; None: it is the sum of theirs.
    """
    ranges = SharedRanges()
    return ranges.of(_parts(ranges, kinds), mid)


def groups_of(kinds: Iterable[KindSums]) -> list[Group]:
    """Records by what they share, each group with what its stored ends say beyond its spread under STORED_ENDS.

    Records without a spread are one group for each version of a method.
    """
    ranges = SharedRanges()
    return [(subtotal, sharing.shared) for sharing, subtotal in ranges.grouped(_parts(ranges, kinds))]


def _parts(ranges: SharedRanges, kinds: Iterable[KindSums]) -> list[Part]:
    return [
        (None if kind.shared is None else ranges.sharing(kind.shared), kind.method_version, kind[2:]) for kind in kinds
    ]


def shared_range(groups: Iterable[Group], mid: int | None = None) -> SharedRange:
    """The range of the sum of some groups, low and high by the closed form; all 0 where nothing was consumed.

    `mid` is the exact sum where the groups only say in which shares it is made up.
    """
    ranges = SharedRanges()
    subtotals: dict[Sharing, int] = {}
    for subtotal, shared in groups:
        sharing = ranges.sharing(shared)
        subtotals[sharing] = subtotals.get(sharing, 0) + subtotal
    return ranges.of_subtotals(subtotals, mid)


def _scaled(low: float, exact: int, high: float, median: float, total: int) -> SharedRange:
    """What was worked out of the shares, for the exact sum."""
    scale = exact / total if exact != total else 1.0
    return SharedRange(min(round(low * scale), exact), exact, max(round(high * scale), exact), round(median * scale))


def ratio_range(sums: Iterable[Group], others: Iterable[Group]) -> Range | None:
    """The 80 % range of the sum of `others` over the sum of some groups; None: one of the two is nothing.

    What both share makes their ratio no less certain. Its middle is that of the exact sums. Both are taken for log-normal, with
    the covariance that they have.
    """
    ones, twos = _merged(sums), _merged(others)
    first, second = sum(subtotal for _, subtotal in ones), sum(subtotal for _, subtotal in twos)
    if first <= 0 or second <= 0:
        return None
    if len(ones) == len(twos) == 1:
        log_sd = log_sd_of_ratio(ones[0][0], twos[0][0])
    else:
        masses, more = _masses(ones), _masses(twos)
        mass, other = math.fsum(mass for _, mass in masses), math.fsum(mass for _, mass in more)
        own, others_own = variance_of_sum(masses), variance_of_sum(more)
        both = (variance_of_sum(sorted(masses + more)) - own - others_own) / 2
        log_variance = (
            math.log1p(own / mass**2) + math.log1p(others_own / other**2) - 2 * math.log1p(both / (mass * other))
        )
        log_sd = math.sqrt(max(log_variance, 0.0))
    ratio, factor = second / first, math.exp(Z80 * log_sd)
    return Range(ratio / factor, ratio, ratio * factor)


def log_sd_of_ratio(one: Shared, other: Shared) -> float:
    """The standard deviation of the logarithm of the ratio of two amounts: what they share cancels."""
    ones, others = dict(one), dict(other)
    return math.sqrt(math.fsum((ones.get(key, 0.0) - others.get(key, 0.0)) ** 2 for key in {**ones, **others}))


def _merged(groups: Iterable[Group]) -> list[tuple[Shared, int]]:
    """Groups that share everything as one, in the order of what they share; without those of nothing."""
    merged: dict[Shared, int] = defaultdict(int)
    for subtotal, shared in groups:
        merged[shared] += subtotal
    return sorted((shared, subtotal) for shared, subtotal in merged.items() if subtotal)


def _masses(parts: Sequence[tuple[Shared, int]]) -> list[tuple[Shared, float]]:
    """The mean of each group: above its median, because its distribution is skewed."""
    return [(shared, subtotal * _widths(shared).mean) for shared, subtotal in parts]


def covariance(one: Shared, other: Shared) -> float:
    """The covariance of the logarithms of two amounts."""
    others = dict(other)
    return math.fsum(sd * others[key] for key, sd in one if key in others)


class _Widths(NamedTuple):
    variance: float
    """Of the logarithm."""
    mean: float
    """As a multiple of the median."""
    end: float
    """The high end of the 80 % range, likewise."""


@lru_cache(maxsize=8192)
def _widths(shared: Shared) -> _Widths:
    """Kept: reports and budgets ask for the same kinds of requests over and over."""
    variance = math.fsum(sd * sd for _, sd in shared)
    return _Widths(variance, math.exp(variance / 2), math.exp(Z80 * math.sqrt(variance)))


def _log_sd_of_ends(low: float, mid: int, high: float) -> float:
    """From the linear sums of ends. A low end of 0 has no logarithm: then the upper half of the range stands for both."""
    if high <= low or high <= mid or mid <= 0:
        return 0.0
    whole = math.log(high / low) / 2 if low > 0 else math.log(high / mid)
    return min(whole / Z80, LOG_SD_MAX)
