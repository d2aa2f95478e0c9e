"""Functions over tables on a real Spark of this machine, beside this process and a pool of processes: all come to one digest.

python -m tests.on_spark [FOLDER]     exit code 0: they do. Part of the drill.

Back-fill, restatement and export; and the archive's Iceberg table, read by its catalogue. Spark and
Iceberg's runtime come into the folder, which may be kept for the next time (500 MB; Java 17 or newer is the machine's own).
"""

import hashlib
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
from jgo.config import GlobalSettings
from jgo.constants import MAVEN_CENTRAL_URL
from jgo.maven import MavenContext

from rice_stream.ledger.archiving import Archiving, months_to_archive
from rice_stream.sandbox.stack.jars import LockedJar
from rice_stream.spark import running
from rice_stream.spark.jobs import Job
from rice_stream.spark.record_table import RECORDS
from rice_stream.spark.sums import added, digest, once
from rice_stream.store.archive.iceberg import ArchiveTable
from rice_stream.store.engine import open_engine
from rice_stream.store.migrate import migrate
from tests.support.closing import close
from tests.support.fakes import OPERATOR
from tests.support.log_tables import JOB, cut, log_table, written
from tests.support.places import ROOT
from tests.support.reports_store import at, open_store

SPARK = ("pyspark==4.1.4", "py4j==0.10.9.9", "pandas==3.1.1", "python-dateutil", "six")
"""The newest Spark that Iceberg has a runtime for."""
JARS = (
    LockedJar(
        "3123c3798af642dd537230923548e013ef41cc28b6626e5225808cf5670a0f82",
        "org.apache.iceberg",
        "iceberg-spark-runtime-4.1_2.13",
        "1.12.0",
    ),
    LockedJar(
        "f8dce420a6016278497f4f0560f65602b9db858de141b541cf91a4644ebe4639", "org.xerial", "sqlite-jdbc", "3.54.1.0"
    ),
)
"""What reads an Iceberg table, and its catalogue in SQLite."""
EVENTS, FILES, PARTITIONS = 3_000, 4, 5
ARCHIVED = 500
CATALOGUE = "rice"
"""What the ledger calls it, and so what Spark has to."""
_DIGESTED = ("records", "sums", "corrections")
_COMPARED = ("event_id", "event_key", "tenant_key", "model", "input_tokens", "output_tokens", "carbon_mid_ugco2e")
"""Columns of an archived record: of each kind one, but for instants, which Spark has in a zone of its own."""
OTHERWISE = Job((("RICE_METHOD", "rice-paper"),), JOB.received_at_us)


def main(folder: Path) -> int:
    """Install what is missing, and compare; the exit code. CalledProcessError: a step failed, and has said why."""
    if not (folder / "pyspark").is_dir():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder)]
        subprocess.run([*pip, *SPARK], check=True)
    for jar in JARS:
        _fetch(jar, folder)
    environment = {
        **os.environ,
        "SPARK_JARS_FOLDER": str(folder),
        "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}",
        "PYSPARK_PYTHON": sys.executable,
    }
    program = [sys.executable, "-c", "from tests.on_spark import compare; compare()"]
    ran = subprocess.run(program, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, dict[str, Any]] = json.loads(ran.stdout.splitlines()[-1])
    print(json.dumps(found, indent=2))
    return 0 if all(map(_is_one, found.values())) else 1


def _is_one(ways: dict[str, dict[str, Any]]) -> bool:
    """Whether all ways come to the same digests, of as many rows."""
    return len({json.dumps({**each, "seconds": None}, sort_keys=True) for each in ways.values()}) == 1


def _fetch(jar: LockedJar, folder: Path) -> None:
    """Where it is not there yet. ValueError: what came has another digest."""
    file = folder / jar.filename
    if file.exists():
        return
    repositories = {**GlobalSettings.load().repositories, "central": MAVEN_CENTRAL_URL}
    context = MavenContext(repo_cache=folder / "maven", local_repos=[], remote_repos=repositories)
    fetched = context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()
    found = hashlib.sha256(fetched.read_bytes()).hexdigest()
    if found != jar.sha256:
        raise ValueError(f"{jar.filename} has the digest {found}, not {jar.sha256}")
    fetched.rename(file)


def compare() -> None:
    """In a process that has Spark: prints {way: {digests, seconds}}, and the same of the archive."""
    folder = Path(tempfile.mkdtemp(prefix="rice-spark-"))
    try:
        logs, _ = log_table(EVENTS)
        sources = written(cut(logs, FILES), folder / "logs")
        database = _archived(folder)
        spark = _session(folder, database)
        ways: dict[str, Callable[[], list[pa.Table]]] = {
            "one process": lambda: _by_files(sources, folder / "one", processes=1),
            "a pool of processes": lambda: _by_files(sources, folder / "pool", processes=2),
            "Spark": lambda: _by_spark(spark, sources),
        }
        archive: dict[str, Callable[[], list[pa.Table]]] = {
            "pyiceberg": lambda: [_by_pyiceberg(database, folder)],
            "Spark": lambda: [spark.table(f"{CATALOGUE}.rice.prompt_record").select(*_COMPARED).toArrow()],
        }
        told = {"tables": _told(ways, _DIGESTED), "archive": _told(archive, ("prompt_record",))}
        spark.stop()
        print(json.dumps(told))
    finally:
        shutil.rmtree(folder)


def _told(ways: dict[str, Callable[[], list[pa.Table]]], names: tuple[str, ...]) -> dict[str, Any]:
    """{way: {name: digest of that table, rows, seconds}}."""
    found = {}
    for way, make in ways.items():
        began_s = time.monotonic()
        tables = make()
        digests = dict(zip(names, map(digest, tables), strict=True))
        found[way] = {**digests, "rows": len(tables[0]), "seconds": round(time.monotonic() - began_s, 1)}
    return found


def _by_files(sources: list[Path], folder: Path, *, processes: int) -> list[pa.Table]:
    made = running.run_files("estimate", JOB, sources, folder / "made", processes=processes)
    records = once(pa.concat_tables(map(pq.read_table, made)))
    kept = written(cut(records, FILES), folder / "records")
    changed = running.run_files("restate", OTHERWISE, kept, folder / "changed", processes=processes)
    sums = running.run_files("export", JOB, kept, folder / "sums", processes=processes)
    return [records, added(map(pq.read_table, sums)), pa.concat_tables(map(pq.read_table, changed))]


def _session(folder: Path, database: Path) -> Any:
    """A Spark of two cores, with the ledger's catalogue of Iceberg."""
    from pyspark.sql import SparkSession

    jars = ",".join(str(Path(os.environ["SPARK_JARS_FOLDER"]) / jar.filename) for jar in JARS)
    catalogue = f"spark.sql.catalog.{CATALOGUE}"
    settings = {
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": str(PARTITIONS),
        "spark.jars": jars,
        catalogue: "org.apache.iceberg.spark.SparkCatalog",
        f"{catalogue}.type": "jdbc",
        f"{catalogue}.uri": f"jdbc:sqlite:{database}",
        f"{catalogue}.warehouse": _warehouse(folder).as_uri(),
    }
    building = SparkSession.builder.master("local[2]")
    for name, value in settings.items():
        building = building.config(name, value)
    return building.getOrCreate()


def _by_spark(spark: Any, sources: list[Path]) -> list[pa.Table]:
    from pyspark.sql.pandas.types import from_arrow_schema

    logs = spark.read.parquet(*map(str, sources)).repartition(PARTITIONS)
    made = running.on_spark(logs, "estimate", JOB)
    records = made.groupBy("tenant_id").applyInArrow(once, from_arrow_schema(RECORDS)).cache()
    sums = running.on_spark(records.repartition(PARTITIONS), "export", JOB)
    changed = running.on_spark(records.repartition(PARTITIONS), "restate", OTHERWISE)
    return [records.toArrow(), added([sums.toArrow()]), changed.toArrow()]


def _warehouse(folder: Path) -> Path:
    return folder / "archive"


def _archived(folder: Path) -> Path:
    """A ledger on SQLite with a closed month in the archive."""
    database = folder / "rice.db"
    engine = open_engine(f"sqlite:///{database}")
    migrate(engine)
    engine.dispose()
    with open_store(f"sqlite:///{database}") as store:
        ended = (f"2026-10-{1 + number % 30:02}T{number % 24:02}:00:00Z" for number in range(ARCHIVED))
        store.add(*(at(moment, event_id=f"e-{number}") for number, moment in enumerate(ended)))
        close(store.engine, "2026-10")
        archiving = Archiving(store.engine, _warehouse(folder), OPERATOR)
        for month in months_to_archive(store.engine, before="2026-11"):
            archiving.archive(month)
    return database


def _by_pyiceberg(database: Path, folder: Path) -> pa.Table:
    engine = open_engine(f"sqlite:///{database}")
    try:
        read = ArchiveTable(engine, _warehouse(folder)).table.scan(selected_fields=_COMPARED).to_arrow()
        return read.select(_COMPARED)
    finally:
        engine.dispose()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as new:
        sys.exit(main(Path(sys.argv[1] if sys.argv[1:] else new)))
