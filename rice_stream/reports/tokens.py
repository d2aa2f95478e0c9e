"""Tokens of the HTTP server as lists show them: what each allows and whether it may be used; never a secret or a digest."""

from itertools import islice
from typing import Any

from sqlalchemy import select

from rice_stream.instants import rfc3339
from rice_stream.reports.pages import PAGE_ROWS, packed, unpacked
from rice_stream.store import schema
from rice_stream.store.database_clock import database_now_us
from rice_stream.store.engine import Engine
from rice_stream.store.http_tokens import ALL_TENANTS, HttpToken, Revocation, token_of
from rice_stream.store.scope import Scope
from rice_stream.store.scoped import scoped_reading


def tokens(engine: Engine, scope: Scope, *, after: int = 0, limit: int | None = None) -> list[dict[str, Any]]:
    """All tokens ever made for tenants and teams of the scope alone, oldest first; those that have ended as well.

    `after` is the id of a token: only later ones; `limit`: at most so many.
    """
    table = schema.http_token
    with scoped_reading(engine, scope) as connection:
        now_us = database_now_us(connection)
        rows = connection.execute(select(table).where(table.c.id > after).order_by(table.c.id)).mappings()
        seen = (token for token in map(token_of, rows) if token.is_within(scope))
        return [described_token(token, now_us) for token in islice(seen, limit)]


def token_page(engine: Engine, scope: Scope, *, after: bytes | None = None, limit: int = PAGE_ROWS) -> dict[str, Any]:
    """One page of them: `{"rows", "next"}`. UsageError: a position of another list."""
    rows = tokens(engine, scope, after=0 if after is None else unpacked(after, 1)[0], limit=limit + 1)
    return {"rows": rows[:limit], "next": packed(rows[limit - 1]["id"]) if len(rows) > limit else None}


def described_revocation(revoked: Revocation, now_us: int) -> dict[str, Any]:
    """The token that was ended, which ended with it, and which one has its place and goes on."""
    row = described_token(revoked.token, now_us)
    return {**row, "also_revoked": list(revoked.made), "replaced_by": revoked.replaced_by}


def described_token(token: HttpToken, now_us: int) -> dict[str, Any]:
    """The fields of an answer."""
    ended = None if token.is_live(now_us) else "expired" if token.revoked_at_us is None else "revoked"
    return {
        "id": token.id,
        "name": token.name,
        "prefix": token.prefix,
        "role": token.role,
        "tenants": ALL_TENANTS if token.tenants is None else sorted(token.tenants),
        "teams": sorted(token.teams),
        "requests_per_s": token.requests_per_s,
        "concurrency": token.concurrency,
        "state": ended or "active",
        "created_at": rfc3339(token.created_at_us),
        "created_by": token.created_by,
        "replaces": token.replaces,
        **{
            name: None if value is None else rfc3339(value)
            for name, value in (
                ("expires_at", token.expires_at_us),
                ("revoked_at", token.revoked_at_us),
                ("last_used_at", token.last_used_at_us),
            )
        },
    }
