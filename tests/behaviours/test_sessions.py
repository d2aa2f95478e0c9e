"""Sessions of browsers in the database: kept as digests, ended by signing out, by disuse and by age."""

from dataclasses import replace

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from rice_stream.api.access.secrets import digest_of
from rice_stream.reports.audit import audit_entries
from rice_stream.store.scope import EVERYTHING, Scope
from rice_stream.store.scoped import confined, scoped_reading
from rice_stream.store.sessions import (
    HttpSession,
    SignInRefusal,
    begin_session,
    end_session,
    find_session,
    mark_seen,
    note_refusal,
)

NOW_US = 1_795_348_800_000_000
HOUR_US = 3_600_000_000


def session(cookie: str = "s", at_us: int = NOW_US, **changes: object) -> HttpSession:
    """What is kept of a new one."""
    kept = HttpSession(digest_of(cookie), "oidc", "248289761001", "Ada", ("ai-finance", 'ti"tle'), at_us, at_us)
    return replace(kept, **changes)  # type: ignore[arg-type]


class TestSessions:
    """On every database."""

    def test_a_session_comes_back_as_it_was_made_and_nothing_of_it_can_be_used(self, engine: Engine) -> None:
        """Neither the database nor a copy of it lets anybody in."""
        made = begin_session(engine, session("the-secret"))
        assert made.id > 0
        assert find_session(engine, digest_of("the-secret"), NOW_US) == made
        assert find_session(engine, digest_of("another"), NOW_US) is None
        with engine.connect() as connection:
            assert "the-secret" not in repr(connection.execute(text("SELECT * FROM http_session")).all())

    def test_it_ends_after_eight_hours_without_use(self, engine: Engine) -> None:
        made = begin_session(engine, session())
        assert find_session(engine, made.digest, NOW_US + 8 * HOUR_US - 1) is not None
        assert find_session(engine, made.digest, NOW_US + 8 * HOUR_US) is None

    def test_it_ends_after_a_day_however_much_it_is_used(self, engine: Engine) -> None:
        made = begin_session(engine, session())
        for hours in range(7, 24, 7):
            mark_seen(engine, made.id, NOW_US + hours * HOUR_US)
        assert find_session(engine, made.digest, NOW_US + 24 * HOUR_US - 1) is not None
        assert find_session(engine, made.digest, NOW_US + 24 * HOUR_US) is None
        mark_seen(engine, made.id, NOW_US + 24 * HOUR_US)
        assert find_session(engine, made.digest, NOW_US + 24 * HOUR_US) is None

    def test_one_that_has_ended_does_not_live_again_by_being_used(self, engine: Engine) -> None:
        made = begin_session(engine, session())
        mark_seen(engine, made.id, NOW_US + 9 * HOUR_US)
        assert find_session(engine, made.digest, NOW_US + 9 * HOUR_US) is None

    def test_a_clock_that_goes_back_does_not_make_it_younger(self, engine: Engine) -> None:
        made = begin_session(engine, session())
        mark_seen(engine, made.id, NOW_US + HOUR_US)
        mark_seen(engine, made.id, NOW_US)
        found = find_session(engine, made.digest, NOW_US)
        assert found is not None
        assert found.last_seen_at_us == NOW_US + HOUR_US

    def test_signing_out_ends_it(self, engine: Engine) -> None:
        first, second = begin_session(engine, session("1")), begin_session(engine, session("2"))
        assert end_session(engine, first.digest)
        assert not end_session(engine, first.digest)
        assert find_session(engine, first.digest, NOW_US) is None
        assert find_session(engine, second.digest, NOW_US) == second

    def test_signing_in_ends_the_browsers_earlier_one_and_removes_what_is_over(self, engine: Engine) -> None:
        old = begin_session(engine, session("old", NOW_US - 25 * HOUR_US))
        earlier, others = begin_session(engine, session("earlier")), begin_session(engine, session("others"))
        made = begin_session(engine, session("new"), earlier.digest)
        with engine.connect() as connection:
            kept = set(connection.execute(text("SELECT id FROM http_session")).scalars())
        assert kept == {others.id, made.id}
        assert old.id not in kept

    def test_a_confined_database_keeps_them_and_shows_them_to_no_callers_scope(self, engine: Engine) -> None:
        limited = confined(engine)
        made = begin_session(limited, session())
        mark_seen(limited, made.id, NOW_US + 60_000_000)
        assert find_session(limited, made.digest, NOW_US) is not None
        if engine.dialect.name == "postgresql":
            with scoped_reading(limited, Scope(frozenset({"acme"}))) as connection:
                assert connection.scalar(text("SELECT COUNT(*) FROM http_session")) == 0
        assert end_session(limited, made.digest)

    def test_the_trail_has_who_signed_in_and_out_and_never_by_what(self, engine: Engine) -> None:
        """A session that another replaces has ended as well; one that is not there has not. Also for the API's role."""
        limited = confined(engine)
        first = begin_session(limited, session("1"))
        second = begin_session(limited, session("2"), first.digest)
        assert end_session(limited, second.digest)
        assert not end_session(limited, second.digest)
        rows = audit_entries(engine, EVERYTHING)["rows"]
        assert [(row["action"], row["subject"]["id"], row["actor"]["name"]) for row in reversed(rows)] == [
            (action, str(made.id), "Ada (248289761001)")
            for action, made in (
                ("session.begin", first),
                ("session.end", first),
                ("session.begin", second),
                ("session.end", second),
            )
        ]
        assert [row["after"] for row in rows if row["action"] == "session.begin"] == [{"by": "oidc"}] * 2
        with engine.connect() as connection:
            kept = repr(connection.execute(text("SELECT * FROM audit_entry")).all())
        assert first.digest.hex() not in kept
        assert repr(first.digest) not in kept

    def test_refusals_are_in_the_trail_once_a_minute_for_each_way(self, engine: Engine) -> None:
        """However many servers note them."""
        for by in ("oidc", "oidc", "link"):
            note_refusal(confined(engine), SignInRefusal("session.refused", by, "the state is another one"))
        note_refusal(confined(engine), SignInRefusal("session.end_refused", "oidc", "from another site", "Eve"))
        rows = audit_entries(engine, EVERYTHING)["rows"]
        assert [(row["action"], row["subject"]["id"], row["actor"]["name"]) for row in reversed(rows)] == [
            ("session.refused", "oidc", "somebody unknown"),
            ("session.refused", "link", "somebody unknown"),
            ("session.end_refused", "oidc", "Eve"),
        ]
        assert rows[-1]["after"] == {"reason": "the state is another one"}

    def test_the_database_takes_no_other_kind_and_no_digest_twice(self, engine: Engine) -> None:
        begin_session(engine, session())
        with pytest.raises(IntegrityError):
            begin_session(engine, session())
        with pytest.raises(IntegrityError):
            begin_session(engine, session("other", kind="password"))
