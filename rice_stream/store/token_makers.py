"""Tokens that were made with other tokens: none of them goes on when the one that made it has ended.

`created_by` of a token says with which other one it was made, as the audit trail names that.
"""

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, or_, select

from rice_stream.store import schema
from rice_stream.store.audit import Actor

_START = "token {} ("
"""What no other actor's name begins with: those of sessions and of the command line begin with what they are."""


class MakerEnd(NamedTuple):
    """Until when whoever makes a token may do so; `expires_at_us` None: without an end."""

    expires_at_us: int | None
    is_over: bool


def lock_maker(connection: Connection, by: Actor, now_us: int) -> MakerEnd:
    """Of the token that the actor has: it is not revoked by anybody before the transaction ends."""
    columns = schema.http_token.c
    if by.token_id is None:
        return MakerEnd(None, is_over=False)
    query = select(columns.expires_at_us, columns.revoked_at_us).where(columns.id == by.token_id).with_for_update()
    row = connection.execute(query).one_or_none()
    if row is None:
        return MakerEnd(None, is_over=False)
    expired = row.expires_at_us is not None and row.expires_at_us <= now_us
    return MakerEnd(row.expires_at_us, is_over=expired or row.revoked_at_us is not None)


def is_made_with_token(created_by: str | None) -> bool:
    """Whether a token was made with another one."""
    return (created_by or "").startswith("token ")


def ids_made_with(connection: Connection, token_id: int, live: Iterable[ColumnElement[bool]]) -> list[int]:
    """The tokens that were made with this one, those that were made with these, and so on: those that are `live`."""
    columns = schema.http_token.c
    found: list[int] = []
    makers = [token_id]
    while makers:
        made_with = or_(*(columns.created_by.startswith(_START.format(maker), autoescape=True) for maker in makers))
        makers = list(connection.scalars(select(columns.id).where(made_with, columns.id.not_in(found), *live)))
        found += makers
    return sorted(found)
