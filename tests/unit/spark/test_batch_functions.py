"""Functions over tables: what they give is what a worker records and `restate` posts, however the tables are cut."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rice_stream.errors import UsageError
from rice_stream.quantities import MEASURES
from rice_stream.spark import running
from rice_stream.spark.jobs import CORRECTIONS, REFUSED, Job, corrected, estimated, refused
from rice_stream.spark.record_table import RECORDS
from rice_stream.spark.sums import SUMS, added, digest, measures_of, once, summed
from tests.support.log_tables import JOB, cut, log_table, written
from tests.support.worker_truth import AMOUNTS, TOKENS
from tests.support.worker_truth import measures_of as true_measures

LOGS_TABLE, EVENTS = log_table(150)
RECORDED = once(estimated(LOGS_TABLE, JOB))
OTHERWISE = Job((("RICE_PUE", "1.9"), ("RICE_METHOD", "rice-paper")), JOB.received_at_us)


def test_records_are_those_that_a_worker_makes_of_the_same_events(tmp_path: Path) -> None:
    """Names, tokens and amounts, each event once though it was sent twice."""
    rows = {(row["tenant_id"], row["event_id"]): row for row in RECORDED.to_pylist()}
    assert len(rows) == len(RECORDED)
    for key, true in true_measures(EVENTS, tmp_path).items():
        row, event = rows.pop(key), next(e for e in EVENTS if (e["tenant_id"], e["event_id"]) == key)
        assert {name: row[name] or 0 for name in TOKENS} == {name: true[name] for name in TOKENS}
        assert {name: row[name] for name in AMOUNTS} == {name: true[name] for name in AMOUNTS}
        assert (row["team_id"] or None, row["user_id"]) == (event.get("team_id"), event.get("user_id"))
    assert len(rows) > 5, "those of other formats"


def test_what_is_refused_is_said_and_holds_no_text() -> None:
    told = refused(LOGS_TABLE, JOB)
    assert told.schema == REFUSED
    assert {"not_json"} < set(told.column("reason").to_pylist())
    assert refused(LOGS_TABLE.slice(0, 0), JOB).to_pylist() == []


@settings(max_examples=5)
@given(pieces=st.integers(2, 9), turned=st.integers(0, 300))
def test_no_cut_and_no_order_changes_a_record_or_a_sum(pieces: int, turned: int) -> None:
    """Parts estimated apart, with the same event in several of them, come to the same digest."""
    moved = pa.concat_tables([LOGS_TABLE.slice(turned), LOGS_TABLE.slice(0, turned)])
    parts = [estimated(piece, JOB) for piece in cut(moved, pieces)]
    together = once(pa.concat_tables(parts))
    assert digest(together) == digest(RECORDED)
    assert together.equals(RECORDED)
    assert added(summed(piece) for piece in cut(together, pieces)).equals(summed(RECORDED))


def test_sums_are_those_of_the_records() -> None:
    """Of every measure, with Python's own integers."""
    sums = summed(RECORDED)
    counted = measures_of(RECORDED)
    for place, name in enumerate(MEASURES):
        assert sum(sums.column(name).to_pylist()) == int(counted[:, place].sum())
    assert sum(sums.column("prompts").to_pylist()) == len(RECORDED)


def test_by_the_same_settings_nothing_changes_and_by_others_the_difference_is_what_is_missing() -> None:
    """Records and their corrections together are what the other settings would have recorded."""
    assert corrected(RECORDED, JOB).to_pylist() == []
    changes = corrected(RECORDED, OTHERWISE)
    assert changes.schema == CORRECTIONS
    assert len(changes) > 50
    by_then = once(estimated(LOGS_TABLE, OTHERWISE))
    place = {key: number for number, key in enumerate(RECORDED.column("event_key").to_pylist())}
    amounts = measures_of(RECORDED)
    for row in changes.to_pylist():
        amounts[place[row["event_key"]]] += [row[name] for name in MEASURES]
    assert by_then.column("event_key").to_pylist() == RECORDED.column("event_key").to_pylist()
    assert np.array_equal(amounts, measures_of(by_then))
    assert corrected(by_then, OTHERWISE).to_pylist() == []
    assert corrected(RECORDED.slice(0, 0), OTHERWISE).to_pylist() == []


def test_a_pool_of_processes_gives_the_files_of_one(tmp_path: Path) -> None:
    """Byte for byte: a process with the tables of the settings, over a file each."""
    sources = written(cut(LOGS_TABLE, 3), tmp_path / "logs")
    alone = running.run_files("estimate", JOB, sources, tmp_path / "alone")
    pooled = running.run_files("estimate", JOB, sources, tmp_path / "pooled", processes=2)
    assert [path.read_bytes() for path in alone] == [path.read_bytes() for path in pooled]
    assert once(pa.concat_tables(map(pq.read_table, pooled))).equals(RECORDED)
    assert sorted(path.name for path in pooled) == sorted(path.name for path in (tmp_path / "pooled").iterdir())
    kept = written(cut(RECORDED, 2), tmp_path / "records")
    sums = running.run_files("export", JOB, kept, tmp_path / "sums")
    assert added(map(pq.read_table, sums)).equals(summed(RECORDED))


def test_batches_as_spark_hands_them_over_come_to_the_same() -> None:
    """Without Spark: what `mapInArrow` calls, on many small batches; an empty one among them."""
    batches = [LOGS_TABLE.slice(0, 0).to_batches(), *(piece.to_batches() for piece in cut(LOGS_TABLE, 9))]
    made = running.mapped("estimate", JOB)(batch for some in batches for batch in some)
    assert once(pa.Table.from_batches(made, RECORDS)).equals(RECORDED)
    sums = running.mapped("export", JOB)(batch for piece in cut(RECORDED, 9) for batch in piece.to_batches())
    assert added([pa.Table.from_batches(sums, SUMS)]).equals(summed(RECORDED))


def test_what_cannot_be_is_said_before_anything_is_written(tmp_path: Path) -> None:
    [source] = written([LOGS_TABLE.slice(0, 3)], tmp_path / "logs")
    for name, sources, folder, said in (
        ("nonsense", [source], tmp_path / "new", "use one of estimate, refused, restate, export"),
        ("estimate", [source], source.parent, "a name of its own"),
        ("estimate", [source, source], tmp_path / "new", "a name of its own"),
    ):
        with pytest.raises(UsageError, match=said):
            running.run_files(name, JOB, sources, folder)
    assert not (tmp_path / "new").exists()
