"""What a server does about months that are to be closed by order over HTTP: one at a time among all servers."""

import logging
import threading
import time
from uuid import uuid4

from rice_stream.alerting.delivering import Chore
from rice_stream.errors import RiceError, ServiceUnavailableError
from rice_stream.runtime.opening import open_store
from rice_stream.runtime.own_rights import OwnRights
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.closing_store import StoredClosing, end_closing, next_closing, save_step
from rice_stream.store.database_clock import database_now_us
from rice_stream.store.engine import Engine, reading, writing
from rice_stream.store.lease import Lease

log = logging.getLogger(__name__)

LEASE_S = 30.0
"""How long after a server died another one goes on with what it did."""
_LOOK_EVERY_S = 0.5
_WAITED_S = 2.0
"""How long one look waits for a close to end."""
_TOLD_EVERY_S = 0.5


def closing_chores(settings: Settings) -> tuple[Chore, ...]:
    """For one server; others may do the same at the same time."""
    return (Chore("closing months", _LOOK_EVERY_S, ClosingJob(settings).work),)


class ClosingJob:
    """Closes the oldest month that servers have to. A server whose login may not write records closes none.

    A close takes minutes for millions of prompts, and goes on between looks in a thread that ends with the process: whoever comes
    after begins the step again that was cut short.
    """

    def __init__(self, settings: Settings, *, lease_s: float = LEASE_S, waited_s: float = _WAITED_S) -> None:
        self._settings = settings
        self._lease_s = lease_s
        self._waited_s = waited_s
        self._holder = uuid4().hex
        self._run: _Run | None = None
        self._rights = OwnRights(settings)

    def work(self, engine: Engine) -> None:
        """Begin one, or look how it goes; `engine` sees everything, by the API's role: to write needs the login's own rights.

        StoreUnavailableError: the database did not go on.
        """
        with reading(engine) as connection:
            waiting, now_us = next_closing(connection), database_now_us(connection)
        if self._run is None and waiting is None:
            self._rights.let_go()
            return
        own = self._rights.engine()
        if own is None:
            return
        lease = Lease(own, "close", self._holder, seconds=self._lease_s)
        if not lease.acquire(now_us):
            return
        if self._run is None:
            assert waiting is not None  # noqa: S101
            self._run = _Run(self._settings, waiting)
        run = self._run
        run.join(self._waited_s)
        if run.is_alive():
            return  # the lease is kept until the next look
        self._run = None
        lease.release()
        run.end(own)


class _Run(threading.Thread):
    """A close that this server does, with a database of its own."""

    def __init__(self, settings: Settings, closing: StoredClosing) -> None:
        super().__init__(name="closing", daemon=True)
        self._settings = settings
        self._closing = closing
        self._is_done = False
        self._failed: RiceError | None = None
        self._records: int | None = None
        self.start()

    def run(self) -> None:
        try:
            engine = open_store(self._settings)
            try:
                self._close(engine)
            finally:
                engine.dispose()
            self._is_done = True
        except RiceError as error:
            self._failed = error

    def _close(self, engine: Engine) -> None:
        # What it takes is loaded where somebody has ordered something.
        from rice_stream.ledger.closing import CloseOrder
        from rice_stream.runtime.month_closing import month_of_tenant, open_closing

        order = self._closing
        told_s = 0.0

        def say(step: str, records: int | None) -> None:
            nonlocal told_s
            now_s = time.monotonic()
            if records is None or now_s - told_s >= _TOLD_EVERY_S:
                told_s = now_s
                with writing(engine) as connection:
                    save_step(connection, order.closing_id, step, records)

        closing = open_closing(self._settings, engine, order.author)
        month = month_of_tenant(engine, order.tenant_id, order.month)
        self._records = closing.close(CloseOrder(order.tenant_id, month, order.soft, order.accepted), say).records

    def end(self, engine: Engine) -> None:
        """Keep how it ended. ServiceUnavailableError: the database did not go on; it is begun again."""
        if isinstance(self._failed, ServiceUnavailableError):
            raise self._failed
        problem = None
        if not self._is_done:
            problem = "a mistake of ours: see the server's log" if self._failed is None else str(self._failed)
            log.warning("closing %s of %s has failed: %s", self._closing.month, self._closing.tenant_id, problem)
        with writing(engine) as connection:
            end_closing(connection, self._closing.closing_id, records=self._records, problem=problem)
