"""Cursors are good for the list, the filters, the caller and the servers that share a key, and for nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Grant
from rice_stream.api.access.shares import share_of_token
from rice_stream.api.cursors import Cursors, question_of
from rice_stream.api.problems import ProblemError

SHARE = share_of_token(1.0)
CURSORS = Cursors(b"k" * 32)


def caller(name: str = "token 1 (a)", tenants: frozenset[str] | None = None) -> Caller:
    return Caller(name, "token", (Grant("reader", tenants),), SHARE)


@given(st.binary(max_size=300))
def test_a_cursor_gives_back_its_position(position: bytes) -> None:
    question = question_of("/v1/prompts", {"tenant": "acme"}, caller())
    cursor = CURSORS.write(position, question)
    assert cursor.isascii()
    assert "=" not in cursor
    assert CURSORS.read(cursor, question) == position


@pytest.mark.parametrize(
    "question",
    [
        question_of("/v1/alerts", {"tenant": "acme"}, caller()),
        question_of("/v1/prompts", {"tenant": "globex"}, caller()),
        question_of("/v1/prompts", {}, caller()),
        question_of("/v1/prompts", {"tenant": "acme"}, caller("token 2 (b)")),
        question_of("/v1/prompts", {"tenant": "acme"}, caller(tenants=frozenset({"acme"}))),
    ],
)
def test_it_is_not_good_for_another_question(question: bytes) -> None:
    cursor = CURSORS.write(b"x", question_of("/v1/prompts", {"tenant": "acme"}, caller()))
    with pytest.raises(ProblemError, match="cursor") as caught:
        CURSORS.read(cursor, question)
    assert (int(caught.value.status), caught.value.slug) == (400, "cursor-mismatch")


@given(st.text(max_size=60))
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(ProblemError):
        CURSORS.read(text, b"q")


def test_one_changed_character_is_enough() -> None:
    cursor = CURSORS.write(b"position", b"q")
    for place in range(len(cursor)):
        changed = cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1 :]
        # The last character may hold bits that stand for nothing.
        if place < len(cursor) - 1:
            with pytest.raises(ProblemError):
                CURSORS.read(changed, b"q")
    with pytest.raises(ProblemError):
        Cursors(b"o" * 32).read(cursor, b"q")
