"""Whether what was fetched can reach a threshold of a budget: by the last judgement, and what was committed since it began."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from rice_stream.budgets.room import Room
from rice_stream.pipeline.tenant_amounts import TenantAmounts, both


class Headroom:
    """What tenants may yet consume before something has to be announced. The loop alone uses it.

    It holds for the one worker that there is: what others commit meanwhile is not known here, so with others there is none.
    """

    def __init__(self, now: Callable[[], datetime], is_alone: Callable[[], bool]) -> None:
        """`now` says as of when budgets are judged, `is_alone` whether this worker reads all there is."""
        self._now = now
        self._is_alone = is_alone
        self._rooms: dict[str, Room] | None = None
        """None: what budgets there are is not known, of one tenant at least."""
        self._commits = 0
        self._since: dict[int, TenantAmounts] = {}
        """What was committed since the last judgement began, by the number of the commit."""
        self._not_added_up = 0
        """The last commit of which that is not known."""
        self._beside: dict[str, Room] | None = None
        """What judgements of some tenants have found beside one of all, and later than it; None: none of all is under way."""

    @property
    def is_known(self) -> bool:
        """Whether anything can be told; not where there is no budget, as then nothing has to be."""
        return bool(self._rooms) and self._is_alone()

    @property
    def is_kept(self) -> bool:
        """Whether what is committed has to be added up: there are budgets."""
        return bool(self._rooms)

    def committed(self, amounts: TenantAmounts | None) -> None:
        """A batch is in the store; None: what it adds is not known."""
        self._commits += 1
        if amounts is None:
            self._not_added_up = self._commits
        else:
            self._since[self._commits] = amounts

    def judging(self, *, of_all_tenants: bool = False) -> int:
        """A judgement begins, which knows all that is committed; returns what `judged` is to be told. Beside one of all tenants
        there may be others, one after the other, of those that were touched since it began."""
        if of_all_tenants:
            self._beside = {}
        return self._commits

    def judged(self, begun: int, rooms: Mapping[str, Room], *, of_all_tenants: bool) -> None:
        """It has ended: all budgets were judged, or those of all tenants that were touched since the one before."""
        if of_all_tenants:
            if self._beside is None:
                return  # something has failed since it began
            self._rooms, self._beside = {**rooms, **self._beside}, None
        else:
            if self._beside is not None:
                self._beside |= rooms
            if self._rooms is not None:
                self._rooms |= rooms
        self._since = {number: amounts for number, amounts in self._since.items() if number > begun}
        if self._not_added_up <= begun:
            self._not_added_up = 0

    def forget(self) -> None:
        """A judgement has failed, or others judge: nothing is known until all budgets are judged from the beginning."""
        self._rooms = self._beside = None
        self._since.clear()

    def covers(self, amounts: TenantAmounts) -> bool:
        """Whether so much more, at most, surely reaches no threshold."""
        if not self.is_known or self._rooms is None or self._not_added_up:
            return False
        now = self._now()
        for some in self._since.values():
            amounts = both(amounts, some)
        return all(
            amount.carbon_mid_ugco2e < room.carbon_mid_ugco2e
            and amount.facility_energy_uwh < room.facility_energy_uwh
            and (room.until is None or now < room.until)
            for amount, room in ((amount, self._rooms.get(tenant_id)) for tenant_id, amount in amounts.items())
            if room is not None
        )


NO_HEADROOM = Headroom(lambda: datetime.now(UTC), lambda: False)
"""Where nothing is known of budgets: everything is in a hurry."""
