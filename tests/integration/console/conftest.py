"""A ledger with everything in it, a server in front of it, and a browser: one of each for all tests of the dashboard.

A test that asks for `chromium` runs in the browser's thread.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from rice_stream.sandbox.stack.postgres import PostgresServer
from tests.support import console_ledger
from tests.support.browsing import Chromium
from tests.support.console_names import HostileNames
from tests.support.console_serving import Console, serve
from tests.support.databases import PostgresDatabases, SqliteDatabases
from tests.support.services import start_again


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """In the browser's thread, where it is asked for."""
    browser = pyfuncitem.funcargs.get("chromium")
    if not isinstance(browser, Chromium):
        return None
    given = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    browser.run(partial(pyfuncitem.obj, **given))
    return True


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """The browser."""
    browser = Chromium()
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the databases of these tests."""
    return tmp_path_factory.mktemp("console")


@pytest.fixture(scope="session")
def new_ledger(sqlite_template: Path, folder: Path) -> Callable[[str], str]:
    """Makes migrated databases without data, in a folder of a name."""

    def made(name: str) -> str:
        (folder / name).mkdir()
        return SqliteDatabases(sqlite_template, folder / name).migrated()

    return made


@pytest.fixture(scope="session")
def console(new_ledger: Callable[[str], str], folder: Path) -> Iterator[Console]:
    """The dashboard over three tenants and two months; tests only look at it."""
    url = new_ledger("filled")
    console_ledger.fill(url)
    with serve(url, folder / "filled") as running:
        yield running


@pytest.fixture(scope="session")
def hostile(new_ledger: Callable[[str], str], folder: Path) -> Iterator[Console]:
    """A few days with HTML, templates and turned writing in every name."""
    url, names = new_ledger("hostile"), HostileNames()
    console_ledger.fill(url, names, **console_ledger.SMALL)
    with serve(url, folder / "hostile", names) as running:
        yield running


@pytest.fixture(scope="session")
def hostile_on_postgres(postgres: PostgresServer, folder: Path) -> Iterator[Console]:
    """The rows of `hostile` in PostgreSQL, which holds each caller to what is theirs."""
    databases, names = PostgresDatabases(postgres), HostileNames()
    start_again(postgres)
    url = databases.migrated()
    console_ledger.fill(url, names, **console_ledger.SMALL)
    (folder / "postgres").mkdir()
    with serve(url, folder / "postgres", names) as running:
        yield running
    databases.close()


@pytest.fixture(scope="session")
def empty(new_ledger: Callable[[str], str], folder: Path) -> Iterator[Console]:
    """Before the first event."""
    with serve(new_ledger("empty"), folder / "empty") as running:
        yield running
