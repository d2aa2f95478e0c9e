"""Whether PostgreSQL holds the API to the scopes of its callers: said by `check`, and decided on when `serve` opens it.

Elsewhere than on loopback `serve` does not go on without that. On loopback it does, with a warning: the local stack and a
first try connect as whoever owns the tables.
"""

import logging
from functools import cache
from typing import NamedTuple

from rice_stream.errors import UsageError
from rice_stream.store.engine import Engine
from rice_stream.store.role_facts import RoleFacts, role_facts
from rice_stream.store.row_security import MAKE_ROLE
from rice_stream.store.scoped import API_ROLE

log = logging.getLogger(__name__)

_LISTED_MAX = 5


class DatabaseRoleError(UsageError):
    """The role that RICE_DATABASE_URL connects as is not held to anything by the database."""


class RoleProblem(NamedTuple):
    """Why the database does not hold the API to a scope, and what to do."""

    what: str
    what_to_do: str

    def __str__(self) -> str:
        return f"{self.what}: {self.what_to_do}"


def check_role(engine: Engine, *, on_loopback: bool) -> str | None:
    """The role that the API's transactions take; None: there is none to take, so that only its statements keep to the scope.

    DatabaseRoleError: that is not accepted elsewhere than on loopback. StoreUnavailableError: the database does not answer.
    """
    facts = role_facts(engine)
    if facts is None:
        return None
    problem = confinement_problem(facts)
    if problem is not None and not on_loopback:
        raise DatabaseRoleError(f"{problem}; or listen on loopback (RICE_HTTP_HOST)")
    for warning in filter(None, (problem, open_view_problem(facts))):
        _warn_once(str(warning))
    return API_ROLE if facts.is_ready else None


def confinement_problem(facts: RoleFacts) -> RoleProblem | None:
    """What keeps the database from holding the API to a scope; None: nothing."""
    if not facts.has_role:
        return RoleProblem(
            f"the database has no role {API_ROLE}",
            f"let a role that may make roles run `{MAKE_ROLE}; GRANT {API_ROLE} TO {facts.login}`, then run `rice-stream migrate`",
        )
    if facts.role_passes_by is not None:
        return RoleProblem(
            f"the role {API_ROLE} {facts.role_passes_by}", "take that from it: no policy holds such a role"
        )
    lacking = tuple(dict.fromkeys((*facts.open_tables, *facts.closed_tables)))
    if lacking:
        named = ", ".join(lacking[:_LISTED_MAX]) + (", ..." if len(lacking) > _LISTED_MAX else "")
        return RoleProblem(
            f"policies or rights of {API_ROLE} are not what they should be on {named}",
            "run `rice-stream migrate` as their owner",
        )
    if facts.login_passes_by is not None:
        return RoleProblem(
            f"RICE_DATABASE_URL connects as {facts.login}, which {facts.login_passes_by}, so that what does not take the role"
            f" {API_ROLE} would see every tenant",
            f"give `serve` a role of its own, `CREATE ROLE rice_http LOGIN PASSWORD '...' IN ROLE {API_ROLE}`; `migrate` and"
            " `worker` go on as they are",
        )
    if not facts.may_take_role:
        return RoleProblem(
            f"RICE_DATABASE_URL connects as {facts.login}, which may not take the role {API_ROLE}",
            f"run `GRANT {API_ROLE} TO {facts.login}`",
        )
    return None


def open_view_problem(facts: RoleFacts) -> RoleProblem | None:
    """What the API's role may read past all policies; None: nothing."""
    if not facts.open_views:
        return None
    return RoleProblem(
        f"the role {API_ROLE} may use {', '.join(facts.open_views)}, which show every tenant to whoever may read them",
        "grant that to the roles of your BI tools, and revoke it from PUBLIC",
    )


def may_write_records(engine: Engine) -> bool:
    """Whether the login role may: PostgreSQL takes them by COPY, which it refuses to whoever is held by policies."""
    facts = role_facts(engine)
    return facts is None or facts.login_passes_by is not None


@cache
def _warn_once(problem: str) -> None:
    """Several parts of a server open the database."""
    log.warning("%s", problem)
