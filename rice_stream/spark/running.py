"""Where functions of `jobs` run: in this process, in a pool of processes with a file for each, or on Spark."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from rice_stream.errors import UsageError
from rice_stream.spark.jobs import FUNCTIONS, Job

ROWS_AT_ONCE = 20_000
"""What a function is given of a file at once; a process holds a few of these."""


def run_file(name: str, job: Job, source: Path, target: Path) -> int:
    """The function over a Parquet file; the new one is complete under its name, or not there. Returns its rows."""
    function, schema = _function(name)
    begun = target.with_name(f".{target.name}.begun")
    rows = 0
    with pq.ParquetFile(source) as file, pq.ParquetWriter(begun, schema, compression="zstd") as writer:
        for batch in file.iter_batches(ROWS_AT_ONCE):
            made = function(pa.Table.from_batches([batch]), job)
            writer.write_table(made)
            rows += len(made)
    begun.replace(target)
    return rows


def run_files(name: str, job: Job, sources: Sequence[Path], folder: Path, *, processes: int = 1) -> list[Path]:
    """`run_file` over each, into files of the same names in another folder (made if need be), in their order.

    UsageError: two files have one name, or the folder is that of a source.
    """
    _function(name)
    targets = [folder / source.name for source in sources]
    if len(set(targets)) < len(targets) or set(targets) & set(sources):
        raise UsageError(f"{folder}: every file needs a name of its own, in a folder that none of them is in")
    folder.mkdir(parents=True, exist_ok=True)
    if processes == 1:
        for source, target in zip(sources, targets, strict=True):
            run_file(name, job, source, target)
        return targets
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        list(pool.map(partial(run_file, name, job), sources, targets))
    return targets


def on_spark(frame: Any, name: str, job: Job) -> Any:
    """A Spark DataFrame of the function over another one (`mapInArrow`); this package has to be on its Python workers."""
    _, schema = _function(name)
    from pyspark.sql.pandas.types import from_arrow_schema

    return frame.mapInArrow(mapped(name, job), from_arrow_schema(schema))


def mapped(name: str, job: Job) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """What `mapInArrow` calls: from batches to batches."""
    return partial(_map_batches, name, job)


def _map_batches(name: str, job: Job, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    function, _ = _function(name)
    for batch in batches:
        yield from function(pa.Table.from_batches([batch]), job).to_batches()


def _function(name: str) -> tuple[Callable[[pa.Table, Job], pa.Table], pa.Schema]:
    if name not in FUNCTIONS:
        raise UsageError(f"{name!r} is no function over tables: use one of {', '.join(FUNCTIONS)}")
    return FUNCTIONS[name]
