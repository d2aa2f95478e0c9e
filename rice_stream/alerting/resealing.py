"""Secrets of channels under the key that is in force: so that one that was replaced can be taken away."""

from typing import Protocol

from rice_stream.channels.definition import Secrets
from rice_stream.errors import UsageError
from rice_stream.store.channel_store import load_channels, seal_again
from rice_stream.store.engine import Engine, reading, writing


class KeyedBox(Protocol):
    """Encrypts what is secret of channels, and knows its keys (`runtime.secret_box`)."""

    @property
    def key_ids(self) -> tuple[str, ...]:
        """What the keys are known by, the one that seals first."""

    def seal(self, channel: str, secret: Secrets) -> tuple[bytes, str]:
        """Encrypted, and the id of the key."""

    def open(self, channel: str, sealed: bytes) -> Secrets:
        """What was sealed for the channel of this name."""


def seal_with_key_in_force(engine: Engine, box: KeyedBox) -> int:
    """Seal again what another of the box's keys sealed; returns of how many channels.

    What none of its keys sealed stays as it is: who sends says so when it is needed. UsageError: some could not be opened, and the
    others are done; StoreUnavailableError: the database did not do it.
    """
    if len(box.key_ids) < 2:
        return 0
    with reading(engine) as connection:
        stored = [each for each in load_channels(connection) if each.key_id in box.key_ids[1:]]
    count, problems = 0, []
    for each in stored:
        try:
            secret = box.open(each.channel.name, each.sealed or b"")
        except UsageError as error:
            problems.append(str(error))
            continue
        sealed, key_id = box.seal(each.channel.name, secret)
        with writing(engine) as connection:
            count += seal_again(connection, each, sealed, key_id)
    if problems:
        raise UsageError("; ".join(problems))
    return count
