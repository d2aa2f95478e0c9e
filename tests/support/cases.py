"""How much of a long proof one run tries: all of it in a drill, else some cases of each kind, drawn from a seed.

`DRILL=1` means all, or `CASES_MAX` of each kind. `CASES_SEED` draws the same cases again; the header of a run names its seed.
"""

import os
import secrets
from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")

DRILL = os.environ.get("DRILL", "") not in ("", "0")
MAX = int(os.environ.get("CASES_MAX", "0"))
# Kept in the environment, from where the processes of one run have the same.
SEED = int(os.environ.setdefault("CASES_SEED", str(secrets.randbits(32))))


def some(kind: str, cases: Sequence[T], count: int) -> list[T]:
    """All cases in a drill, else `count` of them in their order; `kind` makes draws of one run differ."""
    if DRILL:
        count = MAX or len(cases)
    if count >= len(cases):
        return list(cases)
    return [cases[number] for number in sorted(drawn(kind).sample(range(len(cases)), count))]


def size(usual: int, drill: int) -> int:
    """How many rounds."""
    return drill if DRILL else usual


def drawn(kind: str) -> Random:
    """The run's own random numbers for this purpose."""
    return Random(f"{kind}:{SEED}")


def described() -> str:
    """For the header of a run."""
    most = f", {MAX} of each kind at most" if MAX else ""
    how = f"all of them (DRILL{most})" if DRILL else "some of each kind; DRILL=1 runs all"
    return f"cases: {how}; drawn from CASES_SEED={SEED}"
