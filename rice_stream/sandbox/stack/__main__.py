"""Fetch what the local stack needs: `python -m rice_stream.sandbox.stack`. Quick when it is all there."""

import argparse
import sys
from collections.abc import Sequence

from rice_stream.errors import RiceError
from rice_stream.sandbox.stack.guard import GUARD, temporary_directory
from rice_stream.sandbox.stack.jars import ensure_jars, exclusive, write_lock
from rice_stream.sandbox.stack.java import build_class_archive, class_archive, find_java
from rice_stream.sandbox.stack.kafka import KafkaServer
from rice_stream.sandbox.stack.postgres import wheel_install


def report(line: str) -> None:
    """Say on stderr what takes long."""
    sys.stderr.write(f"local stack: {line}\n")


def prefetch() -> None:
    """Fetch Kafka's jars and write the archive of its classes, each only if the cache does not hold it.

    Raises:
        ServiceUnavailableError: something could not be fetched, or Kafka does not start on this machine.
        UsageError: a package of the extra `local` is missing.
    """
    wheel_install()
    java = find_java()
    jars = ensure_jars(report)
    if class_archive(java, jars).is_file():
        return
    with exclusive(jars[0].parent):
        if class_archive(java, jars).is_file():  # written while this process waited
            return
        report("starting Kafka once, to record what makes its later starts quick (about 15 s)")
        workspace = temporary_directory("rice-setup-")
        try:

            def train(options: Sequence[str]) -> None:
                with KafkaServer(workspace / "kafka", jvm_options=options) as kafka:
                    kafka.create_topic("training")

            build_class_archive(java, jars, workspace, train)
        finally:
            GUARD.delete_directory(workspace)


def main() -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m rice_stream.sandbox.stack", description=__doc__)
    parser.add_argument("--lock", action="store_true", help="for maintainers: rewrite kafka-jars.lock")
    arguments = parser.parse_args()
    try:
        if arguments.lock:
            report(f"kafka-jars.lock lists {write_lock()} jars")
        prefetch()
    except RiceError as error:
        report(str(error))
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
