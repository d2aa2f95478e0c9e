"""What a database's error means for a batch: come again later, some of its data is at fault, or the statement is.

Decided by SQLSTATE on PostgreSQL and by result code on SQLite, here and nowhere else.
"""

import sqlite3
from enum import Enum

from sqlalchemy.exc import DBAPIError, TimeoutError

from rice_stream.errors import RiceError

_LATER = frozenset({"08", "25", "26", "28", "3D", "40", "53", "55", "57", "58", "0A"})
"""SQLSTATE classes of a server or connection that is not fit for it now, however right the batch is: connection lost, a
standby that only reads after a fail-over (25), another session's locks (40, 55), out of disk or memory (53), shut down or
cancelled (57), disk errors (58); 26 and 0A: a plan or statement that the connection had prepared is void."""
_STATEMENT = frozenset({"42", "3F", "2F", "38", "39"})
"""SQLSTATE classes of statements, tables and rights that are not as this version expects them."""
_CANCELLED = "57014"
"""PostgreSQL: a statement that took longer than it may, or that somebody ended."""
_OUT_OF_RANGE = ("22003", "SQLITE_CONSTRAINT_CHECK")
"""PostgreSQL's, and that of the constraints by which SQLite's totals stay integers."""
_SQLITE_STATEMENT = frozenset({sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISUSE, sqlite3.SQLITE_RANGE})


class Meaning(Enum):
    """What to do about an error of the database."""

    LATER = "try again, with a new connection"
    DATA = "some of the data is at fault"
    STATEMENT = "the database is not what this version expects"


class NotStorableError(RiceError):
    """The database refused data, and will refuse it again: nothing of the transaction is stored.

    `reason` is a code of the quarantine; the message names the SQLSTATE and never a value.
    """

    def __init__(self, error: BaseException) -> None:
        state = code_of(error)
        self.reason = (
            "amount_overflow" if state in _OUT_OF_RANGE or isinstance(error, OverflowError) else "not_storable"
        )
        what = ": a sum would leave the range of 64-bit integers" if self.reason == "amount_overflow" else ""
        super().__init__(f"the database does not take it: {state} ({type(error).__name__}){what}")


class UnexpectedDatabaseError(RiceError):
    """A statement of ours failed as such: the database's tables or rights are not those of this version."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(
            f"the database is not as this version of rice-stream expects it ({code_of(error)}: {first_line(error)}); run"
            " `rice-stream migrate` with this version, and see that the role of RICE_DATABASE_URL may read and write its tables"
        )


def first_line(error: BaseException) -> str:
    """What a driver's error says, without the statement and the hints that follow."""
    return str(error).strip().partition("\n")[0]


def origin_of(error: BaseException) -> BaseException:
    """The driver's error behind SQLAlchemy's."""
    return error.orig if isinstance(error, DBAPIError) and error.orig is not None else error


def code_of(error: BaseException) -> str:
    """The SQLSTATE, SQLite's name for the failure, or else the name of the error."""
    code = getattr(error, "sqlstate", None) or getattr(error, "sqlite_errorname", None)
    return str(code) if code else type(error).__name__


def meaning_of(error: BaseException) -> Meaning | None:
    """What an error means; None: it is none of a database's."""
    error = origin_of(error)
    if isinstance(error, sqlite3.Error):
        return _of_sqlite(error)
    if hasattr(error, "sqlstate"):  # psycopg's; not imported, because users of SQLite need not wait for it
        return _of_postgresql(error)
    return Meaning.LATER if isinstance(error, TimeoutError) else None


def is_cancelled(error: BaseException) -> bool:
    """Whether PostgreSQL gave a statement up: it took longer than it may, or somebody asked for that."""
    return getattr(origin_of(error), "sqlstate", None) == _CANCELLED


def _of_postgresql(error: BaseException) -> Meaning:
    state: str | None = getattr(error, "sqlstate", None)
    if state is None:
        # Said by the driver, not by the server: the connection is gone, or could not be made.
        names = {base.__name__ for base in type(error).__mro__}
        return Meaning.LATER if names & {"OperationalError", "InterfaceError"} else Meaning.DATA
    if state[:2] in _LATER:
        return Meaning.LATER
    return Meaning.STATEMENT if state[:2] in _STATEMENT else Meaning.DATA


def _of_sqlite(error: sqlite3.Error) -> Meaning:
    if isinstance(error, sqlite3.IntegrityError | sqlite3.DataError):
        return Meaning.DATA
    if isinstance(error, sqlite3.ProgrammingError) or getattr(error, "sqlite_errorcode", None) in _SQLITE_STATEMENT:
        return Meaning.STATEMENT
    # Locked, full, read-only, unreadable: all of them pass, or are for a person to mend.
    return Meaning.LATER
