"""What the API's routes share: the database, the clock, and threads for work that blocks."""

import math
import threading
import time
from collections.abc import Callable, Hashable
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import anyio
import anyio.to_thread

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.cursors import Cursors
from rice_stream.api.json_bodies import JsonBodies
from rice_stream.api.kept_answers import HOLDS_S, STALE_S, Encoded, KeptAnswer, KeptAnswers, Look
from rice_stream.api.opened_once import OpenedOnce
from rice_stream.errors import NotFoundError, ServiceUnavailableError
from rice_stream.instants import epoch_us
from rice_stream.reports.audit import audit_entries
from rice_stream.reports.meta import DataReach, meta_of, reach_of, versions_of
from rice_stream.reports.progress import progress_marker
from rice_stream.reports.signs import Signs, signs
from rice_stream.runtime.opening import database_exists
from rice_stream.runtime.opening_api import open_api_store
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.engine import Engine
from rice_stream.store.factor_set_store import FactorSets, FollowedSets
from rice_stream.store.scope import EVERYTHING, Scope
from rice_stream.store.scoped import within
from rice_stream.store.server_keys import shared_key

if TYPE_CHECKING:
    from rice_stream.meter.estimator_at import Estimator, EstimatorAt
    from rice_stream.meter.kept_uses import KeptUses
    from rice_stream.reference.lookup import Reference

STREAMS_MAX = 4
"""Streams at a time: each keeps a connection to the database for as long as its reader takes."""
AT_ONCE = 16
"""Requests that ask the database at a time; others wait for their turn."""
WIDE_AT_ONCE = 2
"""Questions about several tenants that are worked on at a time: each may keep a core busy for seconds."""
WIDE_TIMEOUT_S = 10.0
"""How long a statement about several tenants may take."""
_META_HOLDS_S = 1.0
_METAS_MAX = 10_000

P = ParamSpec("P")
T = TypeVar("T")


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Product:
    """For one server. The database is opened with the first question to it: events are taken without one as well."""

    def __init__(self, settings: Settings, now: Callable[[], datetime] = _utc_now) -> None:
        self.settings = settings
        self.now = now
        self.bodies = JsonBodies(settings.http_body_max_bytes)
        self._reaches: dict[Scope, tuple[float, DataReach]] = {}
        self._versions: tuple[float, list[dict[str, str]]] = -math.inf, []
        self._change = -math.inf, 0
        self._estimators: dict[str, tuple[FactorSets, Estimator]] = {}
        self._followed: FollowedSets | None = None
        self._uses: KeptUses | None = None
        self._cursors: Cursors | None = None
        self._limiter: anyio.CapacityLimiter | None = None
        self._wide_limiter: anyio.CapacityLimiter | None = None
        self._answers = KeptAnswers(lambda: self.ask(self.moment, EVERYTHING))
        self._lock = threading.Lock()
        self._store = OpenedOnce(partial(self._open, connections=AT_ONCE, prepared=True))
        self._export_store = OpenedOnce(partial(self._open, connections=STREAMS_MAX, statement_timeout_s=None))
        wide = {"connections": WIDE_AT_ONCE, "statement_timeout_s": WIDE_TIMEOUT_S}
        self._wide_store = OpenedOnce(partial(self._open, **wide))

    def engine(self) -> Engine:
        """The database, confined to scopes. ServiceUnavailableError: it is not there or does not answer; SchemaChangedError."""
        return self._store.engine()

    def export_engine(self) -> Engine:
        """The database for streams: connections of their own, which statements may keep busy for long."""
        return self._export_store.engine()

    def wide_engine(self) -> Engine:
        """The database for questions about several tenants, which take longer."""
        return self._wide_store.engine()

    def engine_for(self, scope: Scope) -> Engine:
        """The one of the two for questions about a scope."""
        return self.wide_engine() if self.is_wide(scope) else self.engine()

    @staticmethod
    def is_wide(scope: Scope) -> bool:
        """Whether it may be of several tenants: such questions take long, and are asked by few."""
        return scope.tenants is None or len(scope.tenants) > 1

    def _open(self, **options: Any) -> Engine:
        if not database_exists(self.settings):
            raise ServiceUnavailableError("RICE_DATABASE_URL: there is no such database; run `rice-stream migrate`")
        return open_api_store(self.settings, **options)

    def scope(self, caller: Caller, right: Right, tenant: str | None) -> Scope:
        """What the caller has the right to, of one tenant where that is given.

        NotFoundError: nothing of that tenant, whether there is such a tenant or not.
        """
        scope = caller.scope(right)
        if tenant is not None and not scope.has_tenant(tenant):
            raise NotFoundError(f"tenant: there is no {tenant!r} that you may see")
        return scope.within(tenant)

    def meta(self, scope: Scope, time_zone: str | None, as_of: datetime | None = None) -> dict[str, Any]:
        """What answers within a scope rest on; looked at once a second at most. `as_of` None: now."""
        if not self.has_meta(scope):
            self._reached(scope)
        return meta_of(self._reaches[scope][1], self._versions[1], as_of or self.now(), time_zone)

    def _reached(self, scope: Scope) -> DataReach:
        """How far the data of the scope reach; with the versions, of which that of a moment ago does as well."""
        if len(self._reaches) >= _METAS_MAX:
            self._reaches.clear()
        if time.monotonic() - self._versions[0] > _META_HOLDS_S:
            self._versions = time.monotonic(), versions_of(self.engine(), scope)
        found = reach_of(self.engine(), scope)
        self._reaches[scope] = time.monotonic(), found
        return found

    def signs(self, scope: Scope) -> Signs:
        """By what a page of the scope can tell that it is old; blocks. RiceError: the database does not answer."""
        return signs(self.engine(), scope, self.now())

    def has_meta(self, scope: Scope) -> bool:
        """Whether `meta` is at hand, so that it need not wait for the database."""
        kept = self._reaches.get(scope)
        return kept is not None and time.monotonic() - kept[0] <= _META_HOLDS_S

    async def cursors(self) -> Cursors:
        """Those of all servers of the database. StoreUnavailableError: it does not answer."""
        if self._cursors is None:
            self._cursors = Cursors(await self.ask(lambda: shared_key(self.engine(), "cursors")))
        return self._cursors

    @property
    def method(self) -> str:
        """The method of the settings."""
        return self.settings.method

    def built_in(self) -> "Reference":
        """The tables without factor sets: what a set is checked against."""
        return self._estimator(self.method, ()).reference

    def estimator(self, method: str | None = None) -> "EstimatorAt":
        """The estimator with the tables and factor sets as of now, with the method of the settings or another one; blocks.

        ServiceUnavailableError: the database does not answer, and never did.
        """
        now_us = epoch_us(self.now())
        return self._estimator(method or self.method, self._factor_sets(now_us)).at(now_us)

    def kept_uses(self) -> "KeptUses":
        """What kinds of requests that were ranked rest on."""
        if self._uses is None:
            from rice_stream.meter.kept_uses import KeptUses  # it estimates, with NumPy

            self._uses = KeptUses()
        return self._uses

    def _estimator(self, method: str, sets: FactorSets) -> "Estimator":
        from rice_stream.runtime.opening_estimator import open_estimator  # NumPy takes a tenth of the server's start

        with self._lock:
            known, estimator = self._estimators.get(method) or ((), open_estimator(self.settings, method))
            if sets is not known:
                estimator = estimator.with_sets(sets)
            self._estimators[method] = sets, estimator
            return estimator

    def _factor_sets(self, now_us: int) -> FactorSets:
        """Those of the database as of a few seconds ago; while it does not answer, as they were known last."""
        if not database_exists(self.settings):
            return ()
        try:
            if self._followed is None:
                self._followed = FollowedSets(within(self.engine(), EVERYTHING))
            return self._followed(now_us)
        except ServiceUnavailableError:
            if self._followed is None or self._followed.latest is None:
                raise
            return self._followed.latest

    async def ask(self, question: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
        """The answer of a function that blocks, and so has a thread of its own for it."""
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(AT_ONCE)
        return await anyio.to_thread.run_sync(lambda: question(*args, **options), limiter=self._limiter)

    async def kept_answer(
        self,
        scope: Scope,
        question: Hashable,
        make: Callable[[], Encoded],
        state: Callable[[], object] | None,
        *,
        is_closed: bool,
        tick: int | None,
    ) -> KeptAnswer:
        """The answer to a question within a scope, from `make`, or from before as long as it is true; both may block.

        `state` and `tick`: as in `KeptAnswers.answer`. `is_closed`: the question is about a time that is over. Its answer, and that
        about one tenant, is never older than what is stored.
        """
        asked = None if state is None else partial(self.ask, state)
        if not self.is_wide(scope):
            return await self._answers.exact_answer((scope, question), partial(self.ask, make), asked, tick=tick)

        async def made() -> Encoded:
            if self._wide_limiter is None:
                self._wide_limiter = anyio.CapacityLimiter(WIDE_AT_ONCE)
            return await anyio.to_thread.run_sync(make, limiter=self._wide_limiter)

        holds_s, stale_s = (0.0, 0.0) if is_closed else (HOLDS_S, STALE_S)
        return await self._answers.answer((scope, question), made, asked, holds_s=holds_s, stale_s=stale_s, tick=tick)

    def moment(self, scope: Scope) -> Look:
        """What is committed now, or by the moment of the transaction that is open for the scope; blocks."""
        now = self.now()
        return progress_marker(self.engine(), scope), now

    def moment_with_meta(self, scope: Scope, as_of: datetime) -> Look:
        """The same of a moment that `as_of` is not after, and from then on `meta` of it is at hand."""
        return self._reached(scope).marker, as_of

    def latest_change(self, *, within_s: float = 0.0) -> int:
        """The latest entry of the audit trail, whosever it is, or the one of so long ago; 0: there is none. Blocks.

        Nobody is told of it: some changes are of several tenants.
        """
        looked_s = time.monotonic()
        if looked_s - self._change[0] > within_s:
            latest = audit_entries(self.engine(), EVERYTHING, limit=1)["rows"]
            self._change = looked_s, latest[0]["id"] if latest else 0
        return self._change[1]

    def close(self) -> None:
        """Let go of the database."""
        for store in (self._store, self._export_store, self._wide_store):
            store.close()
