"""The database as the checks beside its own ask it: an answer, or nothing, because others say that it does not answer."""

from collections.abc import Callable
from typing import TypeVar

from rice_stream.errors import RiceError
from rice_stream.runtime.opening import database_exists, open_store
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.engine import Engine

_ANSWERS_WITHIN_S = 5
_T = TypeVar("_T")


def asked_of_database(settings: Settings, question: Callable[[Engine], _T]) -> _T | None:
    """What the database of the settings answers; None: there is none, or it cannot be asked."""
    if not database_exists(settings):
        return None
    try:
        engine = open_store(settings, answers_within_s=_ANSWERS_WITHIN_S)
    except RiceError:
        return None
    try:
        return question(engine)
    except RiceError:
        return None
    finally:
        engine.dispose()
