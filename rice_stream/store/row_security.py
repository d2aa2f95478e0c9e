"""Row-level security on PostgreSQL: the second line that keeps the API from what its caller may not see.

Role, policies and grants are brought into a database after the steps of a migration, as the views are: what is as it should
be is left alone, and a role that somebody made by hand later is taken up by the next `rice-stream migrate`. Without the role
nothing is changed. Everybody else sees what they saw: the policies that leave something out are the role's alone.
"""

import hashlib
import logging
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from rice_stream.store.lock_waits import wait_for_batches
from rice_stream.store.range_function import SIGNATURE
from rice_stream.store.row_access import ACCESS, NO_ROWS
from rice_stream.store.scoped import API_ROLE
from rice_stream.store.views import view_queries

log = logging.getLogger(__name__)

EVERYONE, SCOPE = "rice_everyone", "rice_api_scope"
"""Policies: who reads a table by a right of their own goes on seeing all of it; of that, the API's role sees its scope."""
MAKE_ROLE = f"CREATE ROLE {API_ROLE} NOLOGIN NOBYPASSRLS"

_REFUSED = "42501"
_SOMEBODY_ELSE_DID = ("42710", "23505", "XX000")
"""SQLSTATEs of two that make the role, or give it to the same member, in two databases of one cluster at once."""

_RELATIONS = """
SELECT c.relname, c.relkind::text AS kind, c.relispartition AS is_partition, c.relrowsecurity AS has_policies,
  ARRAY(SELECT a.privilege_type FROM aclexplode(c.relacl) a WHERE a.grantee = to_regrole(:role) ORDER BY 1) AS rights,
  EXISTS (SELECT 1 FROM pg_attribute t, aclexplode(t.attacl) a
    WHERE t.attrelid = c.oid AND a.grantee = to_regrole(:role)) AS on_columns,
  ARRAY(SELECT p.polname || ' ' || COALESCE(obj_description(p.oid, 'pg_policy'), '') FROM pg_policy p
    WHERE p.polrelid = c.oid ORDER BY 1) AS policies,
  ARRAY(SELECT CAST(CAST(d.objid AS regclass) AS text) FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
    WHERE d.refobjid = c.oid AND d.deptype = 'a' AND NOT EXISTS (
      SELECT 1 FROM aclexplode(s.relacl) a WHERE a.grantee = to_regrole(:role) AND a.privilege_type = 'USAGE')) AS sequences
FROM pg_class c
WHERE c.relnamespace = CAST(current_schema() AS regnamespace) AND c.relkind IN ('r', 'p', 'v')
  AND pg_has_role(c.relowner, 'USAGE')
  AND (c.relname = ANY (:names) OR c.oid IN (
    SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = CAST('prompt_record' AS regclass)))
ORDER BY c.relname"""
"""Tables of ours, partitions and views in the migrating role's hands; the array of rights is empty where a right is PUBLIC's."""


class _Relation(NamedTuple):
    name: str
    kind: str
    is_partition: bool
    has_policies: bool
    rights: list[str]
    on_columns: bool
    policies: list[str]
    sequences: list[str]

    @property
    def condition(self) -> str | None:
        """For the rows that the API's role sees; partitions are read through their table."""
        if self.is_partition:
            return NO_ROWS
        return ACCESS[self.name].rows if self.name in ACCESS else None

    @property
    def wanted_rights(self) -> list[str]:
        return [] if self.is_partition or self.name not in ACCESS else ACCESS[self.name].rights_named


def grant_api(connection: Connection) -> None:
    """Make role, policies and grants what this version says they are, on PostgreSQL. Doing it again changes nothing.

    Where the role is missing and the migrating role may not make it, what to run by hand is logged, and nothing is done.
    """
    if connection.dialect.name != "postgresql" or not _has_role(connection):
        return
    there = [_Relation(*row) for row in connection.execute(text(_RELATIONS), _ours())]
    statements = [statement for relation in there for statement in _to_secure(relation)]
    if statements:
        # Policies need each table alone for a moment: a batch half-way would wait for one while it holds another.
        wait_for_batches(connection)
    for statement in (*statements, *_to_grant(there)):
        _run(connection, statement)
    _grant_around(connection)


def _ours() -> dict[str, Any]:
    return {"role": API_ROLE, "names": [*ACCESS, *view_queries("postgresql")]}


def confine_partition(connection: Connection, name: str) -> None:
    """What `grant_api` does, for a new partition that nobody uses yet."""
    if connection.scalar(text("SELECT to_regrole(:role)"), {"role": API_ROLE}) is None:
        return
    for statement in (*_secured(name, NO_ROWS), f"REVOKE ALL ON {name} FROM {API_ROLE}"):
        _run(connection, statement)


def _has_role(connection: Connection) -> bool:
    """Whether the role is there, made if need be, with the migrating role as one that may take it."""
    is_superuser, may_make, me = connection.execute(
        text(
            "SELECT rolsuper, rolsuper OR rolcreaterole, quote_ident(current_user) FROM pg_roles WHERE rolname = current_user"
        )
    ).one()
    is_there = connection.scalar(text("SELECT to_regrole(:role)"), {"role": API_ROLE}) is not None
    if not is_there and not (may_make and _tried(connection, MAKE_ROLE)):
        log.warning(
            "PostgreSQL does not hold the API to the scopes of its callers, for this role may not make the role that it needs:"
            " let one that may run `%s; GRANT %s TO %s`, then run `rice-stream migrate` again",
            *(MAKE_ROLE, API_ROLE, me),
        )
        return False
    if not is_superuser and not _may_take_role(connection):
        options = " WITH INHERIT FALSE, SET TRUE" if _tells_options_apart(connection) else ""
        # Refused: whoever made the role gave it to others only. It is needed where the API connects as this role.
        _tried(connection, f"GRANT {API_ROLE} TO CURRENT_USER{options}")
    return True


def _may_take_role(connection: Connection) -> bool:
    how = "SET" if _tells_options_apart(connection) else "MEMBER"
    return bool(connection.scalar(text(f"SELECT pg_has_role(:role, '{how}')"), {"role": API_ROLE}))


def _tells_options_apart(connection: Connection) -> bool:
    """Since PostgreSQL 16 membership says whether one may take the role, apart from whether one has its rights."""
    return (connection.dialect.server_version_info or ()) >= (16,)


def _tried(connection: Connection, statement: str) -> bool:
    """False: this role may not do that. True: it is done, by this transaction or by another one."""
    try:
        with connection.begin_nested():
            _run(connection, statement)
    except DBAPIError as error:
        state = getattr(error.orig, "sqlstate", None)
        if state == _REFUSED:
            return False
        if state not in _SOMEBODY_ELSE_DID:
            raise
    return True


def _to_secure(relation: _Relation) -> Iterator[str]:
    if relation.kind == "v":
        return
    condition = relation.condition
    if condition is None:
        if any(policy.startswith(f"{SCOPE} ") for policy in relation.policies):
            yield f"ALTER TABLE {relation.name} DISABLE ROW LEVEL SECURITY"
            yield from _without_policies(relation.name)
        return
    wanted = {f"{EVERYONE} ", f"{SCOPE} {condition_mark(condition)}"}
    if not relation.has_policies or not wanted <= set(relation.policies):
        yield from _without_policies(relation.name)
        yield from _secured(relation.name, condition)


def _without_policies(table: str) -> Iterator[str]:
    yield from (f"DROP POLICY IF EXISTS {policy} ON {table}" for policy in (EVERYONE, SCOPE))


def _secured(table: str, condition: str) -> Iterator[str]:
    yield f"CREATE POLICY {EVERYONE} ON {table} USING (true)"
    yield f"CREATE POLICY {SCOPE} ON {table} AS RESTRICTIVE TO {API_ROLE} USING ({condition})"
    yield f"COMMENT ON POLICY {SCOPE} ON {table} IS '{condition_mark(condition)}'"
    yield f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"


def condition_mark(condition: str) -> str:
    """PostgreSQL keeps a condition's meaning, not its text: this tells whether it is still the one that was meant."""
    return f"rice-stream {hashlib.sha256(condition.encode()).hexdigest()[:16]}"


def _to_grant(there: Iterable[_Relation]) -> Iterator[str]:
    for relation in there:
        wanted = relation.wanted_rights
        if relation.on_columns or not set(relation.rights) <= set(wanted):
            yield f"REVOKE ALL ON {relation.name} FROM {API_ROLE}"
        elif relation.rights == wanted:
            continue
        if wanted:
            yield f"GRANT {', '.join(wanted)} ON {relation.name} TO {API_ROLE}"
    for relation in there:
        if "INSERT" in relation.wanted_rights:
            yield from (f"GRANT USAGE ON SEQUENCE {sequence} TO {API_ROLE}" for sequence in relation.sequences)


def _grant_around(connection: Connection) -> None:
    """The schema's tables may be named; the function that reads with its owner's rights may not be called."""
    schema = connection.scalar(text("SELECT quote_ident(current_schema())"))
    if not connection.scalar(text("SELECT has_schema_privilege(:role, current_schema(), 'USAGE')"), {"role": API_ROLE}):
        _run(connection, f"GRANT USAGE ON SCHEMA {schema} TO {API_ROLE}")
    may_call = text(
        "SELECT EXISTS (SELECT 1 FROM pg_proc p, aclexplode(p.proacl) a"
        " WHERE p.oid = to_regprocedure(:name) AND a.grantee = to_regrole(:role))"
    )
    if connection.scalar(may_call, {"name": SIGNATURE, "role": API_ROLE}):
        _run(connection, f"REVOKE ALL ON FUNCTION {SIGNATURE} FROM {API_ROLE}")


def _run(connection: Connection, statement: str) -> None:
    connection.exec_driver_sql(statement)
