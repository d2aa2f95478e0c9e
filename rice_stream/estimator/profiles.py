"""Serving profiles: what is assumed about a deployment where nothing is stated, and the choice among them.

Batch size is the largest factor of energy per token (60 to 120 between 1 and 128), so it is never hidden in a constant:
a profile states it, with the range that public serving sweeps span, and an estimate that rests on it is flagged and wide.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from rice_stream.errors import UsageError
from rice_stream.estimator.types import Context, Range

BATCH1 = "batch1"


@dataclass(frozen=True, slots=True)
class Profile:
    """One way of serving. Fields are used only where the context does not state the thing itself."""

    hardware: str
    batch_size: Range
    """Requests decoded together; the range is a belief, not an error of the model."""
    precision: str
    idle_share: Range
    """Energy of machines that are on but idle, as a share of the active machines' energy."""
    source: str


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
    """The profile of a context: the one it names; `batch1` where it states a batch of 1; else the default.

    Raises UsageError for a profile that does not exist.
    """
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
        hardware_known=context.hardware_known,
        batch_size=batch,
        batch_known=batch_known,
        precision=profile.precision if context.precision is None else context.precision,
        idle_share=profile.idle_share,
    )
