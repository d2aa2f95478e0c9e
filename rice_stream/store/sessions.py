"""Sessions of browsers in the database: begun at sign-in, found with each request, ended by sign-out or by time."""

import json
from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, Engine, and_, delete, insert, or_, select, update

from rice_stream.instants import SECOND_US
from rice_stream.store import schema
from rice_stream.store.scope import EVERYTHING
from rice_stream.store.scoped import scoped_reading, scoped_writing

IDLE_US = 8 * 3_600 * SECOND_US
"""A session that is not used for so long has ended."""
LONGEST_US = 24 * 3_600 * SECOND_US
"""A session ends after so long however much it is used."""


@dataclass(frozen=True, slots=True)
class HttpSession:
    """Who signed in. `kind`: `oidc` or `link`; `groups`: those of the claims file that the provider named at sign-in."""

    digest: bytes
    """SHA-256 of what the cookie holds."""
    kind: str
    subject: str
    name: str
    groups: tuple[str, ...]
    created_at_us: int
    last_seen_at_us: int
    id: int = 0
    """Given by the database."""

    def is_live(self, now_us: int) -> bool:
        """Whether it may be used at this time."""
        return now_us < self.created_at_us + LONGEST_US and now_us < self.last_seen_at_us + IDLE_US


def begin_session(engine: Engine, session: HttpSession, earlier: bytes | None = None) -> HttpSession:
    """Keep a new session, and end the one that the browser had before; what has ended by now is removed."""
    table = schema.http_session
    with scoped_writing(engine, EVERYTHING) as connection:
        over = or_(~_live(session.created_at_us), table.c.digest == (earlier or b""))
        connection.execute(delete(table).where(over))
        values = {
            "digest": session.digest,
            "kind": session.kind,
            "subject": session.subject,
            "name": session.name,
            "groups": json.dumps(session.groups),
            "created_at_us": session.created_at_us,
            "last_seen_at_us": session.last_seen_at_us,
        }
        session_id = connection.execute(insert(table).values(**values).returning(table.c.id)).scalar_one()
    return replace(session, id=session_id)


def find_session(engine: Engine, digest: bytes, now_us: int) -> HttpSession | None:
    """The session with this digest; None: there is none, or it has ended."""
    table = schema.http_session
    with scoped_reading(engine, EVERYTHING) as connection:
        found = select(table).where(table.c.digest == digest, _live(now_us))
        row = connection.execute(found).mappings().one_or_none()
    if row is None:
        return None
    names = ("id", "kind", "subject", "name", "created_at_us", "last_seen_at_us")
    return HttpSession(
        digest=bytes(row["digest"]), groups=tuple(json.loads(row["groups"])), **{name: row[name] for name in names}
    )


def mark_seen(engine: Engine, session_id: int, now_us: int) -> None:
    """Note that a session has been used; one that has ended stays so."""
    table = schema.http_session
    with scoped_writing(engine, EVERYTHING) as connection:
        live = update(table).where(table.c.id == session_id, table.c.last_seen_at_us < now_us, _live(now_us))
        connection.execute(live.values(last_seen_at_us=now_us))


def end_session(engine: Engine, digest: bytes) -> bool:
    """End a session; returns whether there was one."""
    with scoped_writing(engine, EVERYTHING) as connection:
        ended = connection.execute(delete(schema.http_session).where(schema.http_session.c.digest == digest))
        return ended.rowcount > 0


def _live(now_us: int) -> ColumnElement[bool]:
    columns = schema.http_session.c
    return and_(columns.created_at_us > now_us - LONGEST_US, columns.last_seen_at_us > now_us - IDLE_US)
