"""The published traces through real Kafka and a real worker: counts and token sums are the file's."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from tests.support.worker_harness import Deployment
from tests.support.worker_truth import assert_read_to_the_end

MOONCAKE_BLOCK_TOKENS = 512


class Written(NamedTuple):
    """A trace file and what is in it."""

    file: Path
    rows: int
    input_tokens: int
    output_tokens: int
    cache_read_input_tokens: int


def azure_trace(folder: Path, *, rows: int) -> Written:
    """The layout of the Azure LLM inference trace 2023: a header, CRLF line ends, seven digits of a second."""
    draw = random.Random(71)
    lines, inputs, outputs, ticks = ["TIMESTAMP,ContextTokens,GeneratedTokens"], 0, 0, 0
    for _ in range(rows):
        ticks += draw.randrange(20_000_000)
        input_tokens, output_tokens = draw.randrange(3, 7500), draw.randrange(6, 2000)
        seconds, fraction = divmod(ticks, 10_000_000)
        moment = datetime(2023, 11, 16, 18, 15, 46, tzinfo=UTC) + timedelta(seconds=seconds)
        lines.append(f"{moment:%Y-%m-%d %H:%M:%S}.{fraction:07},{input_tokens},{output_tokens}")
        inputs += input_tokens
        outputs += output_tokens
    file = folder / "AzureLLMInferenceTrace_conv.csv"
    file.write_bytes("\r\n".join(lines).encode() + b"\r\n")
    return Written(file, rows, inputs, outputs, 0)


def mooncake_trace(folder: Path, *, rows: int) -> Written:
    """The layout of Mooncake's traces: JSON lines with milliseconds, lengths and the ids of blocks of 512 tokens. A
    prompt begins with one of three shared prefixes of two blocks, which are cached from their second use on."""
    draw = random.Random(72)
    lines, inputs, outputs, cached = [], 0, 0, 0
    used: set[int] = set()
    for row in range(rows):
        prefix, fresh = draw.randrange(3), draw.randrange(1, 6)
        input_tokens = (2 + fresh) * MOONCAKE_BLOCK_TOKENS - draw.randrange(MOONCAKE_BLOCK_TOKENS)
        output_tokens = draw.randrange(1, 900)
        hash_ids = [2 * prefix, 2 * prefix + 1, *(1000 + 10 * row + block for block in range(fresh))]
        ids = ", ".join(map(str, hash_ids))
        lines.append(
            f'{{"timestamp": {row * 97}, "input_length": {input_tokens}, "output_length": {output_tokens},'
            f' "hash_ids": [{ids}]}}'
        )
        cached += 2 * MOONCAKE_BLOCK_TOKENS if prefix in used else 0
        used.add(prefix)
        inputs += input_tokens
        outputs += output_tokens
    file = folder / "mooncake_trace.jsonl"
    file.write_text("\n".join(lines) + "\n")
    return Written(file, rows, inputs, outputs, cached)


def test_azure_and_mooncake_traces_arrive_in_the_totals_token_for_token(deployment: Deployment, tmp_path: Path) -> None:
    """Each file replayed once and then, with the same seed, again: the second time changes nothing. Afterwards the
    totals are the files' own sums, cached tokens included."""
    azure, mooncake = azure_trace(tmp_path, rows=700), mooncake_trace(tmp_path, rows=500)
    start = ("--start", "2026-11-20T08:00:00Z")
    for written in (azure, mooncake, azure):
        sent = deployment.json("replay", str(written.file), "--seed", "7", *start)
        assert sent["events"] == written.rows
        assert sent["input_tokens"] == written.input_tokens
        assert sent["output_tokens"] == written.output_tokens
    deployment.finish()
    for source, written in (("/replay/azure-trace", azure), ("/replay/mooncake", mooncake)):
        assert deployment.rows(
            "SELECT COUNT(*), SUM(input_tokens), SUM(output_tokens), COALESCE(SUM(cache_read_input_tokens), 0)"
            " FROM prompt_emission WHERE source = :source",
            source=source,
        ) == [(written.rows, written.input_tokens, written.output_tokens, written.cache_read_input_tokens)]
    measures = "SUM(prompts), SUM(input_tokens), SUM(output_tokens), SUM(cache_read_input_tokens)"
    for table in ("minute_total", "slot_total"):
        ((*totals,),) = deployment.rows(f"SELECT {measures} FROM {table}")
        assert totals == [sum(column) for column in zip(azure[1:], mooncake[1:], strict=True)]
    assert deployment.value("SELECT SUM(duplicates) FROM kafka_progress") == azure.rows
    assert deployment.value("SELECT COUNT(*) FROM quarantine") == 0
    assert deployment.value("SELECT COUNT(*) FROM prompt_emission WHERE carbon_mid_ugco2e <= 0") == 0
    assert_read_to_the_end(deployment)
    assert deployment.json("verify")["ok"] is True
