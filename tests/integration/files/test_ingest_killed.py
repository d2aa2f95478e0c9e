"""`rice-stream ingest` killed with SIGKILL half-way, on both databases: run again, everything has counted once."""

import json
from pathlib import Path

from rice_stream.store.engine import open_engine
from tests.support.databases import Databases
from tests.support.fakes import event
from tests.support.worker_harness import CommandProcess

EVENTS = 60_000


def test_a_killed_ingestion_run_again_has_counted_everything_once(tmp_path: Path, database: Databases) -> None:
    """The second run is told what the first has stored, and goes on there."""
    path = tmp_path / "events.jsonl"
    path.write_text("\n".join(json.dumps(event(event_id=f"e-{number}")) for number in range(EVENTS)))
    database_url = database.migrated()
    engine = open_engine(database_url)
    environment = {"RICE_DATABASE_URL": database_url}

    def value(query: str) -> int:
        with engine.connect().execution_options(rice_read_only=True) as connection:
            return int(connection.exec_driver_sql(query).scalar_one())

    first = CommandProcess(("ingest", str(path)), environment, tmp_path / "first.log")
    first.until(lambda: value("SELECT COALESCE(MAX(records), 0) FROM ingested_file") > 0, "the first batch")
    first.kill()
    stored = value("SELECT COUNT(*) FROM prompt_record")
    assert 0 < stored < EVENTS
    second = CommandProcess(("ingest", "--json", str(path)), environment, tmp_path / "second.log")
    assert second.wait(120) == 0, second.log
    counts = json.loads(second.log.splitlines()[-1])
    assert counts["skipped"] > 0
    assert (counts["events"], counts["records"], counts["duplicates"]) == (EVENTS, EVENTS - stored, stored)
    assert value("SELECT COUNT(*) FROM prompt_record") == EVENTS
    assert value("SELECT SUM(prompts) FROM minute_total") == EVENTS
    assert value("SELECT COUNT(*) FROM ingested_file") == 0
    engine.dispose()
