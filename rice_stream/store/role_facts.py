"""What PostgreSQL says of the role that one is connected as, and of the API's: whether the API can be held to a scope."""

from typing import Any, NamedTuple

from sqlalchemy import Row, text

from rice_stream.store.engine import Engine, reading
from rice_stream.store.range_function import SIGNATURE
from rice_stream.store.row_access import ACCESS, ALL_ROWS
from rice_stream.store.row_security import SCOPE, condition_mark
from rice_stream.store.scoped import API_ROLE
from rice_stream.store.views import view_queries


class RoleFacts(NamedTuple):
    """Names are as SQL writes them."""

    login: str
    """The role that the connection was opened as, whichever it has taken since."""
    login_passes_by: str | None
    """Why no policy holds it: it is, or may become, one of these; None: it is held."""
    has_role: bool = False
    """Whether there is the API's role; what follows is about it."""
    role_passes_by: str | None = None
    """The same for that role."""
    may_take_role: bool = False
    open_tables: tuple[str, ...] = ()
    """Tables without the policies that this version means them to have."""
    closed_tables: tuple[str, ...] = ()
    """Tables on which the API's role lacks rights."""
    open_views: tuple[str, ...] = ()
    """What the API's role may read with the rights of another: views, and the function of ranges."""

    @property
    def is_held(self) -> bool:
        """Whether the connection's own role sees nothing without a scope."""
        return self.is_ready and self.login_passes_by is None

    @property
    def is_ready(self) -> bool:
        """Whether a transaction can take the role, and is held to its scope then."""
        return self.may_take_role and self.role_passes_by is None and not self.open_tables and not self.closed_tables


_HERE = "CAST(current_schema() AS regnamespace)"
_PASSES_BY = f"""CASE
  WHEN EXISTS (SELECT 1 FROM pg_roles o WHERE o.rolsuper AND pg_has_role(r.oid, o.oid, 'MEMBER')) THEN 'is a superuser'
  WHEN EXISTS (SELECT 1 FROM pg_roles o WHERE o.rolbypassrls AND pg_has_role(r.oid, o.oid, 'MEMBER'))
    THEN 'may bypass row-level security'
  WHEN EXISTS (SELECT 1 FROM pg_class c WHERE c.relname = ANY (:tables) AND c.relnamespace = {_HERE}
    AND pg_has_role(r.oid, c.relowner, 'MEMBER')) THEN 'owns the tables' END"""
_ROLES = f"""
SELECT r.rolname = session_user AS is_login, r.rolname = :role AS is_api, quote_ident(r.rolname) AS name, {_PASSES_BY} AS passes_by,
  pg_has_role(session_user, r.oid, :option) AS may_be_taken
FROM pg_roles r WHERE r.rolname IN (session_user, :role)"""
_TABLES = f"""
SELECT c.relname, c.relispartition, c.relrowsecurity, ARRAY(
    SELECT obj_description(p.oid, 'pg_policy') FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = :policy) AS marks, ARRAY(
    SELECT x.name FROM unnest(CAST(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE'] AS text[])) x (name)
    WHERE has_table_privilege(CAST(:role AS name), c.oid, x.name)) AS rights
FROM pg_class c
WHERE c.relnamespace = {_HERE} AND (c.relname = ANY (:tables)
  OR c.oid IN (SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = to_regclass('prompt_record')))
ORDER BY c.relname"""
_OPEN = f"""
SELECT c.relname FROM pg_class c WHERE c.relnamespace = {_HERE} AND c.relname = ANY (:views)
  AND has_any_column_privilege(CAST(:role AS name), c.oid, 'SELECT')
UNION ALL
SELECT p.proname FROM pg_proc p
WHERE p.oid = to_regprocedure(:function) AND has_function_privilege(CAST(:role AS name), p.oid, 'EXECUTE')
ORDER BY 1"""


def role_facts(engine: Engine) -> RoleFacts | None:
    """None: it is no PostgreSQL, which alone has roles."""
    if engine.dialect.name != "postgresql":
        return None
    with reading(engine) as connection:
        # Since version 16 a member may have a role's rights and not take it, or the other way round.
        option = "SET" if (connection.dialect.server_version_info or ()) >= (16,) else "MEMBER"
        asked = {"role": API_ROLE, "tables": list(ACCESS), "option": option}
        roles = connection.execute(text(_ROLES), asked).all()
        login = next(row for row in roles if row.is_login)
        api = next((row for row in roles if row.is_api), None)
        if api is None:
            return RoleFacts(login.name, login.passes_by)
        tables = connection.execute(text(_TABLES), {**asked, "policy": SCOPE}).all()
        reached = {"role": API_ROLE, "views": list(view_queries("postgresql")), "function": SIGNATURE}
        return RoleFacts(
            login=login.name,
            login_passes_by=login.passes_by,
            role_passes_by=api.passes_by,
            has_role=True,
            may_take_role=api.may_be_taken,
            open_tables=tuple(row.relname for row in tables if _is_open(row)),
            closed_tables=tuple(row.relname for row in tables if not set(_wanted(row)) <= set(row.rights)),
            open_views=tuple(connection.scalars(text(_OPEN), reached)),
        )


def _wanted(row: Row[Any]) -> list[str]:
    return [] if row.relispartition else ACCESS[row.relname].rights_named


def _is_open(row: Row[Any]) -> bool:
    """A partition matters where the role may read it by its own name."""
    if row.relispartition:
        return "SELECT" in row.rights and not row.relrowsecurity
    condition = ACCESS[row.relname].rows
    return condition is not ALL_ROWS and not (row.relrowsecurity and list(row.marks) == [condition_mark(condition)])
