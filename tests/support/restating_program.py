"""`rice-stream restate` with few records in a transaction, as a process of its own that kills itself with SIGKILL.

python -m tests.support.restating_program RECORDS_AT_ONCE KILLED_AT ARGUMENT ...

KILLED_AT counts what a run reads and writes, before and after each; 0: it is not killed.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from rice_stream.cli import cli
from rice_stream.ledger import restating

_WATCHED = ("read_chunk", "post_ready", "save_progress", "record")


def main() -> None:
    """Restate until it is done, or killed."""
    restating.RECORDS_AT_ONCE = int(sys.argv[1])
    left = [int(sys.argv[2])]
    for name in _WATCHED:
        setattr(restating, name, _watched(getattr(restating, name), left))
    cli(["restate", *sys.argv[3:]], prog_name="rice-stream")


def _watched(call: Callable[..., Any], left: list[int]) -> Callable[..., Any]:
    def watched(*arguments: Any, **options: Any) -> Any:
        _count(left)
        found = call(*arguments, **options)
        _count(left)
        return found

    return watched


def _count(left: list[int]) -> None:
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
