"""What is around a page, where the clock goes on while it is worked out."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from rice_stream.api.console.around import Around, NotKnownError
from rice_stream.store.scope import EVERYTHING
from tests.support.reports_store import NOON


def test_what_is_of_this_minute_is_still_known_where_the_minute_ends() -> None:
    """A page that is prepared within one minute, and worked out in the next, neither fails nor looks; in the next but one it is
    prepared anew, and whoever may look always has what is of now."""
    clock = SimpleNamespace(at=NOON.replace(second=59))
    around = Around(cast("Any", SimpleNamespace(now=lambda: clock.at)), EVERYTHING, "marker")
    found = iter(range(10))

    def ask(whose: Around) -> int:
        return whose.this_minute("what", lambda: next(found))

    assert [ask(around), ask(around), ask(around.known())] == [0, 0, 0]
    clock.at += timedelta(seconds=1)
    assert ask(around.known()) == 0
    assert [ask(around), ask(around.known())] == [1, 1]
    clock.at += timedelta(minutes=2)
    with pytest.raises(NotKnownError):
        ask(around.known())
