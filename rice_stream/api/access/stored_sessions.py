"""The sessions of the server's database."""

from collections.abc import Callable

from rice_stream.store.engine import Engine
from rice_stream.store.sessions import (
    HttpSession,
    SignInRefusal,
    begin_session,
    end_session,
    find_session,
    mark_seen,
    note_refusal,
)


class StoredSessions:
    """A `SessionSource`; `engine` opens the database with the first look."""

    def __init__(self, engine: Callable[[], Engine]) -> None:
        self._engine = engine

    def begin(self, session: HttpSession, earlier: bytes | None) -> HttpSession:
        """Keep a new session, and end the browser's earlier one. RiceError: the database does not take it."""
        return begin_session(self._engine(), session, earlier)

    def find(self, digest: bytes, now_us: int) -> HttpSession | None:
        """The session with this digest, while it may be used. RiceError: the database does not answer."""
        return find_session(self._engine(), digest, now_us)

    def mark_seen(self, session_id: int, now_us: int) -> None:
        """Note that it was used. RiceError: the database does not take it."""
        mark_seen(self._engine(), session_id, now_us)

    def end(self, digest: bytes) -> None:
        """End it. RiceError: the database does not take it."""
        end_session(self._engine(), digest)

    def note_refusal(self, refusal: SignInRefusal) -> None:
        """Keep it in the audit trail. RiceError: the database does not take it."""
        note_refusal(self._engine(), refusal)
