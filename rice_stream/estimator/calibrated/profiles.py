"""Serving profiles: what is assumed about a deployment where nothing is stated, and the choice among them.

Batch size is the largest factor of energy per token (60 to 120 between 1 and 128), so it is never hidden in a constant:
a profile states it, with the range that public serving sweeps span, and an estimate that rests on it is flagged and wide.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from rice_stream.errors import UsageError
from rice_stream.estimator.method import Context, Profile
from rice_stream.quantities import Range

BATCH1 = "batch1"


@dataclass(frozen=True, slots=True)
class Serving:
    """What a context resolves to: its own statements first, its profile's for the rest."""

    hardware: str
    hardware_known: bool
    batch_size: Range
    batch_known: bool
    precision: str
    idle_share: Range


def choose(context: Context, profiles: Mapping[str, Profile], default: str) -> Profile:
    """The profile of a context: the one it carries; the one it names; `batch1` where it states a batch of 1; else the default.

    Raises UsageError for a profile that does not exist.
    """
    if context.own_profile is not None:
        return context.own_profile
    name = context.profile
    if name is None:
        name = BATCH1 if context.batch_size is not None and context.batch_size <= 1 else default
    try:
        return profiles[name]
    except KeyError:
        raise UsageError(
            f"profile: {name!r} is not a serving profile; use one of {', '.join(sorted(profiles))}"
        ) from None


def serving(context: Context, profile: Profile) -> Serving:
    """Fills what a context leaves open from its profile.

    Hardware that is not known (`hardware_known` is False) is the profile's. A batch below 1 is served as a batch of 1.
    """
    batch_known = context.batch_size is not None or profile.batch_size.low == profile.batch_size.high
    batch = profile.batch_size if context.batch_size is None else Range.exact(max(1.0, context.batch_size))
    return Serving(
        hardware=context.hardware if context.hardware_known else profile.hardware,
        # The operator's own profile is a statement; a shipped one is a guess.
        hardware_known=context.hardware_known or context.own_profile is not None,
        batch_size=batch,
        batch_known=batch_known,
        precision=profile.precision if context.precision is None else context.precision,
        idle_share=profile.idle_share,
    )
