"""Where checkpoints are published: a file, a topic of Kafka, channels, and a repository of git, as the settings say."""

import logging
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from rice_stream.channels.checkpoint_notices import checkpoint_notice
from rice_stream.errors import ServiceUnavailableError, UsageError
from rice_stream.instants import datetime_of
from rice_stream.ledger.publishing import CheckpointPlace
from rice_stream.runtime.opening_kafka import kafka_config
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.channel_store import load_channels
from rice_stream.store.checkpoint_store import StoredCheckpoint
from rice_stream.store.delivery_store import NewDelivery, add_deliveries
from rice_stream.store.engine import Engine, writing

log = logging.getLogger(__name__)

_CONFIRMED_WITHIN_S = 15.0
_GIT_WITHIN_S = 60
_IN_REPOSITORY = "checkpoints.txt"


def checkpoint_places(settings: Settings) -> tuple[CheckpointPlace, ...]:
    """All that the settings name."""
    return tuple(_places(settings))


def _places(settings: Settings) -> Iterator[CheckpointPlace]:
    if settings.checkpoint_file is not None:
        yield FilePlace(settings.checkpoint_file)
    if settings.checkpoint_topic is not None:
        yield TopicPlace(settings, settings.checkpoint_topic)
    yield from map(ChannelPlace, settings.checkpoint_channels)
    if settings.checkpoint_git is not None:
        yield GitPlace(settings.checkpoint_git)


class FilePlace:
    """A file that is added to, with an empty line after each note."""

    name = "file"

    def __init__(self, path: Path) -> None:
        self._path = path

    def publish(self, _engine: Engine, checkpoint: StoredCheckpoint) -> None:
        """Returns when the disk has it. ServiceUnavailableError: it cannot be written."""
        try:
            append_durably(self._path, f"{checkpoint.note}\n")
        except OSError as error:
            raise ServiceUnavailableError(
                f"RICE_CHECKPOINT_FILE: cannot write {self._path} ({error.strerror})"
            ) from error


class TopicPlace:
    """A topic of Kafka; the key is the origin."""

    name = "topic"

    def __init__(self, settings: Settings, topic: str) -> None:
        self._settings = settings
        self._topic = topic

    def publish(self, _engine: Engine, checkpoint: StoredCheckpoint) -> None:
        """Returns when the broker has confirmed it. ServiceUnavailableError: it has not."""
        from rice_stream.kafka.producer import EventProducer, NotTakenError  # the client is opened only to publish

        options = {"message.timeout.ms": round(_CONFIRMED_WITHIN_S * 1000) - 1000}
        producer = EventProducer(kafka_config(self._settings), options, logger=log)
        problems: list[str | None] = []
        try:
            producer.send(self._topic, checkpoint.note.encode(), checkpoint.origin, problems.append)
        except NotTakenError as error:
            raise ServiceUnavailableError(f"RICE_CHECKPOINT_TOPIC: {self._topic}: {error}") from error
        producer.flush(_CONFIRMED_WITHIN_S)
        if problems != [None]:
            problem = problems[0] if problems else f"no broker confirmed it within {_CONFIRMED_WITHIN_S:g} s"
            raise ServiceUnavailableError(
                f"RICE_CHECKPOINT_TOPIC: {self._topic}: {problem}; is there such a topic, and does its broker answer?"
            )


class ChannelPlace:
    """A channel of alerts: a delivery is stored for it, which is sent, counted and tried again as alerts are."""

    def __init__(self, channel: str) -> None:
        self._channel = channel
        self.name = f"channel:{channel}"

    def publish(self, engine: Engine, checkpoint: StoredCheckpoint) -> None:
        """Store the delivery; a checkpoint is delivered once. UsageError: there is no such channel for every tenant, or it is
        disabled."""
        letter = checkpoint_notice(checkpoint.note, datetime_of(checkpoint.made_at_us))
        with writing(engine) as connection:
            channels = [each for each in load_channels(connection) if each.channel.name == self._channel]
            of_all = [each for each in channels if each.channel.tenants is None]
            if not of_all:
                raise UsageError(
                    f"RICE_CHECKPOINT_CHANNELS: there is no channel {self._channel!r} of every tenant; set it"
                )
            if not of_all[0].is_sent_to:
                raise UsageError(f"RICE_CHECKPOINT_CHANNELS: the channel {self._channel!r} is disabled; set it again")
            cause = f"checkpoint:{checkpoint.origin}:{checkpoint.size}"
            add_deliveries(connection, [NewDelivery(of_all[0].id, self._channel, "notice", cause, letter.content())])


class GitPlace:
    """A working tree of git: a commit for each checkpoint, pushed where the branch has a remote one."""

    name = "git"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def publish(self, _engine: Engine, checkpoint: StoredCheckpoint) -> None:
        """Returns when it is committed, and pushed. UsageError: there is no git; ServiceUnavailableError: git says no."""
        program = shutil.which("git")
        if program is None:
            raise UsageError("RICE_CHECKPOINT_GIT: there is no program git here; install it")
        file = self._folder / _IN_REPOSITORY
        try:
            if checkpoint.note not in (file.read_text() if file.exists() else ""):
                append_durably(file, f"{checkpoint.note}\n")
        except OSError as error:
            raise ServiceUnavailableError(f"RICE_CHECKPOINT_GIT: cannot write {file} ({error.strerror})") from error
        self._git(program, "add", "--", _IN_REPOSITORY)
        if self._git(program, "status", "--porcelain", "--", _IN_REPOSITORY):
            message = f"Checkpoint of {checkpoint.origin} at {checkpoint.size}"
            self._git(program, "commit", "--quiet", "-m", message, "--", _IN_REPOSITORY)
        if self._git(program, "remote"):
            self._git(program, "push", "--quiet")

    def _git(self, program: str, *arguments: str) -> str:
        command = [program, "-C", str(self._folder), *arguments]
        environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
        try:
            run = subprocess.run(
                command, env=environment, capture_output=True, text=True, check=False, timeout=_GIT_WITHIN_S
            )
        except subprocess.TimeoutExpired as error:
            raise ServiceUnavailableError(f"RICE_CHECKPOINT_GIT: git {arguments[0]} takes too long") from error
        if run.returncode:
            said = (run.stderr or run.stdout).strip().splitlines()
            # What follows the reason, if anything does, are hints.
            why = next((line for line in said if line.startswith(("fatal:", "error:"))), said[-1] if said else "failed")
            raise ServiceUnavailableError(f"RICE_CHECKPOINT_GIT: git {arguments[0]}: {why[:200]}")
        return run.stdout.strip()


def append_durably(path: Path, text: str) -> None:
    """Add to a file what is on the disk when this returns. OSError: it cannot be written."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    with os.fdopen(descriptor, "a", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
