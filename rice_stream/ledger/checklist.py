"""What is looked at before a month is closed: each line is in order, or was accepted as it is with a reason, or is in the way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rice_stream.errors import UsageError
from rice_stream.ledger.voiding import checked_reason

WATERMARK, QUARANTINE, UNATTRIBUTED, COVERAGE, CONTRACTS, TOTALS, RECONCILIATION = CHECKS = (
    "watermark",
    "quarantine",
    "unattributed",
    "coverage",
    "contracts",
    "totals",
    "reconciliation",
)
"""Names of the lines, in their order."""


@dataclass(frozen=True, slots=True)
class ChecklistLine:
    """One line: what was found, and what to do where that is not in order."""

    name: str
    ok: bool | None
    """None: what takes long is not looked at before the month is closed, or there is nothing to be judged."""
    found: str
    to_do: str

    @property
    def is_open(self) -> bool:
        """Whether it is in the way."""
        return self.ok is False

    def as_json(self, accepted: str | None) -> dict[str, Any]:
        """As it is answered and kept; `accepted` is the reason for which it was closed all the same."""
        to_do = self.to_do if self.is_open else None
        return {"name": self.name, "ok": self.ok, "found": self.found, "to_do": to_do, "accepted": accepted}


def settled(lines: Sequence[ChecklistLine], accepted: Mapping[str, str]) -> list[dict[str, Any]]:
    """The lines with what was accepted. UsageError: something is not in order and was not accepted, or accepted without reason.

    `accepted`: reason by name. What is in order needs none, and none is kept.
    """
    unknown = sorted(accepted.keys() - set(CHECKS))
    if unknown:
        raise UsageError(f"--accept: there is no {', '.join(unknown)}; a month's checklist has {', '.join(CHECKS)}")
    reasons = {name: checked_reason(reason) for name, reason in accepted.items()}
    open_ = [line for line in lines if line.is_open and line.name not in reasons]
    if open_:
        told = "; ".join(f"{line.name}: {line.found}; {line.to_do}" for line in open_)
        raise UsageError(
            f"the month is not ready to be closed. {told}. Or accept a line by its name, and say why: --accept"
        )
    return [line.as_json(reasons[line.name] if line.is_open else None) for line in lines]
