"""What no tree of a month has, and figures rest on or were corrected for: whatever is changed of it is found, and named."""

from typing import Any

import pytest
from sqlalchemy import Engine, text

from rice_stream.ledger.voiding import void_record
from rice_stream.proof.audit_verification import VerifiedTrail
from rice_stream.proof.grounds_verification import verify_grounds
from rice_stream.reports.record_keys import find_key
from rice_stream.store.factor_set_store import add_set
from rice_stream.store.scope import EVERYTHING
from tests.behaviours.test_restating import BY_METHOD, filled, restate
from tests.support.factor_files import rci_row, set_of
from tests.support.fakes import OPERATOR
from tests.support.reports_store import Store


def problems(engine: Engine) -> list[str]:
    found = VerifiedTrail()
    verify_grounds(engine, found)
    return found.problems


@pytest.fixture
def corrected(store: Store) -> Engine:
    """Prompts, one of them voided, all restated, and a factor set; without what keeps rows from being changed."""
    engine = filled(store).engine
    restate(engine, BY_METHOD)
    key = find_key(engine, EVERYTHING, "g", "globex").key
    void_record(engine, key, "globex", "g", reason="a load test", by=OPERATOR)
    add_set(engine, set_of(rci_row()), None, OPERATOR)
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("ALTER TABLE factor_set DISABLE TRIGGER USER"))
        else:
            for name in connection.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
                connection.execute(text(f"DROP TRIGGER {name}"))
    return engine


CHANGES: list[tuple[str, dict[str, Any], str]] = [
    ("UPDATE factor_use SET pue = 3 WHERE factor_key = 1", {}, "factors 1 (small, unknown, fake-1): they are others"),
    (
        "UPDATE factor_use SET detail = '{}' WHERE factor_key = 1",
        {},
        "factors 1 (small, unknown, fake-1): they are others",
    ),
    ("UPDATE factor_set SET source = 'Ours'", {}, "(grid): its row says otherwise of source than its content"),
    ("UPDATE factor_set SET content = :new", {"new": b"{}"}, "(grid): its content is not that of its digest"),
    ("UPDATE adjustment SET reason = 'x' WHERE cause = 'void'", {}, "(void): its row says otherwise of its reason"),
    (
        "UPDATE adjustment SET author_name = 'x' WHERE cause = 'void'",
        {},
        "(void): its row says otherwise of its author",
    ),
    (
        "UPDATE adjustment SET digest = :new WHERE cause = 'void'",
        {"new": bytes(16)},
        "the audit trail does not tell of it",
    ),
    ("UPDATE restatement SET reason = 'x'", {}, ": its row says otherwise of its reason than the audit trail"),
]


@pytest.mark.parametrize(("statement", "values", "said"), CHANGES, ids=[statement for statement, _, _ in CHANGES])
def test_a_row_that_was_changed_is_named(corrected: Engine, statement: str, values: dict[str, Any], said: str) -> None:
    assert problems(corrected) == []
    with corrected.begin() as connection:
        assert connection.execute(text(statement), values).rowcount == 1
    [told] = problems(corrected)
    assert said in told
