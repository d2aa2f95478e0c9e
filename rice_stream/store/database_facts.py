"""What a database says of itself: its file, server, views, time zones in use, and clock; read by `rice-stream check`."""

from pathlib import Path
from typing import NamedTuple

from sqlalchemy import inspect, make_url, text
from sqlalchemy.exc import ArgumentError

from rice_stream.store.database_clock import database_now_us
from rice_stream.store.engine import Engine, reading

_SERVER_VERSION = {"postgresql": "SHOW server_version", "sqlite": "SELECT sqlite_version()"}


class TimeZonesInUse(NamedTuple):
    """Names of time zones: of tenants, of tenants and budgets, and those whose months are kept."""

    of_tenants: frozenset[str]
    of_all: frozenset[str]
    with_months: frozenset[str]


def masked_url(url: str, mask: str) -> str:
    """A database URL without its password, wherever it stands in it; the mask alone when it cannot be read.

    >>> masked_url("postgresql://rice:secret@db/rice?sslpassword=secret", "***")
    'postgresql://rice:***@db/rice?sslpassword=%2A%2A%2A'
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        # Whatever it is, it may hold a password.
        return mask
    hidden = {name: "***" if "pass" in name.lower() else value for name, value in parsed.query.items()}
    return parsed.set(query=hidden).render_as_string(hide_password=True)


def missing_file(url: str) -> Path | None:
    """The file of a SQLite database that does not exist yet."""
    if not url.startswith("sqlite") or "uri=true" in url:
        return None
    name = make_url(url).database
    return Path(name) if name and name != ":memory:" and not Path(name).exists() else None


def server_version(engine: Engine) -> str:
    """The version of the database's server, or of the SQLite library."""
    with reading(engine) as connection:
        return str(connection.scalar(text(_SERVER_VERSION[engine.dialect.name])))


def view_names(engine: Engine) -> frozenset[str]:
    """The views that are there."""
    with reading(engine) as connection:
        return frozenset(inspect(connection).get_view_names())


def time_zones(engine: Engine) -> TimeZonesInUse:
    """The time zones that tenants and budgets are set to, and those in the table of months."""
    with reading(engine) as connection:
        used = connection.scalars(text("SELECT time_zone FROM tenant UNION SELECT time_zone FROM budget")).all()
        months = connection.scalars(text("SELECT DISTINCT time_zone FROM month_start")).all()
        tenants = connection.scalars(text("SELECT DISTINCT time_zone FROM tenant")).all()
    return TimeZonesInUse(frozenset(tenants), frozenset(used), frozenset(months))


def clock_us(engine: Engine) -> int:
    """PostgreSQL's clock, epoch microseconds."""
    with reading(engine) as connection:
        return database_now_us(connection)
