"""Tokens of the HTTP server in the database: kept as digests, ended by revocation and by time."""

import time

import pytest
from sqlalchemy import Engine, text

from rice_stream.api.access.issuing import AskedToken, issue, rotate
from rice_stream.api.access.secrets import digest_of, new_token, prefix_of
from rice_stream.errors import NotFoundError, RiceError, UsageError
from rice_stream.reports.audit import audit_entries
from rice_stream.reports.tokens import tokens
from rice_stream.store.engine import open_engine
from rice_stream.store.http_tokens import HttpToken, TokenConflictError, create_token, revoke_token
from rice_stream.store.live_tokens import EndedToken, live_tokens, mark_used, note_refused
from rice_stream.store.scope import EVERYTHING, Scope
from tests.support.databases import Databases
from tests.support.fakes import OPERATOR
from tests.support.reports_store import picked

DAY_US = 86_400_000_000


def now_us() -> int:
    return time.time_ns() // 1000


def token(name: str = "gateway", expires_at_us: int | None = None, **scope: frozenset[str]) -> tuple[str, HttpToken]:
    """The text and what is kept of it."""
    secret = new_token("ingest")
    kept = HttpToken(
        id=0,
        name=name,
        role="ingest",
        prefix=prefix_of(secret),
        digest=digest_of(secret),
        tenants=scope.get("tenants"),
        teams=scope.get("teams", frozenset()),
        requests_per_s=2.5,
        concurrency=7,
        created_at_us=now_us(),
        expires_at_us=expires_at_us,
    )
    return secret, kept


def actions(engine: Engine) -> list[str]:
    """What the audit trail has, oldest first."""
    return [row["action"] for row in reversed(audit_entries(engine, EVERYTHING)["rows"])]


class TestHttpTokens:
    """On every database."""

    def test_a_token_comes_back_as_it_was_made_and_nothing_of_it_can_be_used(self, engine: Engine) -> None:
        """Neither the database nor a copy of it lets anybody in."""
        secret, kept = token(tenants=frozenset({"acme", 'ti"tle', "*"}), teams=frozenset({"search"}))
        made = create_token(engine, kept, EVERYTHING, OPERATOR)
        assert made.id > 0
        assert (made.tenants, made.teams, made.requests_per_s, made.concurrency) == (
            frozenset({"acme", 'ti"tle', "*"}),
            frozenset({"search"}),
            2.5,
            7,
        )
        assert live_tokens(engine).tokens == (made,)
        with engine.connect() as connection:
            stored = repr(connection.execute(text("SELECT * FROM http_token")).all())
        assert secret not in stored
        assert secret[len(made.prefix) :] not in stored

    def test_every_tenant_is_not_a_tenant_of_that_name(self, engine: Engine) -> None:
        assert create_token(engine, token("all")[1], EVERYTHING, OPERATOR).tenants is None
        assert create_token(
            engine, token("star", tenants=frozenset({"*"}))[1], EVERYTHING, OPERATOR
        ).tenants == frozenset({"*"})

    def test_a_revoked_token_is_listed_and_not_live(self, engine: Engine) -> None:
        """Revoking it again changes nothing; its name is free for another."""
        made = create_token(engine, token()[1], EVERYTHING, OPERATOR)
        with pytest.raises(UsageError, match="gateway"):
            create_token(engine, token()[1], EVERYTHING, OPERATOR)
        revoked = revoke_token(engine, made.id, EVERYTHING, OPERATOR)
        assert (revoked.made, revoked.replaced_by) == ((), None)
        assert revoke_token(engine, made.id, EVERYTHING, OPERATOR) == revoked
        assert abs((revoked.token.revoked_at_us or 0) - now_us()) < 60_000_000
        assert live_tokens(engine).tokens == ()
        other = create_token(engine, token()[1], EVERYTHING, OPERATOR)
        assert picked(tokens(engine, EVERYTHING), "id", "state") == [(made.id, "revoked"), (other.id, "active")]
        with pytest.raises(NotFoundError, match="999"):
            revoke_token(engine, 999, EVERYTHING, OPERATOR)
        assert actions(engine) == ["token.create", "token.revoke", "token.create"]

    def test_an_expired_token_is_not_live_by_the_clock_of_the_database(self, engine: Engine) -> None:
        past, future = now_us() - 1_000_000, now_us() + DAY_US
        create_token(engine, token("past", past)[1], EVERYTHING, OPERATOR)
        made = create_token(engine, token("future", future)[1], EVERYTHING, OPERATOR)
        live = live_tokens(engine)
        assert live.tokens == (made,)
        assert abs(live.read_at_us - now_us()) < 60_000_000

    def test_a_database_without_the_table_is_an_error_that_the_server_lives_with(self, database: Databases) -> None:
        """As one that its role may not read: tokens cannot be checked then, and nothing else stops."""
        engine = open_engine(database.migrated())
        with engine.begin() as connection:
            connection.execute(text("DROP TABLE http_token"))
        for ask in (live_tokens, lambda engine: mark_used(engine, {1}, 5)):
            with pytest.raises(RiceError):
                ask(engine)
        engine.dispose()

    def test_use_is_noted(self, engine: Engine) -> None:
        made = create_token(engine, token()[1], EVERYTHING, OPERATOR)
        other = create_token(engine, token("other")[1], EVERYTHING, OPERATOR)
        mark_used(engine, {made.id}, 77)
        used = "1970-01-01T00:00:00.000077Z"
        assert picked(tokens(engine, EVERYTHING), "id", "last_used_at") == [(made.id, used), (other.id, None)]

    def test_ended_tokens_are_known_so_that_their_use_is_noticed(self, engine: Engine) -> None:
        """It is kept once a minute at most, without anything of the token."""
        revoked = create_token(engine, token("revoked", tenants=frozenset({"acme"}))[1], EVERYTHING, OPERATOR)
        expired = create_token(engine, token("expired", now_us() - 1)[1], EVERYTHING, OPERATOR)
        live = create_token(engine, token("live")[1], EVERYTHING, OPERATOR)
        revoke_token(engine, revoked.id, EVERYTHING, OPERATOR)
        ended = live_tokens(engine).ended
        assert ended == {
            revoked.digest: EndedToken(revoked.id, "revoked", frozenset({"acme"})),
            expired.digest: EndedToken(expired.id, "expired", None),
        }
        assert live.digest not in ended
        for _ in range(3):
            note_refused(engine, ended[revoked.digest])
        rows = audit_entries(engine, EVERYTHING, action="token.use_refused")["rows"]
        assert picked(rows, "actor", "tenant_id", "subject") == [
            (
                {"kind": "token", "name": f"token {revoked.id} (revoked)", "token_id": revoked.id},
                "acme",
                {"kind": "token", "id": str(revoked.id)},
            )
        ]

    def test_nothing_of_a_token_that_could_be_used_is_in_the_trail(self, engine: Engine) -> None:
        issued = issue(engine, AskedToken("gw", "editor"), EVERYTHING, OPERATOR)
        rotated = rotate(engine, issued.token.id, EVERYTHING, OPERATOR, overlap_hours=1)
        revoke_token(engine, rotated.token.id, EVERYTHING, OPERATOR)
        with engine.connect() as connection:
            kept = repr(connection.execute(text("SELECT * FROM audit_entry")).all())
        for one in (issued, rotated):
            random = one.secret.rpartition("_")[2]
            assert random[:6] not in kept
            assert one.token.digest.hex() not in kept
            assert repr(one.token.digest)[2:-1] not in kept

    def test_of_many_that_have_ended_those_that_ended_last_are_known(
        self, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """However old the token is that somebody has just revoked."""
        monkeypatch.setattr("rice_stream.store.live_tokens.ENDED_KEPT", 2)
        old, *others = (create_token(engine, token(f"t{number}")[1], EVERYTHING, OPERATOR) for number in range(4))
        for one in (*others, old):
            revoke_token(engine, one.id, EVERYTHING, OPERATOR)
        assert {one.id for one in live_tokens(engine).ended.values()} == {others[-1].id, old.id}


class TestRotation:
    """On every database."""

    def test_both_work_for_the_overlap_and_say_of_each_other(self, engine: Engine) -> None:
        """The new one allows the same and lasts as long as the old one did."""
        asked = AskedToken("gw", "reader", frozenset({"acme"}), frozenset({"red"}), 10, 2.5, 7)
        old = issue(engine, asked, EVERYTHING, OPERATOR).token
        new = rotate(engine, old.id, EVERYTHING, OPERATOR, overlap_hours=2).token
        rows = tokens(engine, EVERYTHING)
        assert picked(rows, "id", "state", "replaces") == [(old.id, "active", None), (new.id, "active", old.id)]
        same = ("name", "role", "tenants", "teams", "requests_per_s", "concurrency", "created_by")
        assert picked(rows[:1], *same) == picked(rows[1:], *same)
        assert rows[0]["created_by"] == "command line operator"
        [ends] = [one.expires_at_us for one in live_tokens(engine).tokens if one.id == old.id]
        assert abs((ends or 0) - now_us() - 2 * 3_600_000_000) < 60_000_000
        assert (new.expires_at_us or 0) - new.created_at_us == (old.expires_at_us or 0) - old.created_at_us
        assert actions(engine) == ["token.create", "token.create", "token.rotate"]

    def test_an_overlap_never_makes_a_token_last_longer(self, engine: Engine) -> None:
        old = issue(engine, AskedToken("gw", "reader", expires_days=0.5), EVERYTHING, OPERATOR).token
        rotate(engine, old.id, EVERYTHING, OPERATOR, overlap_hours=100)
        assert [one.expires_at_us for one in live_tokens(engine).tokens if one.id == old.id] == [old.expires_at_us]

    def test_without_an_overlap_the_old_one_ends_at_once(self, engine: Engine) -> None:
        old = issue(engine, AskedToken("gw", "ingest"), EVERYTHING, OPERATOR).token
        new = rotate(engine, old.id, EVERYTHING, OPERATOR, overlap_hours=0).token
        assert [one.id for one in live_tokens(engine).tokens] == [new.id]
        assert new.expires_at_us is None, "as the old one never ended"

    def test_one_that_has_ended_or_was_replaced_is_not_rotated(self, engine: Engine) -> None:
        """A second try would leave two successors, one of which nobody knows."""
        old = issue(engine, AskedToken("gw", "ingest"), EVERYTHING, OPERATOR).token
        new = rotate(engine, old.id, EVERYTHING, OPERATOR, overlap_hours=1).token
        with pytest.raises(TokenConflictError, match=f"replaced by token {new.id}"):
            rotate(engine, old.id, EVERYTHING, OPERATOR, overlap_hours=1)
        revoke_token(engine, new.id, EVERYTHING, OPERATOR)
        with pytest.raises(TokenConflictError, match="has ended"):
            rotate(engine, new.id, EVERYTHING, OPERATOR, overlap_hours=1)
        with pytest.raises(NotFoundError):
            rotate(engine, 999, EVERYTHING, OPERATOR, overlap_hours=1)
        assert len(tokens(engine, EVERYTHING)) == 2


class TestScopes:
    """Who may see and change which token: one whose tenants and teams are all of theirs."""

    SCOPES = (
        Scope(),
        Scope(frozenset({"acme"})),
        Scope(frozenset({"acme", "globex"})),
        Scope(frozenset({"acme"}), frozenset({"red"})),
        Scope(None, frozenset({"red"})),
        Scope(frozenset()),
    )

    def test_of_others_nothing_is_seen_or_changed(self, engine: Engine) -> None:
        """Every token x every scope; a token that is another's is answered for as one that is not there."""
        allowed = {(0, other) for other in range(5)} | {(1, 1), (1, 3), (2, 1), (2, 2), (2, 3), (3, 3), (4, 3), (4, 4)}
        made = [
            issue(engine, AskedToken(f"t{number}", "reader", scope.tenants, scope.teams), EVERYTHING, OPERATOR).token
            for number, scope in enumerate(self.SCOPES[:5])
        ]
        for number, scope in enumerate(self.SCOPES):
            seen = {row["id"] for row in tokens(engine, scope)}
            for other, token in enumerate(made):
                assert (token.id in seen) == ((number, other) in allowed), (scope, token)
                if (number, other) in allowed:
                    continue
                with pytest.raises(NotFoundError):
                    revoke_token(engine, token.id, scope, OPERATOR)
                with pytest.raises(NotFoundError):
                    rotate(engine, token.id, scope, OPERATOR, overlap_hours=1)
        assert {row["state"] for row in tokens(engine, EVERYTHING)} == {"active"}
        assert len(actions(engine)) == len(made)

    def test_whether_a_name_is_taken_by_another_tenant_is_not_told(self, engine: Engine) -> None:
        globex, acme = (AskedToken("gw", "reader", frozenset({name})) for name in ("globex", "acme"))
        issue(engine, globex, EVERYTHING, OPERATOR)
        issue(engine, acme, Scope(frozenset({"acme"})), OPERATOR)
        with pytest.raises(TokenConflictError):
            issue(engine, acme, Scope(frozenset({"acme"})), OPERATOR)
