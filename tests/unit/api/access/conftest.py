"""Tokens as a database would have them, and a clock of the test's own."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from rice_stream.api.access.secrets import digest_of, new_token, prefix_of
from rice_stream.errors import RiceError
from rice_stream.store.http_tokens import HttpToken
from rice_stream.store.live_tokens import EndedToken, LiveTokens

NOW_US = 1_795_348_800_000_000


@dataclass
class Database:
    """A `TokenSource`; `problem` is raised instead of an answer."""

    tokens: list[HttpToken] = field(default_factory=list)
    problem: RiceError | None = None
    reads: int = 0
    used: set[int] = field(default_factory=set)
    ended: dict[bytes, EndedToken] = field(default_factory=dict)
    refused: list[int] = field(default_factory=list)

    def make(self, role: str = "ingest", tenants: set[str] | None = None, **limits: Any) -> str:
        """A new token; returns its text."""
        secret = new_token(role)
        self.tokens.append(
            HttpToken(
                id=len(self.tokens) + 1,
                name=f"{role}-{len(self.tokens)}",
                role=role,
                prefix=prefix_of(secret),
                digest=digest_of(secret),
                tenants=None if tenants is None else frozenset(tenants),
                **{
                    "teams": frozenset(),
                    "requests_per_s": None,
                    "concurrency": None,
                    "created_at_us": NOW_US,
                    "expires_at_us": None,
                    **limits,
                },
            )
        )
        return secret

    def read(self) -> LiveTokens:
        """All tokens, or the problem."""
        self.reads += 1
        if self.problem is not None:
            raise self.problem
        return LiveTokens(tuple(self.tokens), NOW_US, dict(self.ended))

    def end(self, secret: str) -> None:
        """Revoke a token."""
        [token] = [one for one in self.tokens if one.digest == digest_of(secret)]
        self.tokens.remove(token)
        self.ended[token.digest] = EndedToken(token.id, token.name, token.tenants)

    def mark_used(self, ids: frozenset[int]) -> None:
        """Keep the ids."""
        self.used |= ids

    def note_refused(self, token: EndedToken) -> None:
        """Keep the id."""
        self.refused.append(token.id)


@pytest.fixture
def tokens() -> Database:
    """A database without tokens."""
    return Database()
