"""Changes of the ledger itself from within the server: with the rights of its login and not the API's role, where it has them."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from rice_stream.api.problems import ProblemError
from rice_stream.runtime.database_role import may_write_records
from rice_stream.runtime.opening import open_store
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.engine import Engine

MAY_NOT: dict[int | str, dict[str, Any]] = {409: {"description": "The server's database login may not write records"}}
"""What the document says of a route that changes the ledger."""


@contextmanager
def ledger_of(settings: Settings, command: str) -> Iterator[Engine]:
    """The database, seen as a whole: whoever uses it has made sure of what the caller may change.

    ProblemError 409: the server's login may not write records; `command` is what to run elsewhere.
    """
    engine = open_store(settings)
    try:
        if not may_write_records(engine):
            raise ProblemError(
                HTTPStatus.CONFLICT,
                f"the server's database login may not write records: run `{command}` where the worker runs",
            )
        yield engine
    finally:
        engine.dispose()
