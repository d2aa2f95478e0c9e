"""`calibrate --from-ledger`: recorded durations become serving profiles, or a sentence says why they do not."""

import json
import tomllib
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from rice_stream.estimator.loading import load_calibrated
from tests.support.cli_running import Shell
from tests.unit.meter.test_duration_calibration import context, timed

EVENTS = 1_500
STATED = {"provider": "vllm", "request_model": "llama-3.1-70b", "hardware": "H100", "devices": 4}


def fill(shell: Shell, *kinds: dict[str, Any], batch: float = 512) -> None:
    """Records of these kinds that took what the law says at this batch, ended within the last day."""
    times = timed(context(), batch, events=EVENTS, scatter=0.1)
    ended = datetime.now(UTC) - timedelta(hours=1)
    lines = []
    columns = (times.duration_s, times.input_tokens, times.output_tokens)
    for number, (seconds, inputs, outputs) in enumerate(zip(*map(np.ndarray.tolist, columns), strict=True)):
        for kind, fields in enumerate(kinds):
            ended_at = ended + timedelta(milliseconds=number)
            event = {
                "event_id": f"{kind}-{number}",
                "tenant_id": "acme",
                "started_at": (ended_at - timedelta(seconds=seconds)).isoformat(),
                "ended_at": ended_at.isoformat(),
                "input_tokens": inputs,
                "output_tokens": outputs,
                **fields,
            }
            lines.append(json.dumps({name: value for name, value in event.items() if value is not ...}))
    path = shell.directory / "events.jsonl"
    path.write_text("\n".join(lines))
    assert shell.run("migrate").exit_code == 0
    assert shell.run("ingest", str(path)).exit_code == 0


def test_profiles_are_written_for_what_times_can_tell(shell: Shell) -> None:
    """The open model on stated hardware; the others are listed, each with why not."""
    closed = {"provider": "openai", "request_model": "gpt-4o", "hardware": "H100"}
    unknown = {"request_model": "llama-3.1-70b"}
    few = {"provider": "other", "request_model": "llama-3.1-8b", "hardware": "H100", "started_at": ...}
    fill(shell, STATED, closed, unknown, few)
    document = shell.json("calibrate", "--from-ledger", "--name", "pool", "--out", "serving.toml")
    assert (document["narrowed"], document["out"]) == (1, "serving.toml")
    assert document["method"] == load_calibrated().version
    rows = {(row["model"], row["hardware"]): row for row in document["kinds"]}
    assert len(rows) == 3, "without durations there is nothing to say"
    found = rows["llama-3.1-70b", "H100"]
    assert found["batch_size"]["low"] <= 512 <= found["batch_size"]["high"]
    assert found["factor_after"] < found["factor_before"]
    assert "size is not public" in rows["gpt-4o", "H100"]["why_not"]
    assert "hardware is not known" in rows["llama-3.1-70b", None]["why_not"]
    written = tomllib.loads((shell.directory / "serving.toml").read_text("utf-8"))
    assert written["serving_overrides"][0]["model"] == "llama-3.1-70b"
    (shell.directory / "rice.toml").write_bytes((shell.directory / "serving.toml").read_bytes())
    asked = (
        "estimate",
        "--model",
        "llama-3.1-70b",
        "--provider",
        "vllm",
        "--input-tokens",
        "500",
        "--output-tokens",
        "250",
    )
    estimated = json.loads(shell.run("--config", "rice.toml", *asked, "--json").stdout)
    assert (estimated["batch_size"], estimated["hardware"]) == (found["batch_size"]["mid"], "H100")
    human = shell.run("calibrate", "--from-ledger", "--out", "serving.toml")
    assert human.exit_code == 0
    assert "size is not public" in human.stderr


def test_where_nothing_is_narrowed_nothing_is_written(shell: Shell) -> None:
    """The answer says so, and why."""
    fill(shell, STATED, batch=2)
    document = shell.json("calibrate", "--from-ledger", "--out", "serving.toml")
    assert (document["narrowed"], document["out"]) == (0, None)
    assert not (shell.directory / "serving.toml").exists()


@pytest.mark.parametrize("arguments", [(), ("--from-ledger", "rows.csv")])
def test_either_a_table_or_the_ledger(shell: Shell, arguments: tuple[str, ...]) -> None:
    """One line on stderr."""
    (shell.directory / "rows.csv").write_text("model\n")
    result = shell.run("calibrate", *arguments, "--out", "x")
    assert result.exit_code == 2
    assert "CSV" in result.stderr


def test_a_ledger_without_durations_says_what_is_missing(shell: Shell) -> None:
    """Events need a start."""
    assert shell.run("migrate").exit_code == 0
    result = shell.run("calibrate", "--from-ledger", "--out", "x")
    assert result.exit_code == 2
    assert "started_at" in result.stderr
