"""Apache Kafka's jars: fetched once into a cache, each checked against a hash that is part of this package.

kafka-jars.lock lists every jar as `sha256 group:artifact:version`. A jar enters the cache by an atomic rename after its
hash was checked, and all hashes are checked again at every start (70 ms): a torn or altered cache is refetched, never
run.
"""

import fcntl
import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from rice_stream.errors import ServiceUnavailableError, UsageError
from rice_stream.sandbox.stack.guard import MISSING_EXTRA

KAFKA_VERSION = "4.4.0"
ENDPOINT = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}+org.slf4j:slf4j-simple:1.7.36"
LOCK_FILE = Path(__file__).with_name("kafka-jars.lock")

_PARALLEL_DOWNLOADS = 8
_DOWNLOAD_ATTEMPTS = 3
_REQUEST_TIMEOUT_S = 30


class LockedJar(NamedTuple):
    """One line of kafka-jars.lock."""

    sha256: str
    group: str
    artifact: str
    version: str

    @property
    def filename(self) -> str:
        """The jar's name, as it is published."""
        return f"{self.artifact}-{self.version}.jar"


def locked_jars() -> list[LockedJar]:
    """Return the jars that kafka-jars.lock lists, in its order, which is the order of the class path."""
    lines = LOCK_FILE.read_text().splitlines()
    return [LockedJar(sha256, *coordinates.split(":")) for sha256, coordinates in (line.split() for line in lines)]


def cache_directory() -> Path:
    """Where fetched files are kept: in the virtual environment, or in the user's cache outside of one."""
    if sys.prefix != sys.base_prefix and os.access(sys.prefix, os.W_OK):
        return Path(sys.prefix, "share", "rice-stream")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "rice-stream")


def ensure_jars(report: Callable[[str], None], cache: Path | None = None) -> list[Path]:
    """Return the paths of Kafka's jars, after fetching those that the cache lacks or holds damaged.

    Args:
        report: called with one line about every step that takes long.
        cache: the cache directory; the default is `cache_directory()`.

    Raises:
        ServiceUnavailableError: a jar could not be fetched.
        UsageError: the extra `local` is not installed.
    """
    jars = locked_jars()
    directory = (cache or cache_directory()) / f"kafka-{KAFKA_VERSION}"
    if missing := _missing(jars, directory):
        directory.mkdir(parents=True, exist_ok=True)
        with exclusive(directory):
            # Another process may have fetched them while this one waited.
            missing = _missing(jars, directory)
            if missing:
                _fetch_all(missing, directory, report)
    return [directory / jar.filename for jar in jars]


@contextmanager
def exclusive(directory: Path) -> Iterator[None]:
    """Hold the cache directory alone among all processes of this machine; the system lets go when a holder dies."""
    with (directory / ".lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _missing(jars: list[LockedJar], directory: Path) -> list[LockedJar]:
    return [jar for jar in jars if _sha256(directory / jar.filename) != jar.sha256]


def _sha256(path: Path) -> str | None:
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fetch_all(jars: list[LockedJar], directory: Path, report: Callable[[str], None]) -> None:
    report(f"fetching Apache Kafka {KAFKA_VERSION}: {len(jars)} jars")
    staging = directory / "unchecked"
    if staging.exists():  # a fetch was killed
        shutil.rmtree(staging)
    staging.mkdir()
    with ThreadPoolExecutor(_PARALLEL_DOWNLOADS) as pool:
        downloads = [pool.submit(_fetch, jar, directory, staging) for jar in jars]
        try:
            for done, download in enumerate(as_completed(downloads), start=1):
                download.result()
                if done % 10 == 0 or done == len(jars):
                    report(f"fetched {done} of {len(jars)} jars")
        finally:
            pool.shutdown(cancel_futures=True)
            shutil.rmtree(staging)


def _fetch(jar: LockedJar, directory: Path, staging: Path) -> None:
    """Fetch one jar and move it into the cache if it is the one we know; try a few times."""
    try:
        from jgo.config import GlobalSettings
        from jgo.constants import MAVEN_CENTRAL_URL
        from jgo.maven import MavenContext
    except ImportError as error:
        raise UsageError(MISSING_EXTRA) from error
    settings = GlobalSettings.load()
    reason = ""
    for attempt in range(_DOWNLOAD_ATTEMPTS):
        # The user's own repository of jars is looked at once only: it may be what holds a damaged one.
        context = MavenContext(
            repo_cache=staging,
            local_repos=[settings.repo_cache] if attempt == 0 else [],
            remote_repos={**settings.repositories, "central": MAVEN_CENTRAL_URL},
            timeout=_REQUEST_TIMEOUT_S,
        )
        artifact = context.project(jar.group, jar.artifact).at_version(jar.version).artifact()
        try:
            path = artifact.resolve()
        except (OSError, RuntimeError) as error:  # what `requests` and jgo raise
            reason = str(error)
        else:
            if _sha256(path) == jar.sha256:
                checked = staging / f"{jar.filename}.checked"
                shutil.copyfile(path, checked)
                checked.replace(directory / jar.filename)
                return
            reason = f"what was fetched is damaged or another file (its sha256 is not {jar.sha256})"
        if artifact.cached_path:
            artifact.cached_path.unlink(missing_ok=True)
    raise ServiceUnavailableError(
        f"could not fetch {jar.filename} for Apache Kafka {KAFKA_VERSION}: {reason}. Check the network and the proxy "
        f"settings (a mirror can be named in jgo's configuration file), or copy the folder {directory} from a machine "
        "that has it"
    )


def write_lock() -> int:
    """Resolve Kafka's dependencies again and rewrite kafka-jars.lock (for maintainers); return the number of jars."""
    import jgo

    artifacts = jgo.resolve(ENDPOINT)
    LOCK_FILE.write_text("".join(f"{_sha256(a.resolve())} {a.groupId}:{a.artifactId}:{a.version}\n" for a in artifacts))
    return len(artifacts)
