"""Every error is RFC 9457 problem details and says nothing of the request's content or of the server's inside."""

import asyncio
import logging
from collections.abc import Callable

import pytest

from rice_stream.api.problems import problem_of
from rice_stream.errors import DamagedArchiveError, NotFoundError, RiceError, ServiceUnavailableError, UsageError
from rice_stream.store.engine import StoreSlowError
from tests.support.asgi import Answer, ask
from tests.unit.api.access.conftest import Database
from tests.unit.api.conftest import Door

SECRET = "hunter2-in-a-query"


@pytest.fixture
def tokens() -> Database:
    """A database without tokens."""
    return Database()


def asked(door: Callable[..., Door], tokens: Database, path: str) -> Answer:
    return door(tokens=tokens).get(path, authorization=f"Bearer {tokens.make('reader')}")


@pytest.mark.parametrize(
    ("path", "field", "rule"),
    [
        (f"/v1/totals?limit={SECRET}", "limit", "int_parsing"),
        (f"/v1/totals?unknown={SECRET}", "unknown", "extra_forbidden"),
        (f"/v1/totals?from={SECRET}", "from", "value_error"),
        ("/v1/totals?limit=0", "limit", "greater_than_equal"),
    ],
)
def test_a_bad_parameter_is_named_with_its_rule(
    door: Callable[..., Door], tokens: Database, path: str, field: str, rule: str
) -> None:
    answer = asked(door, tokens, path)
    assert (answer.status, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.document["type"] == "/problems/invalid-parameters"
    found = [each for each in answer.document["invalid_parameters"] if each["field"].startswith(field)]
    assert [each["source"] for each in found[:1]] == ["query"]
    assert rule in [each["rule"] for each in found]
    assert SECRET not in answer.body.decode()


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/v1/nothing", 404), ("DELETE", "/v1/totals", 405)])
def test_paths_and_methods_that_do_not_exist(
    door: Callable[..., Door], tokens: Database, method: str, path: str, status: int
) -> None:
    answer = asked(door, tokens, path) if method == "GET" else door(tokens=tokens).ask(method, path)
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.document["status"] == status


@pytest.mark.parametrize(
    ("error", "status", "slug", "says"),
    [
        (UsageError("--from must lie before --to"), 400, "invalid-request", "from must lie before to"),
        (
            NotFoundError("there is no budget 'b'; see `rice-stream budget list`"),
            404,
            "not-found",
            "there is no budget 'b'",
        ),
        (ServiceUnavailableError("db-internal-7 is gone"), 503, "service-unavailable", "come back"),
        (StoreSlowError("db-internal-7 is slow"), 503, "took-too-long", "ask for less"),
        (
            UsageError(
                "--factors f: nothing is kept of it; see `rice-stream factors list` and `totals --json` (meta.versions)"
            ),
            400,
            "invalid-request",
            "factors f: nothing is kept of it",
        ),
        (
            DamagedArchiveError("/db-internal-7/rice is gone", "tenant-1/2026-09/0.parquet"),
            500,
            "archive-damaged",
            "tenant-1/2026-09/0.parquet of the archive is missing or damaged",
        ),
        (RiceError("db-internal-7"), 500, "internal-server-error", "incident"),
        (ZeroDivisionError("db-internal-7"), 500, "internal-server-error", "incident"),
    ],
)
def test_errors_of_ours_have_their_statuses(
    door: Callable[..., Door],
    tokens: Database,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    status: int,
    slug: str,
    says: str,
) -> None:
    """Fields instead of options, no command to run, and of what went wrong within only a number that the log has too."""
    made = door(tokens=tokens)

    def fail() -> None:
        raise error

    made.product.engine = fail  # type: ignore[method-assign,assignment]
    with caplog.at_level(logging.WARNING):
        headers = [("authorization", f"Bearer {tokens.make('reader')}")]
        answer = asyncio.run(ask(made.app, "GET", "/v1/totals", headers=headers, fails_with=(ZeroDivisionError,)))
    assert (answer.status, answer.document["type"]) == (status, f"/problems/{slug}")
    assert says in answer.document["detail"]
    assert "db-internal-7" not in answer.body.decode()
    assert "rice-stream" not in answer.document["detail"]
    if status == 503:
        assert answer.headers["retry-after"] == "5"
    if status == 500:
        assert answer.document["incident"] in caplog.text
        assert "db-internal-7" in caplog.text


def test_a_command_that_stays_in_a_message_stays_whole() -> None:
    """Whoever is told of it may run it, or ask somebody to."""
    error = UsageError(
        "--accept: a line is open (`rice-stream reconcile --month 2026-10`); see `rice-stream close --help`"
    )
    assert problem_of(error).detail == "accept: a line is open (`rice-stream reconcile --month 2026-10`)"
