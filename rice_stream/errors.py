"""The errors a user can meet, each with the exit code the command line answers with.

A message names the field or setting at fault and what to do about it; it never carries prompt text.
"""


class RiceError(Exception):
    """Something a user can act on: shown as one line, never as a traceback."""

    exit_code = 1


class UsageError(RiceError):
    """Wrong usage, settings or input: nothing was done."""

    exit_code = 2


class NotFoundError(UsageError):
    """What is asked for is not there, or is not the asker's to see: both look alike."""


class ServiceUnavailableError(RiceError):
    """Kafka or the database could not be reached (or stayed away longer than the bounded retry allows)."""

    exit_code = 3


class ReferenceDataError(UsageError):
    """A reference table holds a bad value; the message names file, row and column."""


class DamagedArchiveError(RiceError):
    """A file of the archive is gone, or is not what was written."""

    def __init__(self, message: str, file: str) -> None:
        """`file`: its names below the warehouse, or those of a folder."""
        super().__init__(message)
        self.file = file
