"""The Faust app of the worker."""

import asyncio
from pathlib import Path
from typing import NoReturn

import pytest

from rice_stream.runtime.settings.loading import load_settings
from rice_stream.worker.app import create_app
from rice_stream.worker.batch_pace import BatchPace


def test_a_worker_that_may_write_nowhere_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faust would make folders for its tables before all else, in a container or service on files that are read-only."""

    def refused(path: Path, *_arguments: object, **_options: object) -> NoReturn:
        raise OSError(30, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "mkdir", refused)
    asyncio.run(create_app(load_settings(environment={}), BatchPace(0.4)).on_first_start())
