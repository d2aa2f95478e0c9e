"""`rice-stream ingest`: every kind of file gives the same events, and a run that was cut short goes on where it was."""

import csv
import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from rice_stream.events.records import RawRecord
from rice_stream.files.ingesting import FileCounts, ingest_file
from rice_stream.files.reading import EventFile, open_file
from rice_stream.pipeline.chunks import Chunk
from rice_stream.pipeline.pipeline import Prepared
from rice_stream.pipeline.refusal_limit import RefusalLimit, TooManyRefusedError
from rice_stream.runtime.opening_pipeline import open_pipeline
from rice_stream.runtime.settings.loading import load_settings
from rice_stream.store.engine import open_engine
from rice_stream.store.file_progress import FileProgressStore
from rice_stream.store.migrate import migrate
from tests.support.cli_running import Shell
from tests.support.fakes import event
from tests.support.format_payloads import OTLP_PAYLOADS, as_protobuf

EVENTS = [
    event(event_id="007", tenant_id="42", devices=2.0, gateway_cache_hit=False),
    event(event_id="e-2", team_id=..., input_tokens=None, cache_read_input_tokens=None),
    event(event_id="e-3", project_id='p, with "signs"\nand a line', user_id="é"),
]
NAMES = list(dict.fromkeys(name for fields in EVENTS for name in fields))
COLUMNS = "tenant_id, team_id, project_id, user_id, event_id, ended_at, started_at, request_model, input_tokens"


def _as_json_lines(path: Path) -> None:
    path.write_text("\n\n".join(map(json.dumps, EVENTS)))


def _as_pretty_array(path: Path) -> None:
    path.write_text(json.dumps(EVENTS, indent=2))


def _as_gzip(path: Path) -> None:
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, EVENTS)).encode()))


def _as_csv(path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8-sig") as stream:
        writer = csv.DictWriter(stream, NAMES, delimiter="\t" if path.suffix == ".tsv" else ",")
        writer.writeheader()
        writer.writerows(EVENTS)


def _as_parquet(path: Path) -> None:
    rows = [{**fields, "ended_at": datetime(2026, 11, 22, 12, tzinfo=UTC)} for fields in EVENTS]
    parquet.write_table(pa.Table.from_pylist([{name: row.get(name) for name in NAMES} for row in rows]), path)


KINDS: dict[str, Callable[[Path], None]] = {
    "lines.jsonl": _as_json_lines,
    "array.json": _as_pretty_array,
    "zipped.jsonl.gz": _as_gzip,
    "zipped-without-a-suffix": _as_gzip,
    "table.csv": _as_csv,
    "table.tsv": _as_csv,
    "table.parquet": _as_parquet,
}


def stored(where: Shell) -> list[tuple[Any, ...]]:
    """What the records say."""
    engine = open_engine(str(where.environment["RICE_DATABASE_URL"]))
    with engine.connect() as connection:
        found = connection.exec_driver_sql(f"SELECT {COLUMNS} FROM prompt_emission ORDER BY event_id").all()
    engine.dispose()
    return [tuple(row) for row in found]


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_file_gives_the_same_events(shell: Shell, name: str) -> None:
    """Ids that look like numbers stay text, counts are numbers, an empty cell is null, not zero."""
    KINDS[name](shell.directory / name)
    shell.run("migrate")
    counts = shell.json("ingest", name)
    nothing = {"duplicates": 0, "quarantined": 0, "ignored": 0, "conflicts": 0, "older_than_retention": 0}
    assert counts == {"events": 3, "records": 3, **nothing}
    others = ("2026-11-22T12:00:00.000000Z", "2026-11-22T11:59:58.500000Z", "small")
    assert stored(shell) == [
        ("42", "search", None, None, "007", *others, 10),
        ("acme", None, None, None, "e-2", *others, None),
        ("acme", "search", EVENTS[2]["project_id"], "é", "e-3", *others, 10),
    ]


def test_a_file_in_protobuf_is_one_message(shell: Shell) -> None:
    (shell.directory / "spans.binpb").write_bytes(as_protobuf(OTLP_PAYLOADS["otlp_semconv_141"]))
    shell.run("migrate")
    assert shell.json("ingest", "spans.binpb")["records"] == 1
    assert shell.json("ingest", "spans.binpb", "--format", "otlp")["duplicates"] == 1


def test_the_format_can_be_told_and_is_then_held_to(shell: Shell) -> None:
    _as_json_lines(shell.directory / "events.jsonl")
    shell.run("migrate")
    assert shell.json("ingest", "events.jsonl", "--format", "bedrock")["quarantined"] == 3
    assert shell.json("ingest", "events.jsonl", "--format", "canonical")["records"] == 3


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("cut.parquet", b"PAR1 and no more", "Parquet"),
        ("cut.csv.gz", gzip.compress(b"event_id,tenant_id\n" * 500, mtime=0)[:-20], "gzip"),
        ("double.csv", b"event_id,event_id\n1,2\n", "columns"),
        ("empty.csv", b"", "columns"),
    ],
)
def test_a_broken_file_is_named_with_what_is_wrong(
    shell: Shell,
    name: str,
    content: bytes,
    said: str,
) -> None:
    (shell.directory / name).write_bytes(content)
    shell.run("migrate")
    result = shell.run("ingest", name)
    assert result.exit_code == 2
    assert name in result.stderr
    assert said in result.stderr


def test_a_bad_row_costs_only_itself(shell: Shell) -> None:
    """A row with a cell too many, and one with a word for a count."""
    _as_csv(shell.directory / "table.csv")
    path = shell.directory / "table.csv"
    header, *_ = path.read_text("utf-8-sig").splitlines()
    good = ",".join("12" if "tokens" in name else str(EVENTS[0].get(name, "")) for name in header.split(","))
    path.write_text("\n".join([header, good, good + ",more", good.replace("12", "twelve"), ""]))
    shell.run("migrate")
    counts = shell.json("ingest", "table.csv")
    assert (counts["records"], counts["quarantined"]) == (1, 2)


def test_files_of_one_name_in_different_folders_do_not_meet(tmp_path: Path) -> None:
    """Also not where events have no id of their own: a growing file stays the same file."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "part-0.json").write_text(f'{{"in": "{folder}"}}\n{{}}\n')
    partitions = []
    for path in (tmp_path / "a" / "part-0.json", tmp_path / "b" / "part-0.json"):
        with open_file(path) as file:
            partitions.append(file.partition)
        with path.open("a") as stream:
            stream.write('{"more": 1}\n')
        with open_file(path) as file:
            assert file.partition == partitions[-1]
    assert len(set(partitions)) == 2


class Ingestion:
    """Runs a file through the real pipeline into SQLite, cut short where a test says."""

    def __init__(self, directory: Path, batch_records: int, monkeypatch: pytest.MonkeyPatch) -> None:
        from rice_stream.files import ingesting

        monkeypatch.setattr(ingesting, "RECORDS_PER_BATCH", batch_records)
        self.url = f"sqlite:///{directory / 'rice.db'}"
        self.engine = open_engine(self.url)
        migrate(self.engine)
        self.path = directory / "events.jsonl"
        self.decoded = 0

    def run(self, *, batches: int | None = None, ratio_max: float = 1.0) -> FileCounts:
        """All of the file, or its first batches."""
        pipeline, writer = open_pipeline(load_settings(environment={"RICE_DATABASE_URL": self.url}), self.engine)
        prepare = pipeline.prepare_some

        def counted(chunks: list[Chunk], received_at_us: int, *, items_max: int | None) -> Prepared:
            self.decoded += sum(len(chunk.records) for chunk in chunks)
            return prepare(chunks, received_at_us, items_max=items_max)

        pipeline.prepare_some = counted  # type: ignore[method-assign,assignment]
        counts = FileCounts()
        limit = RefusalLimit(ratio_max=ratio_max, records_min=10)
        try:
            with open_file(self.path) as file:
                steps = ingest_file(FileProgressStore(self.engine), pipeline, file, counts, limit)
                for number, _ in enumerate(steps, start=1):
                    if number == batches:
                        break
                steps.close()  # type: ignore[attr-defined]
        finally:
            writer.close()
        return counts


def _lines(n: int) -> list[str]:
    return [json.dumps(event(event_id=f"e-{number}")) if number % 5 else "{}" for number in range(n)]


def test_a_run_that_was_cut_short_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing stored is decoded again, everything counts once, and the counts are those of the whole file."""
    ingestion = Ingestion(tmp_path, 20, monkeypatch)
    ingestion.path.write_text("\n".join(_lines(100)))
    assert ingestion.run(batches=2).records == 32
    assert ingestion.decoded == 40
    rest = ingestion.run()
    assert ingestion.decoded == 100
    assert (rest.skipped, rest.events, rest.records, rest.duplicates, rest.quarantined) == (40, 100, 48, 32, 20)
    whole = ingestion.run()
    assert (whole.skipped, whole.records, whole.duplicates) == (0, 0, 80)


def test_a_file_that_has_changed_meanwhile_is_read_from_its_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Skipping by line numbers would lose the lines that were put in."""
    ingestion = Ingestion(tmp_path, 20, monkeypatch)
    lines = _lines(100)
    ingestion.path.write_text("\n".join(lines))
    ingestion.run(batches=2)
    lines[10] = json.dumps(event(event_id="put-in"))
    ingestion.path.write_text("\n".join(lines))
    counts = ingestion.run()
    assert counts.skipped == 0
    assert counts.records == 48 + 1


def test_a_file_of_something_else_is_not_put_into_quarantine_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingestion = Ingestion(tmp_path, 20, monkeypatch)
    ingestion.path.write_text("a line of text\n" * 100)
    with pytest.raises(TooManyRefusedError, match="not_json"):
        ingestion.run(ratio_max=0.5)


def test_records_carry_the_place_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"a": 1}\n\n{"b": 2}\n')
    with path.open("rb") as raw:
        file = EventFile(path, raw, path.read_bytes())
        assert [(r.topic, r.offset, r.value) for r in file] == [
            ("file:x.jsonl", 0, b'{"a": 1}'),
            ("file:x.jsonl", 2, b'{"b": 2}'),
        ]
        assert all(isinstance(record, RawRecord) for record in file)
        assert file.done_bytes == path.stat().st_size
