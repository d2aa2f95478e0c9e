"""Bringing the views into a database without taking anything from those who read them.

A view that is as it should be is left alone. One that is not is replaced in place where PostgreSQL can (columns added at the
end), else dropped and created; then its owner and its grants are given back.
"""

from typing import NamedTuple

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from rice_stream.store.views import view_queries

_CANNOT_REPLACE = "42P16"
"""SQLSTATE: CREATE OR REPLACE VIEW would take a column away, or change it."""
_WANTED = "rice_stream_wanted_view"

_GRANTEE = "CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END"
_OPTION = "CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END"
_ACCESS = f"""
SELECT 0 AS step, NULL AS column_name, format('ALTER VIEW %I OWNER TO %I', c.relname, pg_get_userbyid(c.relowner)) AS again
FROM pg_class c WHERE c.oid = to_regclass(:name) AND pg_get_userbyid(c.relowner) <> current_user
UNION ALL
SELECT 1, NULL, format('GRANT %s ON %I TO %s%s', a.privilege_type, c.relname, {_GRANTEE}, {_OPTION})
FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = to_regclass(:name)
UNION ALL
SELECT 2, t.attname, format('GRANT %s (%I) ON %I TO %s%s', a.privilege_type, t.attname, c.relname, {_GRANTEE}, {_OPTION})
FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid, aclexplode(t.attacl) a WHERE c.oid = to_regclass(:name)
ORDER BY step, again"""
_GRANTEES = f"SELECT DISTINCT {_GRANTEE} FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = to_regclass(:name)"
_COLUMNS = "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(:name) AND attnum > 0"


class Access(NamedTuple):
    """A statement that gives a view's owner or one grant back; it is on a column when that is named."""

    view: str
    column: str | None
    statement: str


def refresh_views(connection: Connection, lost: list[Access]) -> None:
    """Make every view what this version says it is; `lost` is what `drop_views` returned."""
    dialect = connection.dialect.name
    for name, query in view_queries(dialect).items():
        if dialect == "sqlite":
            _refresh_on_sqlite(connection, name, query)
        else:
            _refresh_on_postgresql(connection, name, query)
            _give_back(connection, name, lost)


def drop_views(connection: Connection) -> list[Access]:
    """Take all views away; returns what has to be given back to them. DBAPIError when something depends on one."""
    names = view_queries(connection.dialect.name)
    lost = [access for name in names for access in _access(connection, name)]
    for name in names:
        _run(connection, f"DROP VIEW IF EXISTS {name}")
    return lost


def _refresh_on_sqlite(connection: Connection, name: str, query: str) -> None:
    wanted = f"CREATE VIEW {name} AS\n{query}"
    there = connection.scalar(
        text("SELECT sql FROM sqlite_master WHERE type = 'view' AND name = :name"), {"name": name}
    )
    if there != wanted:
        _run(connection, f"DROP VIEW IF EXISTS {name}")
        _run(connection, wanted)


def _refresh_on_postgresql(connection: Connection, name: str, query: str) -> None:
    if _is_as_wanted(connection, name, query):
        return
    statement = f"VIEW {name} AS\n{query}"
    try:
        with connection.begin_nested():
            _run(connection, f"CREATE OR REPLACE {statement}")
    except DBAPIError as error:
        if sqlstate(error) != _CANNOT_REPLACE:
            raise
        lost = _access(connection, name)
        _run(connection, f"DROP VIEW {name}")
        _run(connection, f"CREATE {statement}")
        _give_back(connection, name, lost)


def _is_as_wanted(connection: Connection, name: str, query: str) -> bool:
    # PostgreSQL keeps a view's meaning, not its text: only its own wording of two views can be compared.
    _run(connection, f"CREATE TEMPORARY VIEW {_WANTED} AS\n{query}")
    same = text("SELECT pg_get_viewdef(to_regclass(:name)) = pg_get_viewdef(to_regclass(:wanted))")
    is_same = connection.scalar(same, {"name": name, "wanted": _WANTED})
    _run(connection, f"DROP VIEW pg_temp.{_WANTED}")
    return bool(is_same)


def _access(connection: Connection, name: str) -> list[Access]:
    if connection.dialect.name == "sqlite":
        return []
    rows = connection.execute(text(_ACCESS), {"name": name})
    return [Access(name, column, statement) for _, column, statement in rows]


def _give_back(connection: Connection, name: str, lost: list[Access]) -> None:
    mine = [access for access in lost if access.view == name]
    if not mine:
        return
    # Default privileges may have given what had been taken from somebody on purpose.
    for grantee in connection.scalars(text(_GRANTEES), {"name": name}).all():
        _run(connection, f"REVOKE ALL ON {name} FROM {grantee}")
    columns = set(connection.scalars(text(_COLUMNS), {"name": name}))
    for access in mine:
        if access.column is None or access.column in columns:
            _run(connection, access.statement)


def sqlstate(error: DBAPIError) -> str | None:
    """PostgreSQL's code of an error."""
    return getattr(error.orig, "sqlstate", None)


def _run(connection: Connection, statement: str) -> None:
    # psycopg reads a percent sign as the beginning of a parameter.
    is_postgresql = connection.dialect.name == "postgresql"
    connection.exec_driver_sql(statement.replace("%", "%%") if is_postgresql else statement)
