"""The reports on the real PostgreSQL: the same guarantees as on SQLite."""

import secrets
from collections.abc import Iterator

import pytest

from rice_stream.local import PostgresServer
from rice_stream.store import open_engine
from rice_stream.store.migrate import migrate
from tests.reports_store import Store, postgres_store
from tests.reports_suites.consumption import ConsumptionSuite
from tests.reports_suites.explanation import ExplanationSuite
from tests.reports_suites.quarantine import QuarantineSuite
from tests.reports_suites.totals import TotalsSuite
from tests.reports_suites.verification import VerificationSuite


@pytest.fixture(scope="module")
def database_url(postgres: PostgresServer) -> Iterator[str]:
    """One migrated database for all; every test finds it empty."""
    name = f"reports_{secrets.token_hex(4)}"
    url = postgres.create_database(name)
    engine = open_engine(url)
    migrate(engine)
    engine.dispose()
    yield url
    postgres.drop_database(name)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    with postgres_store(database_url) as store:
        yield store


class TestTotals(TotalsSuite):
    """`totals`."""


class TestConsumption(ConsumptionSuite):
    """What budgets consumed."""


class TestVerification(VerificationSuite):
    """`verify`."""


class TestExplanation(ExplanationSuite):
    """`explain`."""


class TestQuarantine(QuarantineSuite):
    """`quarantine list|show|replay|drop`."""
