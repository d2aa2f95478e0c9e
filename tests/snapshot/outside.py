"""Everything that is pinned, by the name of its file in `golden/`: one function makes it all anew from `inputs/`."""

import csv
import hashlib
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any
from unittest import mock

import click
from confluent_kafka import KafkaError, KafkaException

from tests.snapshot.running import Shell, fixed_clock, rows_of, schema_of
from tests.support.commands import all_commands

INPUTS = Path(__file__).parent / "inputs"
ROOT = Path(__file__).resolve().parents[2]
METHODS = ("rice-calibrated", "rice-paper")
FORMATS = (
    ("auto", "litellm.ndjson"),
    ("auto", "otlp.json"),
    ("auto", "bedrock.ndjson"),
    ("kong", "kong.json"),
    ("auto", "envoy.ndjson"),
    ("langfuse", "langfuse.json"),
    ("auto", "openmeter.json"),
    ("auto", "provider.ndjson"),
    ("auto", "spend.csv"),
)
"""Format as it is given to `ingest`, and file."""
NOT_DUMPED = ("alembic_version", "audit_entry", "month_start", "rolling_totals", "rolling_totals_by_team")
"""Tables and views whose rows depend on the time of the database, on who runs this, or on the number of the latest migration."""
MONTH = ("--from", "2026-11-01", "--to", "2026-12-01")
TOTALS = (
    (),
    ("--by", "model"),
    ("--by", "tenant,model,region"),
    ("--by", "team", "--by", "project", "--tenant", "acme"),
    ("--by", "user", "--tenant", "globex"),
    ("--by", "day", "--tenant", "globex"),
    ("--by", "hour", "--tenant", "initech", "--limit", "5", "--offset", "2"),
    ("--impacts",),
    ("--impacts", "--by", "model", "--tenant", "acme"),
)
EXPLAINED = (
    *("ev-000", "ev-002", "ev-005", "ev-009", "ev-014", "no-input", "no-output", "failed-blank", "cache-hit"),
    *("stated-hardware", "stated-all", "unknown-hardware", "very-long", "future", "old", "csv-2", "call-c", "om-a"),
)
BUDGETS = (
    ("acme-month", "--tenant", "acme", "--limit-gco2e", "50", "--period", "month"),
    ("acme-30d", "--tenant", "acme", "--limit-kwh", "2.5", "--period", "rolling-30d", "--threshold", "0.25"),
    ("globex-year", "--tenant", "globex", "--limit-gco2e", "1", "--period", "year", "--estimate", "high"),
    *(
        (name, "--tenant", "acme", "--limit-gco2e", "9", "--period", "quarter", "--time-zone", "Europe/Berlin", *scope)
        for name, *scope in (
            ("search", "--team", "search", "--hysteresis", "0.1"),
            ("ranker", "--project", "ranker"),
            ("gpt-4o", "--model", "gpt-4o"),
            ("person", "--user", "u-1"),
        )
    ),
)
COMPARED = (
    ("--model", "gpt-4o-mini"),
    ("--region", "azure:swedencentral", "--tenant", "acme"),
    ("--hardware", "B200", "--batch-size", "32", "--precision", "fp8", "--tenant", "globex"),
    ("--pue", "1.1", "--rci-gco2e-per-kwh", "50", "--only-model", "gpt-4o"),
    ("--model", "llama-3.1-8b", "--method", "rice-paper"),
)
REFUSED = (
    ("estimate", "--model", "gpt-4o"),
    ("estimate", "--model", "gpt-4o", "--input-tokens", "1.5", "--output-tokens", "2"),
    ("estimate", "--input-tokens", "1", "--output-tokens", "2"),
    ("estimate", "--model", "gpt-4o", "--input-tokens", "1", "--output-tokens", "2", "--profile", "nobody"),
    ("estimate", "--model", "gpt-4o", "--input-tokens", "1", "--output-tokens", "2", "--pue", "0.5"),
    ("totals", "--by", "colour"),
    ("totals", "--from", "yesterday"),
    ("compare", "--tenant", "acme"),
    ("explain", "no-such-event"),
    ("budget", "set", "b", "--tenant", "acme", "--period", "day"),
    ("budget", "remove", "no-such-budget"),
    ("map", "model", "one", "no such target at all"),
    ("quarantine", "show", "999"),
    ("no-such-command",),
)
SHOWN = (
    ("estimate", "--model", "gpt-4o", "--input-tokens", "2000", "--output-tokens", "300"),
    ("rank", "--search", "llama", "--limit", "5"),
    ("totals", "--by", "tenant,team", *MONTH),
    ("coverage",),
    ("budget", "status"),
    ("quarantine", "list"),
    ("compare", "--model", "gpt-4o-mini", *MONTH),
    ("regions", "france"),
    ("verify",),
)


def everything(directory: Path) -> Iterator[tuple[str, Any]]:
    """Name and document of every golden file; `directory` is empty and takes the databases."""
    with fixed_clock():
        yield "artefacts", artefacts()
        yield "commands", commands()
        shell = Shell(directory / "rice.db")
        yield from _of_estimates(shell, directory)
        migrated = shell.json("migrate")
        yield "schema", {"migrate": {"from": migrated["from"]}, "tables": schema_of(shell.database)}
        yield "ingest", _ingested(shell)
        yield from _of_the_ledger(shell)
        yield from _of_other_settings(directory)
        yield "settings", settings(directory)


def artefacts() -> dict[str, Any]:
    """SHA-256 of the fitted artefacts and of the reference tables, wherever under the package they lie."""
    package = ROOT / "rice_stream"
    fitted = {path.name: _digest(path) for path in package.rglob("rice-*.json")}
    tables: dict[str, dict[str, bool]] = {}
    for path in package.rglob("*.csv"):
        parts = path.relative_to(package).parts
        start = len(parts) - parts[::-1].index("data") if "data" in parts else len(parts) - 1
        tables.setdefault("/".join(parts[start:]), {})[_digest(path)] = True
    return {"fitted": fitted, "tables": tables}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def commands() -> dict[str, Any]:
    """Every command with its arguments, options and their choices."""
    return {" ".join(path): {one.name: _parameter(one) for one in command.params} for path, command in all_commands()}


def _parameter(parameter: click.Parameter) -> dict[str, Any]:
    described: dict[str, Any] = {
        "kind": parameter.param_type_name,
        "required": parameter.required,
        "names": dict.fromkeys([*parameter.opts, *parameter.secondary_opts], True),
        "several": parameter.nargs == -1 or bool(getattr(parameter, "multiple", False)),
    }
    if isinstance(parameter.type, click.Choice):
        described["choices"] = dict.fromkeys((str(choice) for choice in parameter.type.choices), True)
    if isinstance(parameter.default, str | int | float) and parameter.default is not False:
        described["default"] = parameter.default
    return described


def _of_estimates(shell: Shell, directory: Path) -> Iterator[tuple[str, Any]]:
    with (INPUTS / "requests.csv").open(encoding="utf-8", newline="") as stream:
        requests = list(csv.DictReader(stream))
    answers = []
    for number, request in enumerate(requests):
        given = [
            word
            for name, cell in request.items()
            if cell and name != "note"
            for word in (f"--{name.replace('_', '-')}", cell)
        ]
        # Half of them by the second method is enough here: the tables below have all of them by both.
        methods = METHODS[: 1 + number % 2]
        answers.append({method: shell.json("estimate", *given, "--method", method) for method in methods})
    yield "estimates", answers
    tables = {}
    for method in METHODS:
        target = directory / "estimates.csv"
        arguments = ("--csv", str(INPUTS / "requests.csv"), "--out", str(target))
        result = shell.run("estimate", *arguments, RICE_METHOD=method)
        assert result.exit_code == 0, result.stderr
        with target.open(encoding="utf-8", newline="") as stream:
            tables[method] = [[_cell(cell) for cell in row] for row in csv.reader(stream)]
    yield "estimate_tables", tables


def _cell(text: str) -> str | float:
    """A number that is no whole one as a number, so that its last bit may differ; everything else as it stands."""
    try:
        return float(text) if "." in text or "e" in text else text
    except ValueError:
        return text


def _ingested(shell: Shell) -> dict[str, Any]:
    """The answers to mapping, zones and files; the events come twice."""
    answers: dict[str, Any] = {}
    for kind, name, target, start in (
        ("model", "corp-chat-large", "gpt-4o", "2026-11-15T00:00:00Z"),
        ("region", "dc-west", "azure:swedencentral", "2026-11-10T00:00:00Z"),
        ("tenant", "customer-5", "globex", "2026-01-01T00:00:00Z"),
    ):
        answers[f"map {kind}"] = shell.json("map", kind, name, target, "--from", start)
    answers["map list"] = shell.json("map", "list")
    for number in ("first", "second"):
        answers[f"events.jsonl, {number} time"] = shell.json("ingest", str(INPUTS / "events.jsonl"))
    for format_, name in FORMATS:
        answers[name] = shell.json("ingest", "--format", format_, str(INPUTS / name))
    answers["tenant set"] = shell.json("tenant", "set", "globex", "--time-zone", "Europe/Berlin")
    answers["tenant list"] = shell.json("tenant", "list")
    return answers


def _of_the_ledger(shell: Shell) -> Iterator[tuple[str, Any]]:
    yield (
        "budgets",
        {
            "set": [shell.json("budget", "set", *budget) for budget in BUDGETS],
            "list": shell.json("budget", "list"),
            "list of acme": shell.json("budget", "list", "--tenant", "acme"),
            "status": shell.json("budget", "status"),
            "status, failing": shell.json("budget", "status", "--fail-if-exceeded", code=1),
            "remove": shell.json("budget", "remove", "globex-year", "--tenant", "globex"),
            "alerts": shell.json("alerts"),
        },
    )
    asked = [*((*one, *MONTH) for one in TOTALS), ("--window", "30d"), ("--window", "mtd", "--by", "tenant"), ()]
    yield "totals", {" ".join(one): shell.json("totals", *one) for one in asked}
    yield "explanations", {name: shell.json("explain", name) for name in EXPLAINED}
    yield (
        "reports",
        {
            "verify": shell.json("verify"),
            "verify from": shell.json("verify", "--from", "2026-11-15"),
            "coverage": shell.json("coverage"),
            "coverage of 10 days": shell.json("coverage", "--days", "10", "--limit", "3"),
            "quarantine list": shell.json("quarantine", "list"),
            "quarantine list of a reason": shell.json("quarantine", "list", "--reason", "invalid_field"),
            "quarantine show": shell.json("quarantine", "show", "1"),
            "compare": {" ".join(one): shell.json("compare", *one, *MONTH) for one in COMPARED},
        },
    )
    yield "reference", _reference(shell)
    yield "refusals", {" ".join(words): _refusal(shell, *words) for words in REFUSED}
    yield "texts", {" ".join(words): _lines(shell.run(*words).stdout) for words in SHOWN}
    tables = [name for name in schema_of(shell.database) if name not in NOT_DUMPED]
    for name in ("prompt_emission", "prompt_record", "factor_use"):
        tables.remove(name)
        yield name, rows_of(shell.database, name)
    yield "tables", {name: rows_of(shell.database, name) for name in tables}


def _reference(shell: Shell) -> dict[str, Any]:
    ranked = ("--model", "gpt-4o", "--model", "llama-3.1-8b", "--model", "claude-sonnet-4-5", "--model", "unheard-of")
    return {
        "models": {query: shell.json("models", query) for query in ("gpt-4o", "mixtral", "deepseek-r1", "unheard-of")},
        "regions": {query: shell.json("regions", query) for query in ("sweden", "eu-west-1", "FR", "atlantis-1")},
        "rank": shell.json("rank", *ranked, "--region", "FR"),
        "rank by rice-paper": shell.json("rank", *ranked, "--method", "rice-paper", "--batch-size", "8"),
        "rank by a search": shell.json("rank", "--search", "qwen3", "--limit", "4", "--input-tokens", "9000"),
    }


def _refusal(shell: Shell, *words: str) -> dict[str, Any]:
    result = shell.run(*words)
    return {"code": result.exit_code, "stderr": _lines(result.stderr), "stdout": _lines(result.stdout)}


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines()]


def _of_other_settings(directory: Path) -> Iterator[tuple[str, Any]]:
    """The same events by the other method, and under settings that say what a site knows."""
    own = '[{"name":"ours","hardware":"H200","batch_size":[4,12,40],"precision":"fp8","idle_share":0.1}]'
    overrides = '[{"provider":"openai","profile":"ours"},{"model":"*llama*","hardware":"L40S","batch_size":6}]'
    kinds = {
        "rice-paper": {"RICE_METHOD": "rice-paper", "RICE_RCI_SCOPE": "direct"},
        "site": {
            "RICE_SERVING_PROFILE": "throughput",
            "RICE_SERVING_PROFILES": own,
            "RICE_SERVING_OVERRIDES": overrides,
            "RICE_DEFAULT_REGION": "FR",
            "RICE_PUE": "1.3",
            "RICE_DEFAULT_OUTPUT_TOKENS": "400",
            "RICE_ESTIMATE_MISSING_USAGE": "true",
            "RICE_ATTRIBUTION_RULES": '[{"attribute":"metadata.user_api_key_hash","pattern":"hash-(.)","value":"t-\\\\1"}]',
        },
    }
    for name, environment in kinds.items():
        shell = Shell(directory / f"{name}.db", **environment)
        shell.json("migrate")
        files = [str(INPUTS / file) for file in ("events.jsonl", "litellm.ndjson")]
        ingested = shell.json("ingest", *files)
        rows = rows_of(shell.database, "prompt_emission")
        yield (
            f"ledger_{name.replace('-', '_')}",
            {
                "ingest": ingested,
                "totals": shell.json("totals", *MONTH),
                "verify": shell.json("verify"),
                "explain": {one: shell.json("explain", one) for one in ("ev-000", "ev-003", "stated-all")},
                "prompt_emission": [{key: value for key, value in row.items() if value is not None} for row in rows],
            },
        )


def settings(directory: Path) -> dict[str, Any]:
    """Every setting with its default, as `check` tells it without any set; and as the documentation's table has them.

    No broker is waited for: there is none, whichever address one asks.
    """
    nobody = KafkaException(KafkaError(KafkaError._ALL_BROKERS_DOWN))
    with chdir(directory), mock.patch("confluent_kafka.admin.AdminClient.list_topics", side_effect=nobody):
        told = Shell(directory / "none.db").json("check", code=3, RICE_DATABASE_URL=None)["settings"]
    documented = {}
    for line in (ROOT / "docs" / "operations.md").read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.replace("\\|", "/").split("|")]
        if len(cells) > 4 and cells[1].startswith("`RICE_"):
            documented[cells[1].strip("`")] = {"type": cells[2], "default": cells[3]}
    return {"told": told, "documented": documented}
