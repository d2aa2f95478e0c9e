"""Erasing a person or a tenant: no name of theirs is left, and every sum, total, closed month and proof is what it was.

It is one transaction: cut short, nothing has happened, and done again it takes out what has come since.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from rice_stream.errors import NotFoundError, UsageError
from rice_stream.ledger.voiding import checked_reason
from rice_stream.store import audit_erasing, erasing
from rice_stream.store.audit import Actor, AuditedChange, record, wait_for_turn
from rice_stream.store.dimensions import lock_keys
from rice_stream.store.engine import Connection, Engine, writing
from rice_stream.store.erased_names import StandIns, stand_ins_to_erase
from rice_stream.store.erased_words import ErasedWords
from rice_stream.store.erasing import Counts, Whose
from rice_stream.store.erasing_tenants import erase_tenant
from rice_stream.store.revisions import head_revision, require_revision
from rice_stream.store.stored_records import tenant_keys
from rice_stream.store.trying_again import tried_again

_TRIES = 10


@dataclass(frozen=True, slots=True)
class ErasureOrder:
    """Who is erased: a `user` or an `api_key` of a tenant, or without either the tenant; and why, without saying the name."""

    tenant_id: str
    reason: str
    user: str | None = None
    api_key: str | None = None

    @property
    def person(self) -> tuple[str, str] | None:
        """Kind and name; None: it is the tenant."""
        if self.user is not None:
            return "user", self.user
        return None if self.api_key is None else ("api_key", self.api_key)


class _DryRunError(Exception):
    """Nothing of it is kept."""


def erase(engine: Engine, order: ErasureOrder, *, by: Actor, dry_run: bool = False) -> dict[str, Any]:
    """Erase the names; a `dry_run` only counts. Done again, it takes out what has come since.

    Returns:
        `{"erased": rows by table, "stands_for": what is written in the name's place, "dry_run"}`.

    Raises:
        UsageError: both a user and an API key, an empty name, no reason, or one that says the name.
        NotFoundError: nothing is named so.
        StoreUnavailableError: the database did not do it, and nothing has happened.
    """
    if order.user is not None and order.api_key is not None:
        raise UsageError("--user, --api-key: one of them at a time")
    name = order.tenant_id if order.person is None else order.person[1]
    if not name:
        raise UsageError("the name that is to be erased is empty")
    checked_reason(order.reason)
    if ErasedWords({name: "it"}).are_said_in(order.reason):
        raise UsageError("--reason: it says the name that is to be erased, and is kept for good")
    return tried_again(partial(_erase, engine, order, by, dry_run=dry_run), _TRIES)


def _erase(engine: Engine, order: ErasureOrder, by: Actor, *, dry_run: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    try:
        with writing(engine) as connection:
            require_revision(connection, head_revision())
            found = _erased(connection, order, by)
            if dry_run:
                raise _DryRunError
    except _DryRunError:
        pass
    return {**found, "dry_run": dry_run}


def _erased(connection: Connection, order: ErasureOrder, by: Actor) -> dict[str, Any]:
    # Names that come meanwhile are given keys before or after this, and then by their stand-ins.
    lock_keys(connection)
    names = stand_ins_to_erase(connection)
    whose, stored_id = _whose(connection, order.tenant_id, names)
    if order.person is None:
        stand_in = names.of("tenant", order.tenant_id)
        words = ErasedWords({order.tenant_id: stand_in})
        counts = erase_tenant(connection, whose, names, words)
        wait_for_turn(connection)
        left = audit_erasing.erase_tenant(
            connection, whose.tenant_id, stand_in, words, partial(names.of, "subject", tenant_key=whose.tenant_key)
        )
        told_of = stand_in
    else:
        kind, name = order.person
        stand_in, told_of = names.of(kind, name, whose.tenant_key), stored_id
        words = ErasedWords({name: stand_in})
        authors = erasing.words_of_authors(connection, stored_id, words)
        counts = erasing.erase_person(connection, Whose(whose.tenant_key, stored_id), kind, name, words, authors)
        wait_for_turn(connection)
        left = audit_erasing.erase_person(connection, stored_id, words, authors)
        if not (any(counts.values()) or left or erasing.is_known(connection, whose.tenant_key, kind, stand_in)):
            raise NotFoundError(f"{kind.replace('_', ' ')} of tenant {order.tenant_id!r}: nothing has that name")
    counts = {**counts, "audit_entry": len(left)}
    if any(counts.values()):
        record(connection, by, [_change(order, told_of, stand_in, counts, left)])
    return {"erased": dict(sorted(counts.items())), "stands_for": stand_in}


def _whose(connection: Connection, tenant_id: str, names: StandIns) -> tuple[Whose, str]:
    """The tenant, by the name that was given, and as it is stored. NotFoundError: there is none."""
    there = tenant_keys(connection)
    for stored_id in (tenant_id, names.of("tenant", tenant_id)):
        if stored_id in there:
            return Whose(there[stored_id], tenant_id), stored_id
    raise NotFoundError(f"tenant {tenant_id!r}: there is none; `rice-stream tenant list` shows all")


def _change(
    order: ErasureOrder, tenant_id: str, stand_in: str, counts: Counts, left: Mapping[str, str]
) -> AuditedChange:
    """What the trail says: whose stand-in it is, why, how many rows, and what is left of each entry; no name."""
    kind = "tenant" if order.person is None else order.person[0]
    told = {"kind": kind, "reason": order.reason.strip(), "erased": dict(counts), "entries": dict(left)}
    return AuditedChange(audit_erasing.ERASED, "erasure", stand_in, tenant_id, after=told)
