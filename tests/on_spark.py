"""Functions over tables on a real Spark of this machine, beside this process and a pool of processes: all come to one digest.

python -m tests.on_spark [FOLDER]     exit code 0: they do. Part of the drill.

Spark is installed into the folder, which may be kept for the next time (450 MB; Java 17 or newer is the machine's own).
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from rice_stream.spark import running
from rice_stream.spark.jobs import Job
from rice_stream.spark.record_table import RECORDS
from rice_stream.spark.sums import digest, once, summed
from tests.support.log_tables import JOB, cut, log_table, written
from tests.support.places import ROOT

SPARK = ("pyspark==4.3.0", "py4j==0.10.9.9", "pandas==3.1.1", "python-dateutil", "six")
EVENTS, FILES, PARTITIONS = 3_000, 4, 5
_DIGESTED = ("records", "sums", "corrections")
OTHERWISE = Job((("RICE_METHOD", "rice-paper"),), JOB.received_at_us)


def main(folder: Path) -> int:
    """Install what is missing, and compare; the exit code. CalledProcessError: a step failed, and has said why."""
    if not (folder / "pyspark").is_dir():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder)]
        subprocess.run([*pip, *SPARK], check=True)
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}", "PYSPARK_PYTHON": sys.executable}
    program = [sys.executable, "-c", "from tests.on_spark import compare; compare()"]
    ran = subprocess.run(program, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, dict[str, Any]] = json.loads(ran.stdout.splitlines()[-1])
    print(json.dumps(found, indent=2))
    return int(len({tuple(each[name] for name in _DIGESTED) for each in found.values()}) > 1)


def compare() -> None:
    """In a process that has Spark: prints {way: {digests, seconds}}."""
    folder = Path(tempfile.mkdtemp(prefix="rice-spark-"))
    try:
        logs, _ = log_table(EVENTS)
        sources = written(cut(logs, FILES), folder / "logs")
        ways: dict[str, Callable[[], tuple[pa.Table, pa.Table]]] = {
            "one process": lambda: _by_files(sources, folder / "one", processes=1),
            "a pool of processes": lambda: _by_files(sources, folder / "pool", processes=2),
            "Spark": lambda: _by_spark(sources),
        }
        print(json.dumps({name: _told(way) for name, way in ways.items()}))
    finally:
        shutil.rmtree(folder)


def _told(way: Callable[[], tuple[pa.Table, pa.Table]]) -> dict[str, Any]:
    began_s = time.monotonic()
    records, corrections = way()
    digests = (digest(records), digest(summed(records)), digest(corrections))
    return {
        **dict(zip(_DIGESTED, digests, strict=True)),
        "rows": len(records),
        "seconds": round(time.monotonic() - began_s, 1),
    }


def _by_files(sources: list[Path], folder: Path, *, processes: int) -> tuple[pa.Table, pa.Table]:
    made = running.run_files("estimate", JOB, sources, folder / "made", processes=processes)
    records = once(pa.concat_tables(map(pq.read_table, made)))
    kept = written(cut(records, FILES), folder / "records")
    changed = running.run_files("restate", OTHERWISE, kept, folder / "changed", processes=processes)
    return records, pa.concat_tables(map(pq.read_table, changed))


def _by_spark(sources: list[Path]) -> tuple[pa.Table, pa.Table]:
    from pyspark.sql import SparkSession
    from pyspark.sql.pandas.types import from_arrow_schema

    building = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    spark = building.config("spark.sql.shuffle.partitions", str(PARTITIONS)).getOrCreate()
    try:
        logs = spark.read.parquet(*map(str, sources)).repartition(PARTITIONS)
        made = running.on_spark(logs, "estimate", JOB)
        records = made.groupBy("tenant_id").applyInArrow(once, from_arrow_schema(RECORDS)).cache()
        changed = running.on_spark(records.repartition(PARTITIONS), "restate", OTHERWISE)
        return records.toArrow(), changed.toArrow()
    finally:
        spark.stop()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as new:
        sys.exit(main(Path(sys.argv[1] if sys.argv[1:] else new)))
