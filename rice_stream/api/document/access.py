"""Answers about tokens, and about names that are erased."""

from pydantic import Field

from rice_stream.api.document.shapes import Answer


class Token(Answer):
    """A token without its secret; `prefix` is the beginning of it."""

    id: int
    name: str
    prefix: str
    role: str
    tenants: list[str] | str
    teams: list[str]
    requests_per_s: float | None
    concurrency: int | None
    state: str
    created_by: str | None
    replaces: int | None
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    last_used_at: str | None


class RevokedToken(Token):
    """A token that was ended. `replaced_by` has its place and goes on: it leaked as well where this one did."""

    also_revoked: list[int] = Field(description="Those that were made with it")
    replaced_by: int | None


class NewToken(Token):
    """A token with its secret, which is in this answer only."""

    token: str | None = None
    warning: str | None = None


class Erasure(Answer):
    """How many rows of which tables had the names, and what is written in their place; `dry_run`: nothing was changed."""

    erased: dict[str, int]
    stands_for: str
    dry_run: bool
