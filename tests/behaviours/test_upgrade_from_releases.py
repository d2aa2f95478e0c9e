"""A database of each version that was released, upgraded to this one: every answer is the one that the version itself gave.

A version gets its ledger at its release (`python -m tests.released`), so the next one is held to it without a change here.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rice_stream import __version__
from rice_stream.store.engine import open_engine
from rice_stream.store.revisions import head_revision
from tests.released import ONCE
from tests.snapshot.running import Shell, fixed_clock
from tests.support.audited import SECRETS_KEY
from tests.support.databases import Databases
from tests.support.released_ledger import (
    differences,
    fill_ledger,
    kept_versions,
    read_ledger,
    released_versions,
    table_columns,
)

WITHOUT_ROWS = {"sqlite": {"untimed_day", "event_id_list"}, "postgresql": {"untimed_day"}}
"""One never has any, one has some on PostgreSQL only."""


@dataclass
class Upgraded:
    """A ledger, what it had before, and the command line of this version in front of it."""

    document: dict[str, Any]
    shell: Shell
    folder: Path


@pytest.fixture(scope="module", params=kept_versions())
def version(request: pytest.FixtureRequest) -> str:
    """Which version has left the ledger."""
    return str(request.param)


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def upgraded(
    request: pytest.FixtureRequest, version: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Upgraded]:
    """The released ledger with `migrate` of this version over it, at the instant at which it was asked."""
    document, folder = read_ledger(version, request.param), tmp_path_factory.mktemp("released")
    if request.param == "sqlite":
        url = f"sqlite:///{folder / 'rice.db'}"
    else:
        databases: Databases = request.getfixturevalue("postgres_of_module")
        url = databases.empty()
    engine = open_engine(url)
    fill_ledger(engine, document["schema"], document["rows"])
    now = table_columns(engine)
    engine.dispose()
    assert now == document["tables"], "a step of before the release makes other tables than it did"
    settings = {"RICE_DATABASE_URL": url, "RICE_SECRETS_KEY": SECRETS_KEY, "RICE_CHECKPOINT_ORIGIN": "ledger.example"}
    shell = Shell(folder / "none.db", **settings)
    with fixed_clock():
        migrated = shell.json("migrate")
        assert (migrated["from"], migrated["to"]) == (document["schema"], head_revision())
        yield Upgraded(document, shell, folder)


def test_every_answer_is_the_one_of_before(upgraded: Upgraded) -> None:
    """Totals, explanations, proofs and lists; there may be more in them than there was."""
    for name, words in upgraded.document["asked"].items():
        assert differences(upgraded.document["answers"][name], upgraded.shell.json(*words), name) == []


def test_all_that_can_be_verified_is(upgraded: Upgraded) -> None:
    """Totals are those of the records, none is to be rebuilt; trail, months and proofs of before hold, and the trail has grown."""
    shell = upgraded.shell
    verified = shell.json("verify")
    assert (verified["ok"], verified["records"]) == (True, len(upgraded.document["rows"]["prompt_record"]))
    assert shell.json("rebuild", "--dry-run")["differences_before"] == 0
    audited, before = shell.json(*ONCE), upgraded.document["audit"]
    assert (audited["ok"], audited["problems"], audited["months"]) == (True, [], before["months"])
    assert audited["entries"] >= before["entries"]
    proof, published = upgraded.folder / "proof.json", upgraded.folder / "checkpoint.txt"
    proof.write_text(json.dumps(upgraded.document["answers"]["prove"]), encoding="utf-8")
    [closed] = [row for row in upgraded.document["answers"]["periods"]["rows"] if row["state"] == "closed"]
    published.write_text(closed["checkpoint"], encoding="utf-8")
    assert shell.json("audit", "check", str(proof), "--checkpoint", str(published))["ok"]


def test_it_goes_on_counting(upgraded: Upgraded) -> None:
    """What is new is added once, and what was stored can be corrected. The last test, because it changes the ledger."""
    shell = upgraded.shell
    new = {"event_id": "new", "ended_at": "2026-11-29T08:00:00Z", "tenant_id": "acme", "request_model": "gpt-4o"}
    for recorded, duplicates in ((1, 0), (0, 1)):
        events = upgraded.folder / f"{recorded}.jsonl"
        events.write_text(json.dumps({**new, "input_tokens": 5, "output_tokens": 5}) + "\n" * duplicates)
        done = shell.json("ingest", str(events))
        assert (done["records"], done["duplicates"], done["conflicts"]) == (recorded, duplicates, 0)
    assert shell.run("void", "e-2", "--tenant=acme", "--reason=after the upgrade").exit_code == 0
    assert shell.json("verify")["ok"]
    assert shell.json(*ONCE)["ok"]


@pytest.mark.parametrize("kind", WITHOUT_ROWS)
def test_a_ledger_has_rows_of_every_table(version: str, kind: str) -> None:
    """So a later step is tried with data, whichever table it is about."""
    document = read_ledger(version, kind)
    assert document["version"] == version
    assert {table for table, rows in document["rows"].items() if not rows} == WITHOUT_ROWS[kind]


def test_every_release_has_its_ledgers() -> None:
    """Also the one that is being made: `python -m tests.released`, when CHANGELOG.md has its section."""
    assert set(released_versions()) <= set(kept_versions()), f"python -m tests.released keeps those of {__version__}"
