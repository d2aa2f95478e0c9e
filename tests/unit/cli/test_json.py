"""With --json every command prints one document with the fields that scripts rely on, and nothing else."""

import csv
import gzip
import json
import sqlite3
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from rice_stream.kafka.client import describe_topics
from rice_stream.runtime import checks
from tests.support.cli_running import Shell

RANGE = {"low", "mid", "high"}


def assert_has(document: dict[str, Any], *names: str) -> None:
    """At least these fields."""
    assert set(names) <= set(document), set(names) - set(document)


def test_migrate_tells_from_and_to(shell: Shell) -> None:
    """From nothing to the newest; then from there to there; and back."""
    first = shell.json("migrate")
    assert first["from"] is None
    assert shell.json("migrate") == {"from": first["to"], "to": first["to"]}
    assert shell.json("migrate", "--revision", "base") == {"from": first["to"], "to": None}


def test_ingest_counts_and_a_file_ingested_again_is_all_duplicates(shell: Shell) -> None:
    """Three records, one refused; the second time nothing is new. Plain, gzipped and as an array."""
    shell.run("migrate")
    path = shell.write_events()
    nothing = {"ignored": 0, "conflicts": 0, "older_than_retention": 0}
    assert shell.json("ingest", str(path)) == {"events": 4, "records": 3, "duplicates": 0, "quarantined": 1, **nothing}
    again = {"events": 4, "records": 0, "duplicates": 3, "quarantined": 1, **nothing}
    assert shell.json("ingest", str(path)) == again
    zipped = path.with_suffix(".jsonl.gz")
    zipped.write_bytes(gzip.compress(path.read_bytes()))
    assert shell.json("ingest", str(zipped)) == again
    array = path.with_suffix(".json")
    array.write_text(json.dumps([json.loads(line) for line in path.read_text().splitlines()]))
    assert shell.json("ingest", str(array)) == again


def test_totals_have_rows_by_what_was_asked_for(ledger: Shell) -> None:
    """Three prompts in the last hour, two of them acme's; sums are those of the rows."""
    document = ledger.json("totals", "--window", "1h")
    assert_has(document["window"], "from", "to")
    prompts = {row["tenant"] if "tenant" in row else row["tenant_id"]: row["prompts"] for row in document["rows"]}
    assert prompts == {"acme": 2, "globex": 1}
    for row in document["rows"]:
        assert_has(row, "input_tokens", "output_tokens", "it_energy_wh", "facility_energy_wh")
        assert set(row["carbon_gco2e"]) == RANGE
        assert 0 < row["carbon_gco2e"]["low"] < row["carbon_gco2e"]["mid"] < row["carbon_gco2e"]["high"]
    narrowed = ledger.json("totals", "--tenant", "acme", "--by", "team", "--by", "model")
    assert [row["prompts"] for row in narrowed["rows"]] == [2]


def test_verify_is_good_until_somebody_edits_a_total(ledger: Shell) -> None:
    """Exit code 0 and no difference; after one changed number, exit code 1 and that difference."""
    document = ledger.json("verify")
    assert document["ok"] is True
    assert document["records"] == 3
    assert document["totals_checked"] > 0
    assert document["differences"] == []
    with sqlite3.connect(ledger.directory / "rice.db") as connection:
        connection.execute("UPDATE minute_total SET input_tokens = input_tokens + 1 WHERE tenant_key = 1")
    wrong = ledger.json("verify", code=1)
    assert wrong["ok"] is False
    assert {difference["measure"] for difference in wrong["differences"]} == {"input_tokens"}


def test_explain_gives_the_record_and_the_steps_to_its_carbon(ledger: Shell) -> None:
    """Each step has a formula, a value, a unit and a source; the last amounts are the record's."""
    document = ledger.json("explain", "e-1", "--tenant", "acme")
    assert document["record"]["event_id"] == "e-1"
    for step in document["steps"]:
        assert_has(step, "name", "formula", "value", "unit", "source")
    unknown = ledger.run("explain", "no-such-event", "--json")
    assert unknown.exit_code != 0
    assert "no-such-event" in unknown.stderr


def test_quarantine_lists_shows_and_drops(ledger: Shell) -> None:
    """The refused line of the file, with its reason and place, until it is dropped."""
    [row] = ledger.json("quarantine", "list")["rows"]
    assert_has(row, "id", "topic", "partition", "offset", "reason", "received_at")
    assert (row["reason"], row["offset"], row["topic"]) == ("missing_field", 3, "file:events.jsonl")
    shown = ledger.json("quarantine", "show", str(row["id"]))
    assert shown["rows"][0]["id"] == row["id"]
    ledger.json("quarantine", "drop", str(row["id"]))
    assert ledger.json("quarantine", "list")["rows"] == []


def test_budget_commands_tell_the_budget_and_where_it_stands(ledger: Shell) -> None:
    """Set, list, status and remove speak of the same budget; consumption is that of the ledger."""
    arguments = ("--tenant", "acme", "--limit-gco2e", "0.001", "--period", "rolling-24h", "--threshold", "0.5")
    [made] = ledger.json("budget", "set", "tiny", *arguments)["budgets"]
    fields = ("name", "tenant_id", "limit", "unit", "period", "thresholds", "state", "consumed", "ratio")
    assert_has(made, *fields)
    assert (made["name"], made["tenant_id"], made["limit"], made["unit"]) == ("tiny", "acme", 0.001, "gco2e")
    assert made["thresholds"] == [0.5]
    [status] = ledger.json("budget", "status")["budgets"]
    [totals] = ledger.json("totals", "--tenant", "acme", "--window", "24h")["rows"]
    assert status["consumed"] == pytest.approx(totals["carbon_gco2e"]["mid"])
    assert status["ratio"] == pytest.approx(status["consumed"] / 0.001)
    assert status["state"] == "warning"
    ledger.json("budget", "set", "tiny", *arguments[:-1], "1")
    ledger.json("budget", "status", "--fail-if-exceeded", code=1)
    assert ledger.json("budget", "remove", "tiny")["budgets"][0]["name"] == "tiny"
    assert ledger.json("budget", "list") == {"budgets": []}


def test_a_budget_that_cannot_be_read_is_shown_and_mended_or_removed(ledger: Shell) -> None:
    """Status fails with --fail-if-exceeded, since it cannot say; `set` and `remove` work as for any other."""
    arguments = ("budget", "set", "odd", "--tenant", "acme", "--limit-kwh", "5", "--period", "day")
    ledger.json(*arguments)
    with sqlite3.connect(ledger.directory / "rice.db") as connection:
        connection.execute("UPDATE budget SET thresholds = 'all'")
    connection.close()
    [row] = ledger.json("budget", "status", "--fail-if-exceeded", code=1)["budgets"]
    assert (row["name"], row["tenant_id"], row["state"]) == ("odd", "acme", "unreadable")
    shown = ledger.run("budget", "status")
    assert "unreadable" in shown.stdout
    assert "set the budget again" in " ".join(shown.stderr.split())
    assert ledger.json(*arguments)["budgets"][0]["state"] == "ok"
    with sqlite3.connect(ledger.directory / "rice.db") as connection:
        connection.execute("UPDATE budget SET thresholds = 'all'")
    connection.close()
    assert ledger.json("budget", "remove", "odd")["budgets"][0]["state"] == "unreadable"
    assert ledger.json("budget", "list") == {"budgets": []}


def test_budget_apply_sets_a_file_and_leaves_others_alone(ledger: Shell) -> None:
    """What the file names is made or changed."""
    ledger.json("budget", "set", "other", "--tenant", "globex", "--limit-kwh", "5", "--period", "day")
    path = ledger.directory / "budgets.yaml"
    path.write_text("budgets: [{name: a, tenant_id: acme, user_id: u-1, period: week, limit_kwh: 1}]")
    assert [b["name"] for b in ledger.json("budget", "apply", str(path))["budgets"]] == ["a"]
    assert {b["name"] for b in ledger.json("budget", "list")["budgets"]} == {"a", "other"}
    assert ledger.json("verify")["ok"] is True


def test_removing_a_name_that_two_tenants_have_asks_which(ledger: Shell) -> None:
    """Nothing is removed by accident."""
    for tenant in ("acme", "globex"):
        ledger.json("budget", "set", "same", "--tenant", tenant, "--limit-kwh", "5", "--period", "day")
    refused = ledger.run("budget", "remove", "same", "--json")
    assert refused.exit_code == 2
    assert "--tenant" in refused.stderr
    ledger.json("budget", "remove", "same", "--tenant", "acme")
    assert [b["tenant_id"] for b in ledger.json("budget", "list")["budgets"]] == ["globex"]


def test_alerts_are_a_list_even_when_there_are_none(ledger: Shell) -> None:
    """An empty answer is a document too."""
    assert ledger.json("alerts") == {"alerts": []}


def test_tenants_and_their_time_zones(ledger: Shell) -> None:
    """Set for a tenant that is known and for one that is not yet."""
    ledger.json("tenant", "set", "acme", "--time-zone", "Asia/Kolkata")
    ledger.json("tenant", "set", "new", "--time-zone", "America/New_York")
    zones = {row["tenant_id"]: row["time_zone"] for row in ledger.json("tenant", "list")["tenants"]}
    assert zones == {"acme": "Asia/Kolkata", "globex": "UTC", "new": "America/New_York"}


def test_models_and_regions_answer_names_they_know_and_names_they_do_not(shell: Shell) -> None:
    """Never an error, never nothing: an unknown model is what it would be estimated as."""
    known = shell.json("models", "gpt-4o")
    assert any(row["model_id"] == "gpt-4o" for row in known["models"])
    assert known["model"] == "gpt-4o"
    assert {"kind", "value", "unit", "source", "date"} <= set(known["evidence"][0])
    assert known["range_factors"]["carbon"] >= known["range_factors"]["energy"]
    several = shell.json("models", "claude", "sonnet")
    assert len(several["models"]) > 1
    assert "evidence" not in several
    unknown = shell.json("models", "no-such-model-of-anybody")
    assert unknown["models"]
    assert shell.json("regions", "sweden")["regions"]
    assert known["factor_version"] == unknown["factor_version"]


def test_estimate_answers_with_every_field_of_the_interface(shell: Shell) -> None:
    """One request; the parts add up: prefill and decode, PUE, carbon intensity."""
    document = shell.json(
        "estimate", "--model", "gpt-4o", "--input-tokens", "2000", "--output-tokens", "300", "--region", "SE"
    )
    names = "method model hardware devices batch_size precision prefill_j decode_j gpu_energy_j it_energy_wh pue"
    assert_has(document, *names.split(), "facility_energy_wh", "latency_s", "region", "rci_gco2e_per_kwh", "basis")
    assert set(document["carbon_gco2e"]) == RANGE
    assert set(document["versions"]) == {"method", "factors"}
    assert document["prefill_j"] + document["decode_j"] == pytest.approx(document["gpu_energy_j"])
    assert document["it_energy_wh"] * document["pue"] == pytest.approx(document["facility_energy_wh"])
    grams = document["facility_energy_wh"] / 1000 * document["rci_gco2e_per_kwh"]
    assert document["carbon_gco2e"]["mid"] == pytest.approx(grams)


def test_estimate_of_a_table_keeps_its_columns_and_rows(shell: Shell) -> None:
    """All input columns in their order, unknown ones too, then the answers."""
    source, target = shell.directory / "in.csv", shell.directory / "out.csv"
    source.write_text("note,model,input_tokens,output_tokens\nb,gpt-4o,10,5\na,no-such-model,0,0\n")
    assert shell.json("estimate", "--csv", str(source), "--out", str(target))["rows"] == 2
    rows = list(csv.DictReader(target.open()))
    assert list(rows[0])[:4] == ["note", "model", "input_tokens", "output_tokens"]
    assert [row["note"] for row in rows] == ["b", "a"]
    assert all(float(row["carbon_gco2e_mid"]) >= 0 for row in rows)
    assert {"prefill_j", "decode_j", "gpu_energy_j", "basis"} <= set(rows[0])
    for name in ("embodied_gco2e", "water_l"):
        low, mid, high = (float(rows[0][f"{name}_{end}"]) for end in ("low", "mid", "high"))
        assert 0 < low < mid < high


def test_a_table_may_be_answered_in_place_and_is_whole_or_untouched(shell: Shell) -> None:
    """A bad row, however late, leaves what was there; a good table may be replaced by its own answers."""
    path = shell.directory / "requests.csv"
    good = "model,input_tokens,output_tokens,precision\ngpt-4o,10,20,bfloat16\ngpt-4o,10,20,BF16\n"
    path.write_text(good + "gpt-4o,-1,20,bf16\n")
    before = path.read_text()
    assert shell.run("estimate", "--csv", str(path), "--out", str(path)).exit_code == 2
    assert path.read_text() == before
    path.write_text(good)
    assert shell.run("estimate", "--csv", str(path), "--out", str(path)).exit_code == 0
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["precision"] for row in rows] == ["bfloat16", "BF16"]
    assert rows[0]["gpu_energy_j"] == rows[1]["gpu_energy_j"]
    assert [one.name for one in shell.directory.iterdir() if one.name.startswith("requests")] == ["requests.csv"]


def test_a_bad_cell_of_a_table_names_file_row_and_column(shell: Shell) -> None:
    """Exit code 2, and where to look."""
    source: Path = shell.directory / "in.csv"
    source.write_text("model,input_tokens,output_tokens\ngpt-4o,1,1\ngpt-4o,many,1\n")
    refused = shell.run("estimate", "--csv", str(source), "--out", str(shell.directory / "out.csv"), "--json")
    assert refused.exit_code == 2
    assert refused.stdout == ""
    for word in ("in.csv", "3", "input_tokens"):
        assert word in refused.stderr


def test_check_lists_every_problem_with_what_to_do_and_masks_secrets(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No broker and no schema: exit code 3, one document, each problem with what to do, and the password nowhere."""
    monkeypatch.setattr(checks, "describe_topics", partial(describe_topics, timeout_s=0.3))
    result = shell.run(
        "check", "--json", RICE_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1", RICE_KAFKA_SASL_PASSWORD="hunter2"
    )
    assert result.exit_code == 3
    document = json.loads(result.stdout)
    assert document["ok"] is False
    problems = {check["name"]: check["what_to_do"] for check in document["checks"] if not check["ok"]}
    assert {"broker", "database"} <= set(problems)
    assert all(problems.values())
    assert "hunter2" not in result.stdout + result.stderr


def test_check_tells_people_what_is_wrong_first_and_then_what_is_set(
    ledger: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody reads seventy settings to find one problem; `--all` shows them to who wants to."""
    monkeypatch.setattr(checks, "describe_topics", partial(describe_topics, timeout_s=0.3))
    asked = {"RICE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "RICE_PUE": "1.3"}
    told = ledger.run("check", **asked)
    assert told.exit_code == 3
    assert told.stdout.startswith("PROBLEM broker: no Kafka broker answers at 127.0.0.1:1")
    assert "-> start the broker, or correct RICE_KAFKA_BOOTSTRAP_SERVERS" in told.stdout.splitlines()[1]
    shown = {line.split()[0] for line in told.stdout.splitlines() if line.startswith("RICE_")}
    assert shown == {"RICE_DATABASE_URL", *asked}
    everything = {line.split()[0] for line in ledger.run("check", "--all", **asked).stdout.splitlines() if line}
    document = ledger.json("check", code=3, **asked)
    assert set(document["changed"]) == shown
    assert set(document["settings"]) <= everything


def test_check_names_a_security_setting_that_cannot_work(ledger: Shell) -> None:
    """A missing CA file is the operator's to correct, not an internal error."""
    document = ledger.json(
        "check", code=1, RICE_KAFKA_SECURITY_PROTOCOL="SSL", RICE_KAFKA_SSL_CA_LOCATION="/nowhere/ca.pem"
    )
    [problem] = [check for check in document["checks"] if not check["ok"]]
    assert problem["name"] == "broker"
    assert "/nowhere/ca.pem" in problem["detail"]
    assert "RICE_KAFKA_" in problem["what_to_do"]
