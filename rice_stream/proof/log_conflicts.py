"""Whether what an event of the log contradicts its record by is kept as a conflict."""

from sqlalchemy import Connection, text

from rice_stream.proof.log_events import LogEvents
from rice_stream.store.content import content_digest, content_text
from rice_stream.store.event_key_columns import stored_key
from rice_stream.store.record_columns import NUMBER_COLUMNS
from rice_stream.store.stored_records import Key


def is_known_conflict(connection: Connection, events: LogEvents, row: int, key: Key) -> bool:
    """Whether the store knows that the event contradicts the record of this key."""
    tenant_key, event_key = key
    parameters = {"tenant": tenant_key, "key": stored_key(connection.dialect.name, event_key)}
    statement = "SELECT digest FROM conflict WHERE tenant_key = :tenant AND event_key = :key"
    digests = {bytes(digest) for digest in connection.scalars(text(statement), parameters)}
    return bool(digests) and not digests.isdisjoint(_digests(connection, events, row, tenant_key))


def _digests(connection: Connection, events: LogEvents, row: int, tenant_key: int) -> set[bytes]:
    """The digest that the writer keeps with a contradicting event: of its content as JSON, names as their keys.

    Versions before 0007 took the record's time for that of an event without one.
    """
    columns = events.columns
    _, team, project, source = (column[row] for column in columns.attributed)
    values: dict[str, int | None] = {name: int(getattr(columns, name)[row]) for name in NUMBER_COLUMNS}
    values["attribution_key"] = connection.scalar(
        text(
            "SELECT attribution_key FROM attribution WHERE tenant_key = :tenant_key AND team_id = :team"
            " AND project_id = :project AND source = :source AND cost_centre = '' AND said_key = 0"
        ),
        {"tenant_key": tenant_key, "team": team or "", "project": project or "", "source": source or ""},
    )
    for kind, name in (("user", columns.user_id[row]), ("api_key", columns.api_key_id[row])):
        values[f"{kind}_key"] = connection.scalar(
            text(
                "SELECT principal_key FROM principal WHERE tenant_key = :tenant_key AND kind = :kind AND name = :name"
            ),
            {"tenant_key": tenant_key, "kind": kind, "name": name or ""},
        )
    said = [values, {**values, "ended_at_us": None}] if events.columns.untimed[row] else [values]
    return {content_digest(content_text(each)) for each in said}
