"""How far apart fetches and batches are where there is no backlog: further where there are no budgets, so that no alert waits."""

WITHOUT_BUDGETS = 7.5
"""So many times as far."""
WITHOUT_BUDGETS_MAX_S = 3.0
"""But not beyond this, unless all are to be further apart: pages follow what is stored, within the 5 s that are promised."""


class BatchPace:
    """`wait_s`, by what judging has seen last. The loop says that, and aiokafka's thread asks as well."""

    def __init__(self, wait_s: float) -> None:
        """`wait_s`: with budgets, and until it is known whether there are any."""
        self._with_budgets_s = wait_s
        self.wait_max_s = max(wait_s, min(WITHOUT_BUDGETS * wait_s, WITHOUT_BUDGETS_MAX_S))
        """Seconds between two batches where no alert can wait for one."""
        self.has_budgets = True
        """As far as is known."""

    @property
    def wait_s(self) -> float:
        """Seconds between two batches, and between two fetches from a broker."""
        return self._with_budgets_s if self.has_budgets else self.wait_max_s

    def judged(self, budgets: int, *, of_all_tenants: bool) -> None:
        """So many budgets were found, of all tenants or of some: where there are none of some, others may have one."""
        if budgets or of_all_tenants:
            self.has_budgets = budgets > 0
