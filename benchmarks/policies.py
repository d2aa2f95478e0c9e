"""What row-level security costs: the same questions with the policies of all tables on and off, in turns."""

import asyncio
import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from sqlalchemy import Engine, text

from benchmarks.harness import Row
from benchmarks.http_load import Question, load

_TURN_S = 2.5
_TURNS = 3
_PLANNING_S = 2.5
"""Plans are made again once policies are other ones."""
_TABLES = text("SELECT CAST(CAST(oid AS regclass) AS text) FROM pg_class WHERE relrowsecurity ORDER BY 1")


def of_policies(engine: Engine, questions: Mapping[str, Question], port: int, token: str) -> list[Row]:
    """The median of each kind of question with the policies, against that without them."""
    rows = []
    for name, question in questions.items():
        on: list[float] = []
        off: list[float] = []
        # Every turn asks something else: answers are kept.
        for turn in range(0, 4 * _TURNS, 4):
            on.append(_median(question, port, token, turn))
            with _without_policies(engine):
                off.append(_median(question, port, token, turn + 2))
        held, free = (1_000 * statistics.median(times) for times in (on, off))
        rows.append(Row.against(f"{name}, held by row-level security, p50", held, "ms", "not held", free))
    return rows


def _median(question: Question, port: int, token: str, turn: int) -> float:
    asyncio.run(load(question, port, token, _PLANNING_S, turn))
    return statistics.median(asyncio.run(load(question, port, token, _TURN_S, turn + 1)))


@contextmanager
def _without_policies(engine: Engine) -> Iterator[None]:
    with engine.connect() as connection:
        tables = connection.scalars(_TABLES).all()
    _alter(engine, tables, "DISABLE")
    try:
        yield
    finally:
        _alter(engine, tables, "ENABLE")


def _alter(engine: Engine, tables: Sequence[str], how: str) -> None:
    with engine.begin() as connection:
        for table in tables:
            connection.execute(text(f"ALTER TABLE {table} {how} ROW LEVEL SECURITY"))
