"""Erasing names of a person or of a whole tenant wherever the database has them, within one transaction.

Records, entries, totals and trees hold keys and no names, so nothing of them changes. Every column with text is decided on here
(or named in the test of this module as one that holds no names of people).
"""

import json
from collections.abc import Callable
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, or_, select, true, update

from rice_stream.store import schema
from rice_stream.store.database_clock import database_now_us
from rice_stream.store.erased_words import ErasedWords

Counts = dict[str, int]
"""Rows by table."""
TakenOut = Callable[[str], str]


class Whose(NamedTuple):
    """A tenant by both of its names."""

    tenant_key: int
    tenant_id: str


class Texts(NamedTuple):
    """Columns of a table with text of people. `of`: the column that says whose a row is; None: nobody's, or the organisation's."""

    table: Table
    columns: tuple[str, ...]
    of: str | None = None


OF_TENANT = (
    Texts(schema.adjustment, ("reason", "detail"), "tenant_key"),
    Texts(schema.alert, ("budget", "event"), "tenant_id"),
    Texts(schema.budget, ("name", "user_id"), "tenant_id"),
    Texts(schema.closing, ("accepted", "problem"), "tenant_id"),
    Texts(schema.delivery, ("cause", "content", "answer_head", "problem", "digest"), "tenant_id"),
    Texts(schema.period, ("checklist",), "tenant_key"),
    Texts(schema.reconciliation, ("told",), "tenant_id"),
    Texts(schema.restatement, ("reason", "problem"), "tenant_id"),
)
"""Where a name stands within other text. What is of no one tenant counts as everybody's."""
OF_AUTHORS = (
    Texts(schema.adjustment, ("author_name",)),
    Texts(schema.archived_month, ("archived_by",)),
    Texts(schema.closing, ("author_name",)),
    Texts(schema.factor_set, ("added_by",)),
    Texts(schema.http_token, ("name", "created_by")),
    Texts(schema.period, ("marked_by", "soft_closed_by", "closed_by")),
    Texts(schema.reconciliation, ("author_name",)),
    Texts(schema.restatement, ("author_name",)),
)
"""Who did something: a person of the organisation, whichever tenant it was for."""
SCRUBBED_APART = {
    "audit_entry": ("actor_name", "subject_id", "before", "after", "request_id", "tenant_id"),
    "budget_state": ("state",),
    "http_session": ("subject", "name"),
    "idempotency_key": ("caller", "key", "answer"),
    "mapping": ("name",),
    "principal": ("name",),
    "quarantine": ("detail", "payload"),
}
"""Columns that a person's erasure treats in ways of their own."""


def words_of_authors(connection: Connection, tenant_id: str, words: ErasedWords) -> ErasedWords:
    """The names to take out where it is said who did something: with those of the tenant's tokens that have one of `words` in them,
    as in `token 3 (laptop of NAME)`.
    """
    table = schema.http_token
    found = connection.execute(select(table.c.name, table.c.tenants).where(words.likely_in(table.c.name))).all()
    of_tenant = {row.name for row in found if (tenants := json.loads(row.tenants)) == "*" or tenant_id in tenants}
    return words.and_of({name: words.taken_out(name) for name in of_tenant if words.are_in(name)})


def erase_person(
    connection: Connection, whose: Whose, kind: str, name: str, words: ErasedWords, authors: ErasedWords
) -> Counts:
    """Erase a `user` or an `api_key` of a tenant from every table but the audit trail; `words` holds this name alone, `authors`
    what `words_of_authors` says.
    """
    principal, mapping = schema.principal, schema.mapping
    stand_in = words.taken_out(name)
    same = (principal.c.tenant_key == whose.tenant_key) & (principal.c.kind == kind) & (principal.c.name == name)
    counts = {"principal": connection.execute(update(principal).where(same).values(name=stand_in)).rowcount}
    for texts in OF_TENANT:
        _add(counts, texts.table, replace_texts(connection, texts, words.taken_out, words, whose))
    for texts in OF_AUTHORS:
        _add(counts, texts.table, _replace(connection, texts, authors.taken_out_of_author, authors, true()))
    own = (mapping.c.tenant_id == whose.tenant_id) & mapping.c.subject.in_(("user", "api_key"))
    _add(counts, mapping, _replace(connection, Texts(mapping, ("name",)), words.taken_out, words, own))
    of_budgets = schema.budget_state.c.budget_id.in_(
        select(schema.budget.c.id).where(schema.budget.c.tenant_id == whose.tenant_id)
    )
    states = Texts(schema.budget_state, ("state",))
    _add(counts, states.table, _replace(connection, states, words.taken_out, words, of_budgets))
    session = schema.http_session
    signed_in = (session.c.name == name) | (session.c.subject == name)
    _add(counts, session, connection.execute(delete(session).where(signed_in)).rowcount)
    return counts | erase_kept_payloads(connection, words)


def erase_from_authors(connection: Connection, words: ErasedWords) -> Counts:
    """Write who did something without a tenant's name, which may stand within that of a token."""
    return {texts.table.name: _replace(connection, texts, words.taken_out, words, true()) for texts in OF_AUTHORS}


def is_known(connection: Connection, tenant_key: int, kind: str, name: str) -> bool:
    """Whether the tenant has a principal of that kind and name."""
    table = schema.principal
    same = (table.c.tenant_key == tenant_key) & (table.c.kind == kind) & (table.c.name == name)
    return connection.scalar(select(table.c.principal_key).where(same)) is not None


def erase_kept_payloads(connection: Connection, words: ErasedWords) -> Counts:
    """Empty refused items that have one of the names, whoever's they are, and forget answers that are kept for repeated requests.

    What cannot be read as an event is nobody's, so each that has the name counts.
    """
    table = schema.quarantine
    query = select(table.c.id, table.c.detail, table.c.payload).where(words.likely_in(table.c.detail, table.c.payload))
    found = [row.id for row in connection.execute(query) if words.are_in(row.detail) or words.are_in(row.payload)]
    now_us = database_now_us(connection)
    for quarantine_id in found:
        same = table.c.id == quarantine_id
        connection.execute(update(table).where(same).values(payload="", detail="erased"))
        held = update(table).where(same, table.c.status == "held").values(status="dropped", resolved_at_us=now_us)
        connection.execute(held)
    keys = schema.idempotency_key
    named = select(keys).where(words.likely_in(keys.c.caller, keys.c.key, keys.c.answer))
    gone = 0
    for row in connection.execute(named).all():
        if any(words.are_in(text or "") for text in (row.caller, row.key, row.answer)):
            gone += connection.execute(delete(keys).where(keys.c.caller == row.caller, keys.c.key == row.key)).rowcount
    return {"quarantine": len(found), "idempotency_key": gone}


def replace_texts(connection: Connection, texts: Texts, taken_out: TakenOut, words: ErasedWords, whose: Whose) -> int:
    """Write the tenant's rows without the names; returns how many rows that changed."""
    return _replace(connection, texts, taken_out, words, _is_of(texts, whose))


def _is_of(texts: Texts, whose: Whose) -> ColumnElement[bool]:
    if texts.of is None:
        return true()
    column = texts.table.c[texts.of]
    own: ColumnElement[bool] = column == getattr(whose, texts.of)
    return or_(own, column.is_(None))


def _add(counts: Counts, table: Table, rows: int) -> None:
    counts[table.name] = counts.get(table.name, 0) + rows


def _replace(
    connection: Connection, texts: Texts, taken_out: TakenOut, words: ErasedWords, condition: ColumnElement[bool]
) -> int:
    """Write the columns of the rows without the names; returns how many rows that changed."""
    table = texts.table
    columns = [table.c[name] for name in texts.columns]
    keys = list(table.primary_key)
    changed = 0
    for row in connection.execute(select(*keys, *columns).where(condition, words.likely_in(*columns))).mappings().all():
        values = {name: taken_out(row[name]) for name in texts.columns if row[name] is not None}
        values = {name: value for name, value in values.items() if value != row[name]}
        if values:
            same = and_(*(key == row[key.name] for key in keys))
            changed += connection.execute(update(table).where(same).values(**values)).rowcount
    return changed
