"""The ledgers of this version, for the tests of every version after it: made by its own commands, once, at its release.

python -m tests.released     writes tests/support/data/released/VERSION/sqlite.json.gz and postgresql.json.gz

They stand for the databases that people have: what a later version upgrades them to has to answer what this version answered. A
ledger of a version that is out is never made again.
"""

import json
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from rice_stream import __version__
from rice_stream.alerting.judge import Judge
from rice_stream.instants import epoch_us
from rice_stream.sandbox.stack.guard import GUARD, temporary_directory
from rice_stream.sandbox.stack.postgres import PostgresServer
from rice_stream.store.closing_store import add_or_find_closing
from rice_stream.store.contract_store import CoveredHour, TenantMonth, save_covered
from rice_stream.store.engine import open_engine, writing
from rice_stream.store.revisions import head_revision
from tests.snapshot.running import NOW, Shell, fixed_clock
from tests.support.audited import SECRETS_KEY
from tests.support.channels_store import add_channel, add_delivery
from tests.support.fakes import OPERATOR
from tests.support.released_ledger import dumped_rows, keep_ledger, table_columns

MONTH = "2026-10"
SPAN = ("--from=2026-09-01", "--to=2026-12-01")
ASKED: dict[str, tuple[str, ...]] = {
    "totals": ("totals", *SPAN),
    "by names": ("totals", *SPAN, "--tenant=acme", "--by=team,project,model,region"),
    "by people": ("totals", *SPAN, "--by=tenant,user,cost-centre"),
    "by months": ("totals", *SPAN, "--by=tenant,provider,month", "--impacts"),
    "as reported": ("totals", *SPAN, "--by=tenant,day", "--as=reported"),
    "bridge": ("bridge", "--from=2026-10-01", "--to=2026-11-01", "--tenant=globex"),
    **{f"explain {name}": ("explain", name, "--tenant=acme") for name in ("e-0", "e-1", "e-4", "e-7", "late")},
    "explain restated": ("explain", "e-12", "--tenant=globex"),
    "prove": ("prove", "e-6", "--tenant=acme"),
    "periods": ("periods", "--tenant=acme"),
    "restatements": ("restate", "--list"),
    "budgets": ("budget", "list"),
    "tenants": ("tenant", "list"),
    "mappings": ("map", "list"),
    "tokens": ("token", "list"),
    "channels": ("channel", "list"),
    "alerts": ("alerts",),
    "quarantine": ("quarantine", "list"),
    "factors": ("factors", "list"),
}
"""What is asked of the command line, of this version and of every later one."""
ONCE = ("audit", "verify")
"""Asked apart: an upgrade adds to the audit trail."""
_GRID = """kind: rci
name: grid
source: Grid Co
licence: CC-BY-4.0
published: '2026-11-01'
rows:
  - {region: 'azure:swedencentral', scope: lifecycle, value: 12.5, unit: gCO2e/kWh, year: 2025}
"""
_MODELS = ("gpt-4o", "claude-sonnet-4", "llama-3.1-70b", "no-such-model")
_REGIONS = ("azure:swedencentral", "aws:us-east-1", "DE", "nowhere")


def main() -> None:
    """Write both ledgers."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        directory = temporary_directory("rice-released-")
        stack.callback(GUARD.delete_directory, directory)
        server = stack.enter_context(PostgresServer(directory))
        stack.enter_context(fixed_clock())
        for kind, url in (
            ("sqlite", f"sqlite:///{folder / 'rice.db'}"),
            ("postgresql", server.create_database("released")),
        ):
            (folder / kind).mkdir()
            document = made(folder / kind, url)
            file = keep_ledger(kind, document)
            empty = [table for table, rows in document["rows"].items() if not rows]
            print(f"{file}: {file.stat().st_size:,} bytes; without rows: {', '.join(empty)}")


def made(folder: Path, url: str) -> dict[str, Any]:
    """A ledger by the commands of this version, in an empty folder and an empty database."""
    settings = {"RICE_CHECKPOINT_ORIGIN": "ledger.example", "RICE_CHECKPOINT_FILE": str(folder / "checkpoints.txt")}
    shell = Shell(folder / "none.db", RICE_DATABASE_URL=url, RICE_SECRETS_KEY=SECRETS_KEY, **settings)
    for arguments in _commands(folder):
        done = shell.run(*arguments)
        if done.exit_code > (arguments[0] == "reconcile"):  # which may bring bad news
            raise AssertionError(f"rice-stream {' '.join(arguments)}: {done.stdout}{done.stderr}")
    engine = open_engine(url)
    try:
        _add_what_servers_store(engine)
        return {
            "version": __version__,
            "schema": head_revision(),
            "tables": table_columns(engine),
            "asked": ASKED,
            "answers": {name: shell.json(*words) for name, words in ASKED.items()},
            "audit": shell.json(*ONCE),
            "rows": dumped_rows(engine),
        }
    finally:
        engine.dispose()


def _commands(folder: Path) -> Iterator[tuple[str, ...]]:
    """What is done, in order."""
    files = {"events": _events(), "late": [_event(40, event_id="late", ended_at="2026-10-20T00:00:00Z")]}
    for name, events in files.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(each) + "\n" for each in events), encoding="utf-8")
    (folder / "grid.yaml").write_text(_GRID, encoding="utf-8")
    usage = [{"start_time_iso": "2026-10-02T00:00:00Z", "model": "gpt-4o", "input_tokens": 900, "output_tokens": 90}]
    (folder / "usage.jsonl").write_text("".join(json.dumps(each) + "\n" for each in usage), encoding="utf-8")
    accepted = [f"--accept={name}" for name in ("unattributed", "coverage", "quarantine")]
    october = ("--from=2026-10-01", "--to=2026-11-01")
    yield ("migrate",)
    yield ("map", "cost-centre", "search", "CC-1", "--tenant=acme", "--from=2026-01-01T00:00:00Z")
    yield ("map", "model", "corp-chat", "gpt-4o", "--from=2026-01-01T00:00:00Z")
    yield ("factors", "add", str(folder / "grid.yaml"), "--effective-from=2026-11-10")
    yield ("ingest", str(folder / "events.jsonl"))
    yield ("tenant", "set", "globex", "--time-zone=Asia/Kathmandu")
    yield ("budget", "set", "acme-month", "--tenant=acme", "--limit-gco2e=0.001", "--period=month")
    yield ("budget", "set", "of a person", "--tenant=acme", "--user=u-1", "--limit-kwh=1", "--period=rolling-30d")
    yield ("token", "create", "--name=reports", "--role=reader", "--tenant=acme")
    yield ("token", "create", "--name=all", "--role=admin")
    yield ("channel", "set", "hook", "--type=webhook", "--url=https://receiver.example", "--tenant=acme")
    yield ("void", "e-3", "--tenant=acme", "--reason=a load test")
    yield ("close", "--tenant=acme", f"--month={MONTH}", *accepted, "--reason=a trial month")
    yield ("ingest", str(folder / "late.jsonl"))
    yield ("reconcile", str(folder / "usage.jsonl"), "--provider=openai", "--tenant=acme", f"--month={MONTH}")
    yield ("restate", *october, "--tenant=globex", "--method=rice-paper", "--reason=another method")
    yield ("archive", "--tenant=acme", f"--month={MONTH}", f"--warehouse={folder / 'archive'}")


def _events() -> list[dict[str, Any]]:
    """Prompts of two tenants in two months: two that contradict, one without tokens, one metered, one of a cache, one refused."""
    events = [_event(number) for number in range(24)]
    events[1]["input_tokens"] = events[4]["output_tokens"] = None
    events[5]["gateway_cache_hit"] = True
    events.append({**events[2], "output_tokens": 999})
    events.append({**events[6]})
    events.append(_event(30, input_tokens=-1))
    return events


def _event(number: int, **changes: Any) -> dict[str, Any]:
    named = {
        "team_id": ("search", "ads", None)[number % 3],
        "project_id": ("ranker", None)[number % 2],
        "user_id": f"u-{number % 3}",
        "api_key_id": f"key-{number % 2}",
        "source": "/gateway",
    }
    return {
        "event_id": f"e-{number}",
        "ended_at": f"2026-{10 + number % 2}-{1 + number:02}T08:00:00Z",
        "tenant_id": "acme" if number < 10 or number >= 30 else "globex",
        "provider": ("openai", "anthropic")[number % 2],
        "request_model": _MODELS[number % 4],
        "inference_region": _REGIONS[number // 2 % 4],
        "input_tokens": 100 * (number + 1),
        "output_tokens": 10 * (number + 1),
        **named,
        **changes,
    }


def _add_what_servers_store(engine: Engine) -> None:
    """What no command stores: what servers keep of requests, sessions, chores and channels, and workers of what they are at."""
    Judge(engine).judge_all(NOW)
    number = add_channel(engine, "gone", ["acme"], state="disabled", last_error="410")
    add_delivery(engine, number, "test:1", kind="test", tenant_id="acme")
    hour = CoveredHour("ppa", epoch_us(NOW) // 1_000_000 // 3600 * 3600, "location", "annual", "ppa", "annual", 1)
    with writing(engine) as connection:
        add_or_find_closing(
            connection, "globex", MONTH, soft=True, accepted={"coverage": "a trial"}, expected=1, by=OPERATOR
        )
        save_covered(connection, TenantMonth(2, "2026-11", 0, 1), [hour])
        for statement in _STORED:
            connection.execute(text(statement), {"digest": b"d" * 32, "half": b"d" * 16})


_STORED = (
    """INSERT INTO idempotency_key (caller, key, digest, created_at_us, status, answer)
    VALUES ('token:1', 'k', :digest, 1, 201, '{}')""",
    """INSERT INTO http_session (digest, kind, subject, name, groups, created_at_us, last_seen_at_us)
    VALUES (:digest, 'oidc', 'subject', 'Zoe', '[]', 1, 1)""",
    "INSERT INTO server_key (purpose, key, created_at_us) VALUES ('cursors', :digest, 1)",
    "INSERT INTO lease (name, holder, until_us) VALUES ('sweep', 'somebody', 1)",
    "INSERT INTO retention (id, records_from_us) VALUES (1, 0)",
    "INSERT INTO event_id_gap (month) VALUES (202001)",
    """INSERT INTO ingested_file (topic, partition, digest, records, events, quarantined, ignored)
    VALUES ('file:cut-short', 0, :half, 1, 1, 0, 0)""",
)


if __name__ == "__main__":
    main()
