"""Temporary directories that do not outlive this process, not even after kill -9."""

import os
import secrets
import tempfile
from pathlib import Path

from rice_stream.sandbox.stack.guard import GUARD


def temporary_directory(prefix: str) -> Path:
    """Create a directory that the guardian deletes at the latest when this process is gone.

    Its owner alone may list it. When root made it others may pass through, to what was made for them inside.
    """
    directory = Path(tempfile.gettempdir(), prefix + secrets.token_hex(4)).resolve()
    GUARD.watch_directory(directory)
    directory.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700)
    return directory
