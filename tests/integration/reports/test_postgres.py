"""The reports on the real PostgreSQL: the same guarantees as on SQLite."""

import secrets
from collections.abc import Iterator

import pytest

from rice_stream.sandbox.stack.postgres import PostgresServer
from rice_stream.store.engine import open_engine
from rice_stream.store.migrate import migrate
from tests.behaviours.consumption import ConsumptionSuite
from tests.behaviours.explanation import ExplanationSuite
from tests.behaviours.quarantine import QuarantineSuite
from tests.behaviours.totals import TotalsSuite
from tests.behaviours.verification import VerificationSuite
from tests.support.reports_store import Store, postgres_store


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
