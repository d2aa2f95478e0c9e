"""What a method is asked about recorded events: their token counts, with defaults where a count is unknown. Pure.

The pipeline, `explain`, `compare` and `verify --against-topic` all ask through `requests_of`, so an estimate that is made again is
made from the same request.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rice_stream.basis import Basis
from rice_stream.estimator.method import Requests
from rice_stream.quantities import UNKNOWN, Ints


@dataclass(frozen=True, slots=True)
class TokenDefaults:
    """Counts that replace unknown ones (RICE_DEFAULT_INPUT_TOKENS, RICE_DEFAULT_OUTPUT_TOKENS)."""

    input_tokens: int
    output_tokens: int


class CountedEvents(Protocol):
    """Columns of n events, shape (n,); UNKNOWN (-1) for a count that is not known."""

    @property
    def input_tokens(self) -> Ints:
        """Tokens of the prompt, cached ones included."""

    @property
    def cache_read_input_tokens(self) -> Ints:
        """Those of them that the server read from its cache."""

    @property
    def output_tokens(self) -> Ints:
        """Tokens of the answer."""

    @property
    def inference(self) -> NDArray[np.bool_]:
        """False where a gateway answered from its own cache."""

    @property
    def failed(self) -> NDArray[np.bool_]:
        """True where the call ended in an error."""


@dataclass(frozen=True, slots=True)
class RecordedCounts:
    """The `CountedEvents` of n stored records: their counts, and their basis flags, which say the rest."""

    input_tokens: Ints
    cache_read_input_tokens: Ints
    output_tokens: Ints
    flags: NDArray[np.int32]
    metered_energy_uj: Ints | None = None
    """Microjoules that were metered, UNKNOWN where none are; None where no record has any, or they are not asked for."""

    @classmethod
    def of(cls, records: Sequence[Mapping[str, int | None]]) -> "RecordedCounts":
        """Those of rows of `prompt_record`, None where a count is null."""

        def column(name: str) -> Ints:
            values = [UNKNOWN if record[name] is None else record[name] for record in records]
            return np.array(values, dtype=np.int64)

        metered = any(record.get("metered_energy_uj") is not None for record in records)
        return cls(
            input_tokens=column("input_tokens"),
            cache_read_input_tokens=column("cache_read_input_tokens"),
            output_tokens=column("output_tokens"),
            flags=column("basis_flags").astype(np.int32),
            metered_energy_uj=column("metered_energy_uj") if metered else None,
        )

    @property
    def inference(self) -> NDArray[np.bool_]:
        """False where a gateway answered from its own cache."""
        return self._lacks(Basis.GATEWAY_CACHE_HIT)

    @property
    def failed(self) -> NDArray[np.bool_]:
        """True where the call ended in an error."""
        return ~self._lacks(Basis.REQUEST_FAILED)

    @property
    def incomplete(self) -> NDArray[np.bool_]:
        """True where a count is unknown: the default it was given is a setting of that time, which is not stored."""
        unknown: NDArray[np.bool_] = (self.input_tokens == UNKNOWN) | (self.output_tokens == UNKNOWN)
        return unknown

    def _lacks(self, flag: Basis) -> NDArray[np.bool_]:
        lacking: NDArray[np.bool_] = (self.flags & flag) == 0
        return lacking


def requests_of(events: CountedEvents, context: NDArray[np.intp], defaults: TokenDefaults) -> Requests:
    """The requests that the method estimates; `context[i]` is the row of event i in its matrix of coefficients.

    An unknown count is replaced by its default. A failed call without a count is taken to have had no tokens.
    """
    unknown_input, unknown_output = events.input_tokens == UNKNOWN, events.output_tokens == UNKNOWN
    default_input = np.where(events.failed, 0, defaults.input_tokens)
    default_output = np.where(events.failed, 0, defaults.output_tokens)
    return Requests(
        context=context,
        input_tokens=np.where(unknown_input, default_input, events.input_tokens),
        cache_read_input_tokens=np.where(unknown_input, 0, np.maximum(events.cache_read_input_tokens, 0)),
        output_tokens=np.where(unknown_output, default_output, events.output_tokens),
        inference=events.inference,
    )
