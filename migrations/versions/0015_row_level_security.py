"""Row-level security for the API, on PostgreSQL: a role of its own, and policies that hold it to a scope.

They are brought into a database of the newest schema after the steps, as views are (store/row_security.py): this step makes
every older one run `rice-stream migrate`.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.exc import DBAPIError

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_ROLE = "rice_api"
_HERE = "CAST(current_schema() AS regnamespace)"
_UNDONE = f"""
SELECT format('DROP POLICY %I ON %I', p.polname, c.relname) FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
WHERE c.relnamespace = {_HERE} AND p.polname IN ('rice_everyone', 'rice_api_scope')
UNION ALL
SELECT DISTINCT format('ALTER TABLE %I DISABLE ROW LEVEL SECURITY', c.relname)
FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
WHERE c.relnamespace = {_HERE} AND p.polname = 'rice_everyone'
UNION ALL
SELECT DISTINCT format('REVOKE ALL ON %s %I FROM {_ROLE}', CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.relname)
FROM pg_class c, aclexplode(c.relacl) a WHERE c.relnamespace = {_HERE} AND a.grantee = to_regrole('{_ROLE}')
UNION ALL
SELECT format('REVOKE ALL ON SCHEMA %I FROM {_ROLE}', n.nspname) FROM pg_namespace n, aclexplode(n.nspacl) a
WHERE n.oid = {_HERE} AND a.grantee = to_regrole('{_ROLE}')"""
# Another database, or somebody who connects as a member of it, may need the role still.
_IS_UNUSED = f"""
SELECT to_regrole('{_ROLE}') IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM pg_shdepend d
    WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = to_regrole('{_ROLE}'))
  AND NOT EXISTS (SELECT 1 FROM pg_auth_members m
    WHERE m.roleid = to_regrole('{_ROLE}') AND pg_get_userbyid(m.member) <> current_user)"""


def upgrade() -> None:
    """What comes, comes after the steps."""


def downgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    for statement in connection.execute(sa.text(_UNDONE)).scalars().all():
        connection.exec_driver_sql(statement)
    if connection.scalar(sa.text(_IS_UNUSED)):
        try:
            with connection.begin_nested():
                connection.exec_driver_sql(f"DROP ROLE {_ROLE}")
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in ("42501", "2BP01", "42704"):
                raise
            # Only who made it may drop it, or another database has begun to use it: it does no harm.
