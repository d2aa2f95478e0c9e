"""What a server does about restatements that were ordered over HTTP: one at a time among all servers, a little with each look."""

import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

from rice_stream.alerting.delivering import Chore
from rice_stream.errors import RiceError, ServiceUnavailableError
from rice_stream.runtime.opening import open_store
from rice_stream.runtime.own_rights import OwnRights
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.audit import Actor
from rice_stream.store.database_clock import database_now_us
from rice_stream.store.engine import Engine, reading, writing
from rice_stream.store.lease import Lease
from rice_stream.store.restatement_store import RestatementState, next_of_server, save_progress, stored_restatement

if TYPE_CHECKING:
    from rice_stream.ledger.giving_way import GiveWay
    from rice_stream.ledger.restating import Restating

log = logging.getLogger(__name__)

LEASE_S = 30.0
"""How long after a server died another one goes on with what it did."""
_LOOK_EVERY_S = 0.5
_AT_ONCE_S = 2.0
"""How long one look works: a server that stops waits for no longer, and a chunk."""


def restating_chores(settings: Settings) -> tuple[Chore, ...]:
    """For one server; others may do the same at the same time."""
    return (Chore("restatements", _LOOK_EVERY_S, RestatingJob(settings).work),)


class RestatingJob:
    """Goes on with the oldest restatement that servers have to do. A server whose login may not write records does none."""

    def __init__(self, settings: Settings, *, lease_s: float = LEASE_S, at_once_s: float = _AT_ONCE_S) -> None:
        self._settings = settings
        self._lease_s = lease_s
        self._at_once_s = at_once_s
        self._holder = uuid4().hex
        self._run: _Run | None = None
        self._rights = OwnRights(settings)

    def work(self, engine: Engine) -> None:
        """Do some of what there is to do; `engine` sees everything, by the API's role: to write needs the login's own rights.

        StoreUnavailableError: the database did not go on.
        """
        with reading(engine) as connection:
            waiting, now_us = next_of_server(connection), database_now_us(connection)
        own = None if waiting is None else self._rights.engine()
        if waiting is None or own is None:
            self._let_go()
            self._rights.let_go()
            return
        lease = Lease(own, "restate", self._holder, seconds=self._lease_s)
        if not lease.acquire(now_us):
            self._let_go()
            return
        try:
            if self._go_on(waiting):
                return  # the lease is kept until the next look
        except ServiceUnavailableError:
            self._let_go()
            raise
        except RiceError as error:
            self._fail(own, waiting, error)
        self._let_go()
        lease.release()

    def _go_on(self, waiting: RestatementState) -> bool:
        """Whether more is to be done."""
        if self._run is None or self._run.restatement_id != waiting.restatement_id:
            self._let_go()
            self._run = self._open(waiting)
        until_s = time.monotonic() + self._at_once_s
        return any(time.monotonic() >= until_s for _ in self._run.steps)

    def _open(self, waiting: RestatementState) -> "_Run":
        # What it takes to estimate is loaded where somebody has ordered something.
        from rice_stream.ledger.contracts import CONTRACTS
        from rice_stream.ledger.recharging import is_recharging, recharging_again
        from rice_stream.runtime.contract_orders import contracts_again
        from rice_stream.runtime.restating_orders import beside_workers, restaters_of, run_of

        engine = open_store(self._settings)
        try:
            give_way = beside_workers(self._settings, engine)
            by = Actor(waiting.author_kind, waiting.author_name)  # type: ignore[arg-type]  # as it was written
            if is_recharging(waiting.order):
                return _Run(engine, recharging_again(engine, waiting, by), give_way)
            order = waiting.order
            if order.method_version == CONTRACTS:
                return _Run(engine, contracts_again(self._settings, engine, waiting, by), give_way)
            restaters = restaters_of(self._settings, engine, order, waiting.started_us)
            return _Run(engine, run_of(restaters, engine, order, by, state=waiting), give_way)
        except BaseException:
            engine.dispose()
            raise

    def _fail(self, engine: Engine, waiting: RestatementState, error: RiceError) -> None:
        log.warning("restatement %s has failed: %s", waiting.restatement_id, error)
        with writing(engine) as connection:
            stored = stored_restatement(connection, waiting.restatement_id)
            if stored is not None and stored.state not in ("done", "failed"):
                save_progress(connection, replace(stored, state="failed", problem=str(error)))

    def _let_go(self) -> None:
        if self._run is not None:
            self._run.close()
            self._run = None


class _Run:
    """A restatement that this server does, with a database of its own."""

    def __init__(self, engine: Engine, restating: "Restating", give_way: "GiveWay") -> None:
        restating.give_way = give_way
        self.restating = restating
        self.restatement_id = restating.state.restatement_id
        self.steps = restating.steps()
        self._engine = engine

    def close(self) -> None:
        """Let go of the database; what is done is stored."""
        self.steps.close()
        self._engine.dispose()
