"""A file is the same file however much of it there is yet: each line counts once, from its first line on."""

import gzip
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from rice_stream.files import reading
from rice_stream.files.identity import FileIdentity, Growth
from tests.support.cli_running import Shell


def line(number: int, source: str = "one") -> str:
    """A gateway's log line: a time, but no id of its own."""
    return json.dumps(
        {
            "start_time": f"2026-11-22T12:00:{number:02}.000Z",
            "duration": 100,
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.usage.input_tokens": 10 + number,
            "gen_ai.usage.output_tokens": 5,
            "x-tenant-id": source,
        }
    )


def lines(numbers: Sequence[int]) -> bytes:
    return "".join(f"{line(number)}\n" for number in numbers).encode()


def lines_in_windows(numbers: Sequence[int]) -> bytes:
    return "".join(f"{line(number)}\r\n" for number in numbers).encode()


def lines_unfinished(numbers: Sequence[int]) -> bytes:
    """No line end behind the last line, as it is the moment before the next one is written."""
    return "\n".join(map(line, numbers)).encode()


def lines_after_blank_ones(numbers: Sequence[int]) -> bytes:
    return b"\n\n" + lines(numbers)


def lines_zipped(numbers: Sequence[int]) -> bytes:
    return gzip.compress(lines(numbers))


def lines_of_text(numbers: Sequence[int]) -> bytes:
    """A banner first, which is no JSON."""
    return b"gateway starts\n" + lines(numbers)


def table(numbers: Sequence[int]) -> bytes:
    rows = [json.loads(line(number)) for number in numbers]
    header = json.loads(line(0))
    return "".join(",".join(map(str, row)) + "\r\n" for row in [header, *(row.values() for row in rows)]).encode()


def table_unfinished(numbers: Sequence[int]) -> bytes:
    return table(numbers).removesuffix(b"\r\n")


KINDS: dict[str, Callable[[Sequence[int]], bytes]] = {
    "lines.jsonl": lines,
    "windows.jsonl": lines_in_windows,
    "unfinished.jsonl": lines_unfinished,
    "blank.jsonl": lines_after_blank_ones,
    "zipped.jsonl.gz": lines_zipped,
    "text.log": lines_of_text,
    "table.csv": table,
    "unfinished.csv": table_unfinished,
}


@pytest.mark.parametrize("name", KINDS)
def test_each_line_of_a_growing_file_counts_once_from_its_first_line_on(shell: Shell, name: str) -> None:
    """Ingested empty, then with one line, and with four: a line that was there is a duplicate, never another event."""
    shell.run("migrate")
    path = shell.directory / name
    for known, numbers in ((0, []), (0, [0]), (1, [0, 1, 2, 3]), (4, [0, 1, 2, 3])):
        path.write_bytes(KINDS[name](numbers))
        counts = shell.json("ingest", name, RICE_QUARANTINE_RATIO_MAX="1")
        assert (counts["records"], counts["duplicates"], counts["conflicts"]) == (len(numbers) - known, known, 0)
    assert shell.json("totals")["total"]["prompts"] == 4
    assert shell.json("verify")["ok"]


def by_the_first_two_lines(head: bytes, growth: Growth) -> FileIdentity:
    """The rule before: as much of the first two lines as there is."""
    del growth
    start = b"\n".join(head.split(b"\n", 2)[:2])
    return FileIdentity(int.from_bytes(hashlib.blake2b(start, digest_size=4).digest(), "big") >> 1)


@pytest.mark.parametrize("before", [1, 2])
@pytest.mark.parametrize("name", KINDS)
def test_what_was_ingested_under_the_rule_before_does_not_count_again(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, name: str, before: int
) -> None:
    """The file keeps the number under which it is stored, as it is and when it grows."""
    shell.run("migrate")
    path = shell.directory / name
    path.write_bytes(KINDS[name](range(before)))
    with monkeypatch.context() as patch:
        patch.setattr(reading, "identify", by_the_first_two_lines)
        assert shell.json("ingest", name, RICE_QUARANTINE_RATIO_MAX="1")["records"] == before
    for known, there in ((before, before), (before, 5)):
        path.write_bytes(KINDS[name](range(there)))
        counts = shell.json("ingest", name, RICE_QUARANTINE_RATIO_MAX="1")
        assert (counts["records"], counts["duplicates"]) == (there - known, known)


def test_documents_of_one_name_are_told_apart_behind_their_bracket(tmp_path: Path) -> None:
    """Their first line is often a bracket alone."""
    partitions = set()
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        path = tmp_path / folder / "events.json"
        path.write_text(f'{{\n  "id": "{folder}"\n}}\n')
        with reading.open_file(path) as file:
            partitions.add(file.partition)
    assert len(partitions) == 2


def test_a_file_whose_name_is_no_text_is_ingested(shell: Shell) -> None:
    """A name on disk is bytes: those that are no UTF-8 are written as what they are."""
    shell.run("migrate")
    name = os.fsdecode(b"caf\xe9-\xff.jsonl")
    (shell.directory / name).write_bytes(lines([0, 1]) + b"{}\n")
    counts = shell.json("ingest", name)
    assert (counts["records"], counts["quarantined"]) == (2, 1)
    [row] = shell.json("quarantine", "list")["rows"]
    assert row["topic"] == r"file:caf\xe9-\xff.jsonl"
    (shell.directory / name).write_bytes(b"\x1f\x8b no gzip")
    result = shell.run("ingest", name)
    assert result.exit_code == 2
    assert r"caf\xe9-\xff.jsonl: not a gzip file" in result.stderr
