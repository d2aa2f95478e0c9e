"""Sessions of browsers in the database: begun at sign-in, found with each request, ended by sign-out or by time."""

import json
from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, Connection, Engine, and_, delete, insert, select, update

from rice_stream.instants import SECOND_US
from rice_stream.store import schema
from rice_stream.store.audit import Actor, AuditedChange, record, record_seldom
from rice_stream.store.scope import EVERYTHING
from rice_stream.store.scoped import scoped_reading, scoped_writing

IDLE_US = 8 * 3_600 * SECOND_US
"""A session that is not used for so long has ended."""
LONGEST_US = 24 * 3_600 * SECOND_US
"""A session ends after so long however much it is used."""


REFUSALS_NOTED_EVERY_US = 60 * SECOND_US
NOBODY = "somebody unknown"


@dataclass(frozen=True, slots=True)
class SignInRefusal:
    """A sign-in (`session.refused`) or sign-out (`session.end_refused`) that did not happen. `by`: `oidc` or `link`."""

    action: str
    by: str
    reason: str
    who: str = NOBODY


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

    @property
    def who(self) -> str:
        """Whose it is, as the audit trail and the log name them."""
        return who(self.name, self.subject)

    def is_live(self, now_us: int) -> bool:
        """Whether it may be used at this time."""
        return now_us < self.created_at_us + LONGEST_US and now_us < self.last_seen_at_us + IDLE_US


def who(name: str, subject: str) -> str:
    """Somebody who is signed in, by the name that is shown and what the provider knows them by."""
    return f"{name} ({subject})" if subject not in ("", name) else name


def begin_session(engine: Engine, session: HttpSession, earlier: bytes | None = None) -> HttpSession:
    """Keep a new session, and end the one that the browser had before; what has ended by now is removed.

    The audit trail has both.
    """
    table = schema.http_session
    with scoped_writing(engine, EVERYTHING) as connection:
        ended = _ended(connection, earlier or b"")
        connection.execute(delete(table).where(~_live(session.created_at_us)))
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
        began = AuditedChange("session.begin", "session", str(session_id), after={"by": session.kind})
        record(connection, _actor(session.who), [*ended, began])
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
    """End a session; returns whether there was one. The audit trail has it."""
    table = schema.http_session
    with scoped_writing(engine, EVERYTHING) as connection:
        row = connection.execute(select(table.c.name, table.c.subject).where(table.c.digest == digest)).one_or_none()
        ended = _ended(connection, digest)
        if row is not None:
            record(connection, _actor(who(*row)), ended)
        return bool(ended)


def note_refusal(engine: Engine, refusal: SignInRefusal) -> None:
    """Keep in the audit trail that nobody was signed in or out, once a minute at most for each way of it."""
    change = AuditedChange(refusal.action, "sign-in", refusal.by, after={"reason": refusal.reason})
    with scoped_writing(engine, EVERYTHING) as connection:
        record_seldom(connection, _actor(refusal.who), change, within_us=REFUSALS_NOTED_EVERY_US)


def _ended(connection: Connection, digest: bytes) -> list[AuditedChange]:
    """Remove the session with the digest; what the audit trail has of that, nothing where there was none."""
    table = schema.http_session
    gone = connection.execute(delete(table).where(table.c.digest == digest).returning(table.c.id, table.c.kind)).all()
    return [AuditedChange("session.end", "session", str(one), before={"by": kind}) for one, kind in gone]


def _actor(name: str) -> Actor:
    return Actor("session", name)


def _live(now_us: int) -> ColumnElement[bool]:
    columns = schema.http_session.c
    return and_(columns.created_at_us > now_us - LONGEST_US, columns.last_seen_at_us > now_us - IDLE_US)
