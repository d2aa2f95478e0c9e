"""The command line in this process, at a fixed time of day, and what a SQLite database holds after it.

Nothing here knows a module of rice_stream but `rice_stream.cli`: the modules behind it may move.
"""

import hashlib
import json
import os
import re
import sqlite3
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any
from unittest import mock

from click.testing import CliRunner, Result

from rice_stream.cli import cli
from tests.support.commands import all_commands

NOW = datetime.fromisoformat("2026-11-30T12:00:00+00:00")
"""What the clock says: dated tables, budgets and windows are looked up at it."""
_NOW_NS = int(NOW.timestamp()) * 1_000_000_000
TIMES_OF_NOW = frozenset(
    {
        "received_at",
        "received_at_us",
        "resolved_at",
        "resolved_at_us",
        "created_at",
        "created_at_us",
        "updated_at",
        "updated_at_us",
        "committed_at_us",
        "delivered_at_us",
    }
)
"""Fields and columns that say when something was done: left out everywhere."""
_MODULE = re.compile(r"rice_stream/[\w/]+\.py")


class _LooksLikeDatetime(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, datetime)


class _FixedDatetime(datetime, metaclass=_LooksLikeDatetime):
    """`datetime`, but that it is always the same time; everything that it makes is an ordinary datetime."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        return datetime(*args, **kwargs)  # noqa: DTZ001

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Any:
        return NOW.astimezone(tz)


def _modules() -> list[Any]:
    return [module for name, module in list(sys.modules.items()) if name.split(".")[0] == "rice_stream"]


@contextmanager
def fixed_clock() -> Iterator[None]:
    """It is `NOW`, for `time` and for every module of rice_stream that has imported `datetime`.

    `datetime.now` cannot be replaced where it is, so the name is, in whichever module holds it. All commands are loaded
    before, so that all these modules are there.
    """
    for _ in all_commands():
        pass
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(time, "time_ns", return_value=_NOW_NS))
        stack.enter_context(mock.patch.object(time, "time", return_value=_NOW_NS / 1e9))
        for module in _modules():
            for name, value in list(vars(module).items()):
                if value is datetime:
                    stack.enter_context(mock.patch.object(module, name, _FixedDatetime))
        yield


class Shell:
    """Command lines against one SQLite database, with no other RICE_* than those given."""

    def __init__(self, database: Path, **environment: str) -> None:
        self.database = database
        self._environment: dict[str, str | None] = {
            **{name: None for name in os.environ if name.startswith("RICE_")},
            "RICE_DATABASE_URL": f"sqlite:///{database}",
            "COLUMNS": "240",
            **environment,
        }

    def run(self, *arguments: str, **environment: str | None) -> Result:
        """One command line, as typed after `rice-stream`."""
        result = CliRunner().invoke(
            cli, list(arguments), env={**self._environment, **environment}, prog_name="rice-stream"
        )
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def json(self, *arguments: str, code: int = 0, **environment: str | None) -> Any:
        """What the command prints with `--json`, without the times of now."""
        result = self.run(*arguments, "--json", **environment)
        assert result.exit_code == code, (arguments, result.stderr)
        return lasting(json.loads(result.stdout))


def lasting(value: Any) -> Any:
    """The same document without the fields of `TIMES_OF_NOW`; modules that `explain` names are only `MODULE`."""
    if isinstance(value, dict):
        return {key: lasting(inner) for key, inner in value.items() if key not in TIMES_OF_NOW}
    if isinstance(value, list):
        return [lasting(inner) for inner in value]
    return _MODULE.sub("MODULE", value) if isinstance(value, str) else value


@contextmanager
def _reading(database: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        yield connection


def schema_of(database: Path) -> dict[str, Any]:
    """Kind, columns and named indexes of every table and view."""
    found: dict[str, Any] = {}
    with _reading(database) as connection:
        listed = connection.execute("SELECT name, type FROM sqlite_master WHERE type IN ('table', 'view')").fetchall()
        for name, kind in listed:
            if name.startswith("sqlite_"):
                continue
            columns = connection.execute(f'PRAGMA table_info("{name}")').fetchall()
            indexes = connection.execute(f'PRAGMA index_list("{name}")').fetchall()
            found[name] = {
                "kind": kind,
                "columns": {
                    column: {"type": type_, "not_null": bool(not_null), "primary_key": key}
                    for _, column, type_, not_null, _, key in columns
                },
                "indexes": {index[1]: True for index in indexes if not index[1].startswith("sqlite_")},
            }
    return found


_ZLIB = b"\x78\xda"


def rows_of(database: Path, name: str) -> list[dict[str, Any]]:
    """All rows of a table or view in an order of their own; bytes as hex, JSON text as what it says."""
    with _reading(database) as connection:
        cursor = connection.execute(f'SELECT * FROM "{name}"')
        columns = [column[0] for column in cursor.description]
        rows = [
            {column: _plain(value) for column, value in zip(columns, row, strict=True) if column not in TIMES_OF_NOW}
            for row in cursor
        ]
    return sorted(rows, key=lambda row: json.dumps(list(row.values()), ensure_ascii=False))


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        # Another library for compressing makes other bytes of the same tables.
        return value.hex() if not value.startswith(_ZLIB) else hashlib.sha256(zlib.decompress(value)).hexdigest()
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
