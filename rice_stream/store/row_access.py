"""What the API's role may do with each table of PostgreSQL, and which of its rows it sees in which scope.

`row_security` brings this into a database. Every table of the schema is named here, so that a new one is decided on.

A condition is asked for every row, so what it compares with is worked out once for a statement: PostgreSQL does that with a
sub-select that does not depend on the row. Its operators are PostgreSQL's own: a condition of a report that uses others
would wait for the policy, and could not use an index.
"""

from typing import NamedTuple

from rice_stream.store.scoped import (
    ATTRIBUTION_NUMBER,
    ATTRIBUTIONS_SETTING,
    KEYS_SETTING,
    TEAMS_SETTING,
    TENANTS_SETTING,
    names_in,
)


def _is_every(setting: str) -> str:
    return f"(SELECT current_setting('{setting}', true) = '*')"


def _is_in(number: str, setting: str, kind: str) -> str:
    return f"{number} <@ (SELECT CAST(NULLIF(current_setting('{setting}', true), '') AS {kind}multirange))"


_EVERY_TENANT, _EVERY_TEAM = _is_every(TENANTS_SETTING), _is_every(TEAMS_SETTING)
_ANY_TENANT = f"(SELECT COALESCE(current_setting('{TENANTS_SETTING}', true), '') <> '')"
_OF_NAMED_TENANT = f"({_EVERY_TENANT} OR tenant_id = ANY ({names_in(TENANTS_SETTING)}))"
_OF_TENANT = f"({_EVERY_TENANT} OR {_is_in('tenant_key', KEYS_SETTING, 'int4')})"
_OF_NAMED_TEAM = f"({_EVERY_TEAM} OR team_id = ANY ({names_in(TEAMS_SETTING)}))"
_OF_CHARGED = f"({_EVERY_TEAM} OR {_is_in(ATTRIBUTION_NUMBER, ATTRIBUTIONS_SETTING, 'int8')})"
_TEAM_OF_ALERT = (
    f"({_EVERY_TEAM} OR CAST(event AS json) #>> '{{data,scope,team_id}}' = ANY ({names_in(TEAMS_SETTING)}))"
)


def _held_within(column: str, setting: str, *, but_for: str) -> str:
    """A JSON list of names, none of which is outside the setting's; `but_for` is what the column says where it means all."""
    return (
        f"({_is_every(setting)} OR {column} <> '{but_for}'"
        f" AND CAST({column} AS jsonb) <@ (SELECT to_jsonb({names_in(setting)})))"
    )


_TOKEN_OF_TENANTS = _CHANNEL_OF_TENANTS = _held_within("tenants", TENANTS_SETTING, but_for='"*"')
_TOKEN_OF_TEAMS = _held_within("teams", TEAMS_SETTING, but_for="[]")

ALL_ROWS = None
EVERYTHING_ONLY = f"{_EVERY_TENANT} AND {_EVERY_TEAM}"
"""What belongs to no tenant, or to several."""
BY_TENANT_ID = _OF_NAMED_TENANT
BY_TENANT_KEY = _OF_TENANT
BY_TEAM_ID = f"{_OF_NAMED_TENANT} AND {_OF_NAMED_TEAM}"
BY_ATTRIBUTION = f"{_OF_TENANT} AND {_OF_CHARGED}"
WHOLE_TENANT_BY_KEY = f"{_OF_TENANT} AND {_EVERY_TEAM}"
"""What is the whole tenant's, whichever team it came from: nothing for those who see some teams only."""
WHOLE_TENANT_BY_ID = f"{_OF_NAMED_TENANT} AND {_EVERY_TEAM}"
NO_ROWS = "false"


class TableAccess(NamedTuple):
    """Rights as GRANT names them, empty: none; and the condition for the rows, `ALL_ROWS`: they are no tenant's."""

    rights: str
    rows: str | None

    @property
    def rights_named(self) -> list[str]:
        """One by one, in the order of the alphabet."""
        return sorted(filter(None, self.rights.split(", ")))


_CHANGES = "SELECT, INSERT, UPDATE, DELETE"

ACCESS = {
    # Records, and the names that their keys stand for. Those of models and regions are no tenant's.
    "tenant": TableAccess("SELECT, INSERT, UPDATE", BY_TENANT_ID),
    "attribution": TableAccess("SELECT", f"{_OF_TENANT} AND {_OF_NAMED_TEAM}"),
    # Users and keys are a tenant's: which team one of them is in is known by the records only.
    "principal": TableAccess("SELECT, INSERT, UPDATE", BY_TENANT_KEY),
    "factor_use": TableAccess("SELECT", ALL_ROWS),
    "basis": TableAccess("SELECT", ALL_ROWS),
    "prompt_record": TableAccess("SELECT", BY_ATTRIBUTION),
    "untimed_day": TableAccess("", ALL_ROWS),
    # The ids of all tenants together.
    "event_id_list": TableAccess("SELECT", EVERYTHING_ONLY),
    "event_id_gap": TableAccess("SELECT", EVERYTHING_ONLY),
    # Corrections of records: seen by who sees the record. A group may be of several teams.
    "adjustment": TableAccess("SELECT", WHOLE_TENANT_BY_KEY),
    "adjustment_entry": TableAccess("SELECT", BY_ATTRIBUTION),
    "contract_coverage": TableAccess("SELECT", WHOLE_TENANT_BY_KEY),
    # What concerns several tenants is for those who see everything.
    "restatement": TableAccess("SELECT", WHOLE_TENANT_BY_ID),
    # A closed month is the whole tenant's.
    "period": TableAccess("SELECT", WHOLE_TENANT_BY_KEY),
    "closing": TableAccess("SELECT", WHOLE_TENANT_BY_ID),
    "reconciliation": TableAccess("SELECT, INSERT", WHOLE_TENANT_BY_ID),
    # Where files are; what is read of one is held to the scope record by record.
    "archived_month": TableAccess("SELECT", BY_TENANT_KEY),
    "archived_file": TableAccess("SELECT", BY_TENANT_KEY),
    # Totals. Those of minutes, of a tenant's days and by use of factors alone do not know the team.
    "minute_total": TableAccess("SELECT", WHOLE_TENANT_BY_KEY),
    "slot_total": TableAccess("SELECT", BY_ATTRIBUTION),
    "user_slot_total": TableAccess(_CHANGES, BY_ATTRIBUTION),
    "factor_hour_total": TableAccess("SELECT", WHOLE_TENANT_BY_KEY),
    "tenant_day_total": TableAccess("SELECT", WHOLE_TENANT_BY_KEY),
    "day_total": TableAccess("SELECT", BY_ATTRIBUTION),
    "factor_day_total": TableAccess("SELECT", WHOLE_TENANT_BY_KEY),
    "month_total": TableAccess("SELECT", WHOLE_TENANT_BY_KEY),
    "watched_user": TableAccess(_CHANGES, WHOLE_TENANT_BY_KEY),
    "month_start": TableAccess("SELECT, INSERT", ALL_ROWS),
    # Budgets and alerts.
    "budget": TableAccess(_CHANGES, BY_TEAM_ID),
    "budget_state": TableAccess(_CHANGES, f"{EVERYTHING_ONLY} OR budget_id IN (SELECT b.id FROM budget b)"),
    # By the team that the budget had when the alert was announced: it may be gone, or another team's, by now.
    "alert": TableAccess("SELECT", f"{_OF_NAMED_TENANT} AND {_TEAM_OF_ALERT}"),
    # A channel is seen by those whose own scope holds all of the channel's tenants; it takes alerts of every team of them.
    "channel": TableAccess(_CHANGES, f"{_CHANNEL_OF_TENANTS} AND {_EVERY_TEAM}"),
    "delivery": TableAccess(_CHANGES, f"{EVERYTHING_ONLY} OR channel_id IN (SELECT c.id FROM channel c)"),
    # What came in.
    "conflict": TableAccess("SELECT", WHOLE_TENANT_BY_KEY),
    "quarantine": TableAccess("SELECT, UPDATE", EVERYTHING_ONLY),
    # What holds for every tenant has no tenant's name.
    "mapping": TableAccess(_CHANGES, WHOLE_TENANT_BY_ID),
    # UPDATE is what PostgreSQL asks of those who lock it, as who changes a mapping does (store/rules_lock.py).
    "attribution_version": TableAccess("SELECT, INSERT, UPDATE", EVERYTHING_ONLY),
    "factor_set": TableAccess("SELECT, INSERT", EVERYTHING_ONLY),
    "reference_tables": TableAccess("SELECT, INSERT", EVERYTHING_ONLY),
    "kafka_progress": TableAccess("SELECT", EVERYTHING_ONLY),
    "ingested_file": TableAccess("", ALL_ROWS),
    "retention": TableAccess("SELECT", ALL_ROWS),
    # Who may use the API: a token is seen by those whose own scope holds all of the token's.
    "http_token": TableAccess(
        "SELECT, INSERT, UPDATE",
        f"{_TOKEN_OF_TENANTS} AND {_TOKEN_OF_TEAMS}",
    ),
    "idempotency_key": TableAccess(_CHANGES, EVERYTHING_ONLY),
    # The server's own: no scope of a caller is told what its cursors are signed with.
    "server_key": TableAccess("SELECT, INSERT", EVERYTHING_ONLY),
    # Read before anybody is known, and so with no caller's scope.
    "http_session": TableAccess(_CHANGES, EVERYTHING_ONLY),
    # What concerns no tenant, or several, is for those who see everything.
    "audit_entry": TableAccess("SELECT, INSERT", WHOLE_TENANT_BY_ID),
    # Of the trail: hashes of all of it, against which whoever sees a tenant checks entries of it. How many records a month of a
    # tenant has is not for others.
    "checkpoint": TableAccess("SELECT, INSERT", f"({EVERYTHING_ONLY}) OR (kind = 'audit' AND {_ANY_TENANT})"),
    "checkpoint_target": TableAccess("SELECT, INSERT, UPDATE", EVERYTHING_ONLY),
    # What it signs with is encrypted.
    "signing_key": TableAccess("SELECT, INSERT, UPDATE", EVERYTHING_ONLY),
    "lease": TableAccess(_CHANGES, EVERYTHING_ONLY),
    "alembic_version": TableAccess("SELECT", ALL_ROWS),
}
"""By name. A view is not among them: it reads with its owner's rights, and so would show every tenant."""
