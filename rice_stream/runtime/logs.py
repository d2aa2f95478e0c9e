"""Logging to stderr, as text or as one JSON object a line. Nothing of an event's content is ever logged."""

import json
import logging
import sys
from datetime import UTC, datetime

from rice_stream.runtime.log_fields import log_fields
from rice_stream.runtime.settings.settings import Settings


class JsonFormatter(logging.Formatter):
    """A line of the log as JSON, with the request and the trace that it belongs to, and its process where there are several."""

    def __init__(self, process: int | None = None) -> None:
        super().__init__()
        self._of_process = {} if process is None else {"process": process}

    def format(self, record: logging.LogRecord) -> str:
        """One object."""
        entry = {
            "time": datetime.fromtimestamp(record.created, tz=UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **self._of_process,
            **log_fields(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


class _WithoutCoordinatorSearch(logging.Filter):
    """A broker that has just started makes its coordinator on first use; aiokafka logs the wait as an error."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        return "GroupCoordinatorNotAvailable" not in message and "coordinator dead" not in message


def configure_logging(settings: Settings, *, process: int | None = None) -> None:
    """Our own messages at the chosen level; libraries only when something is wrong. `process`: the number to tell lines by."""
    handler = logging.StreamHandler(sys.stderr)
    if settings.log_format == "json":
        handler.setFormatter(JsonFormatter(process))
    else:
        of_process = "" if process is None else f" [{process}]"
        handler.setFormatter(logging.Formatter(f"%(asctime)s %(levelname)-7s{of_process} %(name)s: %(message)s"))
    root = logging.getLogger()
    handler.addFilter(_WithoutCoordinatorSearch())
    root.handlers[:] = [handler]
    # What Python warns of is a line of the log as well.
    logging.captureWarnings(True)  # noqa: FBT003
    root.setLevel(logging.WARNING)
    logging.getLogger("rice_stream").setLevel(settings.log_level.upper())
    # Faust's services log their life under our module's name.
    logging.getLogger("rice_stream.worker.faust_transport").setLevel(logging.WARNING)
