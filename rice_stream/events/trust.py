"""Whose word on factors is believed: by the door that an event came through, its topic and its source. Pure.

An event may say how it was served and at which site (hardware, batch size, PUE, ...) or that a gateway answered from its
own cache. Whoever can send events could make them cost nothing, so what is believed is the operator's choice.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from rice_stream.errors import UsageError

DOOR_HEADER = "rice-door"
"""Kafka header of every record that `rice-stream serve` publishes: its sender has a token, and is not the operator."""
HTTP_DOOR = "http"
MARK: tuple[tuple[str, bytes], ...] = ((DOOR_HEADER, HTTP_DOOR.encode()),)
"""The headers of a marked record."""

TrustWord = Literal["operator", "all", "none"]
TRUST_WORDS: tuple[TrustWord, ...] = get_args(TrustWord)
_TOPIC, _SOURCE = "topic", "source"


def door_of(headers: Iterable[tuple[str, bytes | None]]) -> str:
    """`http` where the headers hold the mark, whatever its value; else empty."""
    return HTTP_DOOR if any(name.lower() == DOOR_HEADER for name, _ in headers) else ""


@dataclass(frozen=True, slots=True)
class TrustPolicy:
    """Which events are believed. `word` is None where topics and sources are listed."""

    word: TrustWord | None = "operator"
    topics: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()

    def believes(self, topic: str, source: str | None, headers: Iterable[tuple[str, bytes | None]]) -> bool:
        """Whether an event's factors are believed. `topic` is that of its record (of a file: `file:` and its name).

        A marked record is believed only where everybody is: its sender chooses the event's source, and other senders'
        records lie on the same topic.
        """
        if self.word == "all" or self.word == "none":
            return self.word == "all"
        if headers and door_of(headers):
            return False
        return self.word == "operator" or topic in self.topics or (source or "") in self.sources


OPERATOR_TRUST = TrustPolicy()
"""Believe what lies on Kafka topics and in ingested files; not what came over HTTP."""


def parse_trust(written: Sequence[str]) -> TrustPolicy:
    """One of TRUST_WORDS alone, or any number of `topic:NAME` and `source:NAME`. UsageError for anything else."""
    if len(written) == 1 and written[0] in TRUST_WORDS:
        return TrustPolicy(TRUST_WORDS[TRUST_WORDS.index(written[0])])
    names: dict[str, set[str]] = {_TOPIC: set(), _SOURCE: set()}
    for item in written:
        kind, _, name = item.partition(":")
        if kind not in names or not name:
            raise UsageError(
                f"{item}: must be one of {', '.join(TRUST_WORDS)}, or a list of topic:NAME and source:NAME"
            )
        names[kind].add(name)
    if not written:
        raise UsageError(f"must be one of {', '.join(TRUST_WORDS)}, or a list of topic:NAME and source:NAME")
    return TrustPolicy(None, frozenset(names[_TOPIC]), frozenset(names[_SOURCE]))
