"""Erasing a whole tenant: stand-ins for all of its names, and nothing left of what only it had use for.

Its records, entries, totals and closed months stay, under its key.
"""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Table, delete, or_, select, update

from rice_stream.events.mappings import TENANT, WITHIN_TENANT
from rice_stream.store import schema
from rice_stream.store.database_clock import database_now_us
from rice_stream.store.erased_names import ATTRIBUTION_KINDS, StandIns, is_stand_in
from rice_stream.store.erased_words import ErasedWords
from rice_stream.store.erasing import OF_TENANT, Counts, Whose, erase_from_authors, erase_kept_payloads, replace_texts

ERASED = "erased"
"""In the place of text that people wrote."""
_OWN = (schema.closing, schema.reconciliation, schema.restatement)
"""Tables with rows of the tenant that stay, under its stand-in."""


def erase_tenant(connection: Connection, whose: Whose, names: StandIns, words: ErasedWords) -> Counts:
    """Erase a tenant from every table but the audit trail; `words` holds its name alone."""
    counts = {
        "tenant": _renamed(connection, schema.tenant, whose, names),
        "attribution": _attributions(connection, whose, names),
        "principal": _principals(connection, whose, names),
        "mapping": _mappings(connection, whose, names),
        **_budgets(connection, whose),
        **_channels(connection, whose),
        "http_token": _tokens(connection, whose, names),
    }
    for texts in OF_TENANT:
        replaced = replace_texts(connection, texts, words.taken_out, words, whose)
        counts[texts.table.name] = counts.get(texts.table.name, 0) + replaced
    for name, replaced in erase_from_authors(connection, words).items():
        counts[name] = counts.get(name, 0) + replaced
    _free_text(connection, whose)
    for table in _OWN:
        counts[table.name] += _renamed(connection, table, whose, names)
    return counts | erase_kept_payloads(connection, words)


def _renamed(connection: Connection, table: Table, whose: Whose, names: StandIns) -> int:
    stand_in = names.of(TENANT, whose.tenant_id)
    same = table.c.tenant_id == whose.tenant_id
    return connection.execute(update(table).where(same).values(tenant_id=stand_in)).rowcount


def _free_text(connection: Connection, whose: Whose) -> None:
    """Reasons and findings, in which any name of the tenant may stand: they say that they were erased."""
    of_key = {"tenant_key": whose.tenant_key}
    of_id = {"tenant_id": whose.tenant_id}
    for table, own, values in (
        (schema.adjustment, of_key, {"reason": ERASED}),
        (schema.restatement, of_id, {"reason": ERASED, "problem": None}),
        (schema.closing, of_id, {"problem": None}),
    ):
        connection.execute(update(table).filter_by(**own).values(**values))
    for table, column, own in ((schema.closing, "accepted", of_id), (schema.period, "checklist", of_key)):
        keys = [key.name for key in table.primary_key]
        for row in connection.execute(select(table).filter_by(**own)).mappings().all():
            written = json.dumps(_without_texts(json.loads(row[column])))
            connection.execute(update(table).filter_by(**{key: row[key] for key in keys}).values({column: written}))


def _without_texts(found: Any) -> Any:
    """Reasons by the name of a line, or lines."""
    if isinstance(found, dict):
        return {name: ERASED if isinstance(value, str) and name != "name" else value for name, value in found.items()}
    return [_without_texts(each) for each in found]


def _attributions(connection: Connection, whose: Whose, names: StandIns) -> int:
    table = schema.attribution
    own = table.c.tenant_key == whose.tenant_key
    changed = 0
    for row in connection.execute(select(table).where(own)).mappings().all():
        values = {
            column: names.of(kind, row[column], whose.tenant_key)
            for column, kind in ATTRIBUTION_KINDS.items()
            if row[column] and not is_stand_in(row[column])
        }
        if values:
            same = own & (table.c.attribution_key == row["attribution_key"])
            changed += connection.execute(update(table).where(same).values(**values)).rowcount
    return changed


def _principals(connection: Connection, whose: Whose, names: StandIns) -> int:
    table = schema.principal
    own = table.c.tenant_key == whose.tenant_key
    changed = 0
    for row in connection.execute(select(table.c.principal_key, table.c.kind, table.c.name).where(own)).all():
        if not is_stand_in(row.name):
            same = own & (table.c.principal_key == row.principal_key)
            stand_in = names.of(row.kind, row.name, whose.tenant_key)
            changed += connection.execute(update(table).where(same).values(name=stand_in)).rowcount
    return changed


def _mappings(connection: Connection, whose: Whose, names: StandIns) -> int:
    """Those within the tenant go on for what is recorded; names that stood for the tenant are no longer known for it."""
    table = schema.mapping
    changed = 0
    own = (table.c.tenant_id == whose.tenant_id) | (
        (table.c.kind == TENANT) & or_(table.c.name == whose.tenant_id, table.c.target == whose.tenant_id)
    )
    for row in connection.execute(select(table).where(own)).mappings().all():
        changed += 1
        values = _mapped(dict(row), whose, names)
        same = table.c.id == row["id"]
        connection.execute(delete(table).where(same) if values is None else update(table).where(same).values(**values))
    return changed


def _mapped(row: Mapping[str, Any], whose: Whose, names: StandIns) -> dict[str, Any] | None:
    """What is left of a mapping; None: nothing, for a name with an open end has no stand-in."""
    if row["kind"] not in WITHIN_TENANT or row["name"].endswith("*"):
        return None
    of = whose.tenant_key
    target = row["target"] and names.of(row["kind"], row["target"], of)
    name = row["name"] if row["name"] == "unattributed" else names.of(row["subject"], row["name"], of)
    return {"tenant_id": names.of(TENANT, whose.tenant_id), "name": name, "target": target}


def _budgets(connection: Connection, whose: Whose) -> Counts:
    """With their alerts, and what was or is sent of them."""
    budget, alert, delivery = schema.budget, schema.alert, schema.delivery
    ids = select(budget.c.id).where(budget.c.tenant_id == whose.tenant_id)
    alerts = select(alert.c.id).where(alert.c.tenant_id == whose.tenant_id)
    told = (delivery.c.tenant_id == whose.tenant_id) | delivery.c.alert_id.in_(alerts)
    conditions = {
        delivery: told,
        schema.budget_state: schema.budget_state.c.budget_id.in_(ids),
        alert: alert.c.tenant_id == whose.tenant_id,
        budget: budget.c.tenant_id == whose.tenant_id,
    }
    return {table.name: connection.execute(delete(table).where(each)).rowcount for table, each in conditions.items()}


def _channels(connection: Connection, whose: Whose) -> Counts:
    """Those of this tenant alone go, with their deliveries; others no longer name it."""
    table = schema.channel
    changed = 0
    for row in connection.execute(select(table.c.id, table.c.tenants)).all():
        tenants = json.loads(row.tenants)
        if tenants == "*" or whose.tenant_id not in tenants:
            continue
        changed += 1
        rest = [name for name in tenants if name != whose.tenant_id]
        if rest:
            connection.execute(update(table).where(table.c.id == row.id).values(tenants=json.dumps(rest)))
            continue
        connection.execute(delete(schema.delivery).where(schema.delivery.c.channel_id == row.id))
        connection.execute(delete(table).where(table.c.id == row.id))
    return {"channel": changed}


def _tokens(connection: Connection, whose: Whose, names: StandIns) -> int:
    """Those for this tenant alone end, and lose their names; others are for the rest."""
    table = schema.http_token
    changed = 0
    query = select(table.c.id, table.c.name, table.c.tenants, table.c.revoked_at_us)
    for row in connection.execute(query).all():
        tenants = json.loads(row.tenants)
        if tenants == "*" or whose.tenant_id not in tenants:
            continue
        changed += 1
        stand_in = names.of(TENANT, whose.tenant_id)
        written = json.dumps(sorted(stand_in if name == whose.tenant_id else name for name in tenants))
        values: dict[str, Any] = {"tenants": written}
        if tenants == [whose.tenant_id]:
            values["name"] = names.of("token", row.name, whose.tenant_key)
            values["teams"] = "[]"
            if row.revoked_at_us is None:
                values["revoked_at_us"] = database_now_us(connection)
        connection.execute(update(table).where(table.c.id == row.id).values(**values))
    return changed
