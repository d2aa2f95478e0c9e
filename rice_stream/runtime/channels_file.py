"""Channels from a YAML file: the one given on the command line, and RICE_CHANNELS_FILE of `rice-stream serve`."""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rice_stream.alerting.channels import set_channels
from rice_stream.channels.files import parse_channel_file
from rice_stream.channels.parsing import AskedChannel
from rice_stream.errors import ServiceUnavailableError, UsageError
from rice_stream.runtime.opening_api import open_own_store
from rice_stream.runtime.opening_secrets import open_secret_box
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.audit import Actor
from rice_stream.store.revisions import SchemaChangedError
from rice_stream.store.scope import EVERYTHING

if TYPE_CHECKING:
    from rice_stream.runtime.secret_box import FernetBox

log = logging.getLogger(__name__)

_PAUSE_S = 5.0


def read_channels_file(path: Path) -> list[AskedChannel]:
    """The channels of a YAML file, with the secrets of the variables that it names.

    UsageError: it is not YAML, or lists every problem of every channel; OSError: it cannot be read.
    """
    # Loaded here: the other commands about channels read no file.
    import yaml

    try:
        loaded = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, ValueError) as error:
        # Without what stands there: somebody may have written a secret into the file.
        mark = getattr(error, "problem_mark", None)
        place = "" if mark is None else f": see line {mark.line + 1}, column {mark.column + 1}"
        raise UsageError(f"{path} is not YAML{place}") from None
    return parse_channel_file(loaded, os.environ.get)


@contextmanager
def following_channels_file(settings: Settings) -> Iterator[None]:
    """Sets the channels of RICE_CHANNELS_FILE: at once, or as soon as the database answers. Others stay as they are.

    UsageError: the file has a problem.
    """
    path = settings.channels_file
    if path is None:
        yield
        return
    try:
        asked = read_channels_file(path)
    except OSError as error:
        raise UsageError(f"RICE_CHANNELS_FILE: cannot read {path}: {error.strerror}") from error
    box = open_secret_box(settings)
    if _are_set(settings, box, asked):
        yield
        return
    log.warning("the channels of RICE_CHANNELS_FILE are set as soon as the database answers and is of this version")
    stop = threading.Event()
    thread = threading.Thread(target=_set_later, args=(settings, box, asked, stop), name="rice-channels", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _are_set(settings: Settings, box: "FernetBox", asked: list[AskedChannel]) -> bool:
    """Sets them; False where the database is not there, does not answer, or is of another version."""
    try:
        engine = open_own_store(settings)
        if engine is None:
            return False
        try:
            set_channels(engine, EVERYTHING, box, asked, Actor("command line", "RICE_CHANNELS_FILE"))
        finally:
            engine.dispose()
    except (ServiceUnavailableError, SchemaChangedError):
        return False
    log.info("channels of RICE_CHANNELS_FILE that are set: %d", len(asked))
    return True


def _set_later(settings: Settings, box: "FernetBox", asked: list[AskedChannel], stop: threading.Event) -> None:
    while not stop.wait(_PAUSE_S):
        try:
            if _are_set(settings, box, asked):
                return
        except UsageError as error:
            log.error("the channels of RICE_CHANNELS_FILE are not set: %s", error)  # it says all
            return
