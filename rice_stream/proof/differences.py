"""What a verification found."""

from typing import Any

LISTED_MAX = 100


class Differences:
    """What a verification found: `listed` has the first LISTED_MAX differences, `total` says how many there are."""

    def __init__(self) -> None:
        self.listed: list[dict[str, Any]] = []
        self.total = 0

    @property
    def room(self) -> int:
        """How many more can be listed."""
        return LISTED_MAX - len(self.listed)

    def add(self, differences: list[dict[str, Any]], total: int) -> None:
        """`total` differences, of which some are at hand."""
        self.listed += differences[: self.room]
        self.total += total

    def add_one(
        self, table: str, key: dict[str, Any], problem: str, measure: str, stored: object, recomputed: object
    ) -> None:
        """One difference. `problem`: `missing` (not stored), `extra` (stored without reason) or `differs`."""
        difference = {
            "table": table,
            "key": key,
            "problem": problem,
            "measure": measure,
            "stored": stored,
            "recomputed": recomputed,
        }
        self.add([difference], 1)
