"""`/readyz` says whether events can be taken, to anybody, and nothing about where the brokers are."""

import asyncio
import logging
from collections.abc import Callable

import pytest

from rice_stream.api import readiness
from rice_stream.api.readiness import Readiness
from rice_stream.errors import ServiceUnavailableError, UsageError
from tests.support.asgi import ask
from tests.unit.api.conftest import Door

GONE = ServiceUnavailableError("no Kafka broker answers at kafka-internal-1:9092")
NO_TOPIC = UsageError("RICE_HTTP_TOPIC: topic 'inner-name': unknown; create it or name another")


@pytest.mark.parametrize(("problem", "said"), [(GONE, "no broker answers"), (NO_TOPIC, "the topic cannot be")])
def test_the_answer_names_neither_brokers_nor_topics(
    door: Callable[..., Door], caplog: pytest.LogCaptureFixture, problem: Exception, said: str
) -> None:
    """The log has all of it."""
    made = door()
    made.publisher.problem = problem
    with caplog.at_level(logging.WARNING):
        answer = made.get("/readyz")
    assert answer.status == 503
    assert answer.document["problems"]["kafka"].startswith(said)
    assert b"inner" not in answer.body
    assert b"kafka-internal" not in answer.body
    assert str(problem) in caplog.text


def test_many_that_ask_cost_one_look(door: Callable[..., Door]) -> None:
    """Each look takes a thread for up to two seconds; those threads read the bodies too."""
    made = door()

    async def all_at_once() -> list[int]:
        answers = await asyncio.gather(*(ask(made.app, "GET", "/readyz") for _ in range(50)))
        return [answer.status for answer in answers]

    assert asyncio.run(all_at_once()) == [200] * 50
    assert made.publisher.looks == 1


def test_what_was_seen_holds_for_a_second_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """Then it is looked at again; the end of a problem is logged too."""
    now_s = [0.0]
    found: list[Exception | None] = [GONE, GONE, None]

    def check(_timeout_s: float) -> None:
        problem = found.pop(0)
        if problem is not None:
            raise problem

    async def asked_over_time() -> list[bool]:
        ready = Readiness(check, lambda: now_s[0])
        answers = []
        for now_s[0] in (0.0, 0.9 * readiness.HOLDS_S, readiness.HOLDS_S, 2 * readiness.HOLDS_S):
            answers.append(await ready.problem() is None)
        return answers

    with caplog.at_level(logging.INFO):
        assert asyncio.run(asked_over_time()) == [False, False, False, True]
    assert [record.message for record in caplog.records if record.name == readiness.__name__] == [
        f"not ready: {GONE}",
        "ready again",
    ]
