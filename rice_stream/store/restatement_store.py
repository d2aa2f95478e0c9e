"""Restatements: what was asked for, how far each has come, and what it has posted."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, get_args

from sqlalchemy import Connection, insert, select, text, update

from rice_stream.canonical_json import canonical_json
from rice_stream.instants import DAY_S, SECOND_US
from rice_stream.quantities import MARKET_COLUMN
from rice_stream.store import schema
from rice_stream.store.audit import Actor
from rice_stream.store.database_clock import database_now_us
from rice_stream.store.event_key_columns import column_key, key_bytes
from rice_stream.store.schema_ledger import CARBON_ENDS

Ends = dict[str, int]
"""Micrograms of CARBON_ENDS."""
RunState = Literal["ordered", "running", "done", "failed"]
RUN_STATES: tuple[RunState, ...] = get_args(RunState)
_OF_ORDER = (
    "from_us",
    "to_us",
    "tenant_id",
    "method_version",
    "factor_version",
    "basis",
    "method_name",
    "reason",
)


@dataclass(frozen=True, slots=True)
class RestatementOrder:
    """What is restated by what: records that ended in [from_us, to_us), of one tenant or (None) of all."""

    from_us: int
    to_us: int
    tenant_id: str | None
    method_version: str
    factor_version: str
    reason: str
    basis: str = ""
    """Digest of all that estimates are made by (`meter.estimator_digest`); "" of those of versions that did not keep it."""
    method_name: str | None = None
    """The method that was asked for; None: that of the settings."""
    dry_run: bool = False

    def told(self) -> dict[str, Any]:
        """As JSON: what it is known by."""
        return {
            "from_us": self.from_us,
            "to_us": self.to_us,
            "tenant_id": self.tenant_id,
            "method_version": self.method_version,
            "factor_version": self.factor_version,
            "basis": self.basis,
        }


class RestatedMarket(NamedTuple):
    """Carbon by the market of the records that are done, in micrograms: as they were recorded, before the run, and after it."""

    reported: int = 0
    before: int = 0
    after: int = 0


@dataclass(frozen=True, slots=True)
class RestatementState:
    """A restatement and how far it has come."""

    restatement_id: str
    """"" of a dry run that is not kept."""
    number: int
    order: RestatementOrder
    state: RunState = "running"
    at: tuple[int, bytes] | None = None
    """Tenant and key of the last record that is done."""
    records: int = 0
    records_expected: int | None = None
    """As totals have it when the run begins: records that come meanwhile, and voided ones, make the difference."""
    entries: int = 0
    reported_ugco2e: int = 0
    """What the records that are done were recorded with (middle): what was reported of them."""
    before: Ends = field(default_factory=lambda: dict.fromkeys(CARBON_ENDS, 0))
    after: Ends = field(default_factory=lambda: dict.fromkeys(CARBON_ENDS, 0))
    by_cause: Mapping[str, int] = field(default_factory=dict)
    """Micrograms (middle) by cause."""
    market_by_cause: Mapping[str, int] = field(default_factory=dict)
    """Micrograms by the market, by cause; nothing of runs of versions that did not keep it."""
    market: RestatedMarket | None = field(default_factory=RestatedMarket)
    """None: of a run that a version began that did not keep it."""
    by_server: bool = False
    """Ordered over HTTP, and done by whichever server comes to it."""
    author_kind: str = ""
    author_name: str = ""
    started_us: int | None = None
    finished_us: int | None = None
    problem: str | None = None
    """Why it failed."""


def begin_or_resume(
    connection: Connection, order: RestatementOrder, by: Actor, *, by_server: bool = False
) -> tuple[RestatementState, bool]:
    """The restatement of this order, and whether it is new.

    One that was cut short goes on; one that is done, with nothing restated since, stays as it is: the same order twice posts
    nothing. After another one it is a new run. Within a transaction of `posting`: one at a time.
    """
    latest = _latest(connection)
    posting = [each for each in (latest, *_unfinished(connection)) if each is not None]
    for other in posting if not order.dry_run else ():
        if other.order.told() == order.told():
            return other, False
    number = 1 + (connection.scalar(text("SELECT MAX(number) FROM restatement")) or 0)
    made_for = {**order.told(), "number": number, **({"dry_run": True} if order.dry_run else {})}
    restatement_id = hashlib.blake2b(canonical_json(made_for), digest_size=16).hexdigest()
    expected = _records_expected(connection, order)
    state = RestatementState(
        restatement_id,
        number,
        order,
        state="ordered" if by_server else "running",
        records_expected=expected,
        by_server=by_server,
        author_kind=by.kind,
        author_name=by.name,
        started_us=database_now_us(connection),
    )
    row = {
        "restatement_id": restatement_id,
        "number": number,
        **{name: getattr(order, name) for name in _OF_ORDER},
        "dry_run": int(order.dry_run),
        "by_server": int(by_server),
        "author_kind": by.kind,
        "author_name": by.name,
        "started_us": state.started_us,
        "records_expected": expected,
        **_progress(connection, state),
    }
    connection.execute(insert(schema.restatement), row)
    return state, True


def stored_restatement(connection: Connection, restatement_id: str) -> RestatementState | None:
    """The restatement of an id as it stands; None: there is none."""
    table = schema.restatement
    row = connection.execute(select(table).where(table.c.restatement_id == restatement_id)).mappings().first()
    return None if row is None else state_of(row)


def next_of_server(connection: Connection) -> RestatementState | None:
    """The oldest that a server has to do, or to go on with; None: there is none."""
    table = schema.restatement
    waits = (table.c.by_server == 1) & table.c.state.in_(("ordered", "running"))
    row = connection.execute(select(table).where(waits).order_by(table.c.number).limit(1)).mappings().first()
    return None if row is None else state_of(row)


def save_progress(connection: Connection, state: RestatementState) -> None:
    """How far it has come, in the transaction of what it has posted."""
    table = schema.restatement
    values = _progress(connection, state)
    if state.state in ("done", "failed"):
        values["finished_us"] = database_now_us(connection)
    connection.execute(update(table).where(table.c.restatement_id == state.restatement_id).values(values))


def begin_again(connection: Connection, state: RestatementState, basis: str) -> RestatementState:
    """The run from its first record on, by another basis; within a transaction of `posting`. What it has posted stays its own."""
    posted = sum(state.market_by_cause.values())
    market = None if state.market is None else RestatedMarket(before=-posted)
    none = dict.fromkeys(CARBON_ENDS, 0)
    before = {**none, "carbon_mid_ugco2e": -sum(state.by_cause.values())}
    order = replace(state.order, basis=basis)
    again = replace(state, order=order, at=None, records=0, reported_ugco2e=0, before=before, after=none, market=market)
    table = schema.restatement
    whose = table.c.restatement_id == state.restatement_id
    connection.execute(update(table).where(whose).values(basis=basis, **_progress(connection, again)))
    return again


def finished(state: RestatementState) -> RestatementState:
    """With nothing left to do."""
    return replace(state, state="done")


def state_of(row: Mapping[Any, Any]) -> RestatementState:
    """A row of the table."""
    at = None if row["at_tenant_key"] is None else (row["at_tenant_key"], key_bytes(row["at_event_key"]))
    return RestatementState(
        restatement_id=row["restatement_id"],
        number=row["number"],
        order=RestatementOrder(**{name: row[name] for name in _OF_ORDER}, dry_run=bool(row["dry_run"])),
        state=row["state"],
        at=at,
        **{name: row[name] for name in ("records", "records_expected", "entries")},
        reported_ugco2e=int(row["reported_carbon_mid_ugco2e"]),
        before={name: int(row[f"before_{name}"]) for name in CARBON_ENDS},
        after={name: int(row[f"after_{name}"]) for name in CARBON_ENDS},
        by_cause=json.loads(row["by_cause"]),
        market_by_cause=json.loads(row["market_by_cause"]),
        market=_market_of(row),
        by_server=bool(row["by_server"]),
        **{name: row[name] for name in ("author_kind", "author_name", "started_us", "finished_us", "problem")},
    )


def _market_of(row: Mapping[Any, Any]) -> RestatedMarket | None:
    amounts = [row[f"{when}_{MARKET_COLUMN}"] for when in RestatedMarket._fields]
    return None if None in amounts else RestatedMarket(*map(int, amounts))


def _latest(connection: Connection) -> RestatementState | None:
    """The latest that posted: dry runs change nothing."""
    table = schema.restatement
    posts = (table.c.dry_run == 0) & (table.c.state != "failed")
    row = connection.execute(select(table).where(posts).order_by(table.c.number.desc()).limit(1)).mappings().first()
    return None if row is None else state_of(row)


def _unfinished(connection: Connection) -> list[RestatementState]:
    table = schema.restatement
    waits = (table.c.dry_run == 0) & table.c.state.in_(("ordered", "running"))
    rows = connection.execute(select(table).where(waits).order_by(table.c.number)).mappings()
    return [state_of(row) for row in rows]


def _records_expected(connection: Connection, order: RestatementOrder) -> int:
    """Prompts of the days of UTC that the stretch touches."""
    of_tenant = "" if order.tenant_id is None else " AND t.tenant_id = :tenant_id"
    statement = (
        "SELECT COALESCE(SUM(d.prompts), 0) FROM tenant_day_total d JOIN tenant t ON t.tenant_key = d.tenant_key"
        f" WHERE d.day_start_s > :from_s - {DAY_S} AND d.day_start_s < :to_s{of_tenant}"
    )
    asked: dict[str, Any] = {"from_s": order.from_us // SECOND_US, "to_s": -(-order.to_us // SECOND_US)}
    if order.tenant_id is not None:
        asked["tenant_id"] = order.tenant_id
    return int(connection.scalar(text(statement), asked) or 0)


def sums_of(state: RestatementState) -> dict[str, int | None]:
    """What the records that are done amount to, by column; None: of a run of a version that did not keep it."""
    market = dict.fromkeys(RestatedMarket._fields) if state.market is None else state.market._asdict()
    return {
        "reported_carbon_mid_ugco2e": state.reported_ugco2e,
        **{f"before_{name}": amount for name, amount in state.before.items()},
        **{f"after_{name}": amount for name, amount in state.after.items()},
        **{f"{when}_{MARKET_COLUMN}": amount for when, amount in market.items()},
    }


def _progress(connection: Connection, state: RestatementState) -> dict[str, Any]:
    tenant_key, event_key = (None, None) if state.at is None else state.at
    return {
        "state": state.state,
        "at_tenant_key": tenant_key,
        "at_event_key": None if event_key is None else column_key(connection.dialect.name, event_key),
        "records": state.records,
        "entries": state.entries,
        **sums_of(state),
        "by_cause": json.dumps(dict(state.by_cause), sort_keys=True),
        "market_by_cause": json.dumps(dict(state.market_by_cause), sort_keys=True),
        "problem": state.problem,
    }
