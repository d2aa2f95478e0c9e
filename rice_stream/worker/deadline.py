"""Ends a stop that hangs: in a transaction that waits for a lock, or a broker that does not answer."""

import os
import sys
import threading

from rice_stream.errors import ServiceUnavailableError

STOP_BEYOND_RETRIES_S = 30.0
"""What a stop may take beside trying again to reach the database: a transaction, alerts, leaving the group."""


def stop_limit_s(store_retry_s: float) -> float:
    """How long a stop may take, in seconds: what was fetched is stored first, and the database may be away meanwhile.

    Supervisors are told to wait longer than that (docs/operations.md, deploy/): a worker that leaves by itself can say why.
    """
    return STOP_BEYOND_RETRIES_S + store_retry_s


class StopDeadline:
    """Ends the process when a stop that was started takes longer than `limit_s`; nothing that is not stored is acked.

    A thread of the database driver or of Kafka's client that hangs cannot be interrupted, and Python waits for it at the
    end. So the process is left as a crash would leave it, which loses nothing here.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._timer = threading.Timer(limit_s, self._leave)
        self._timer.daemon = True

    def start(self) -> None:
        """The stop begins."""
        self._timer.start()

    def cancel(self) -> None:
        """It has ended (or never began)."""
        self._timer.cancel()

    def _leave(self) -> None:
        sys.stderr.write(
            f"rice-stream: the stop did not end within {self._limit_s:g} s: the database or Kafka does not answer. What"
            " was not stored and acknowledged will be read again by the next worker\n"
        )
        sys.stderr.flush()
        os._exit(ServiceUnavailableError.exit_code)
