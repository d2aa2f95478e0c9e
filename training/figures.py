"""Reads the carried figures (`training/data`, sources in SOURCES.md there) as columns."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rice_stream.errors import ReferenceDataError
from rice_stream.quantities import Floats

DATA = Path(__file__).parent / "data"

RE_HOSTED = frozenset({"gooseai/gpt-j-6b", "together/gpt-j-6b", "together/gpt-neox-20b", "together/opt-175b"})
"""Rows of HELM that repeat another row's points exactly, so they would only weigh it twice.

Three are the same model at another host; OPT-175B is given davinci's curve at davinci's size. The 15 models that stay
give 405 points, which is the paper's "~400"; docs/validation.md shows that the choice hardly matters.
"""


@dataclass(frozen=True, slots=True)
class Table:
    """One carried file: column name to its cells, all of equal length."""

    name: str
    cells: dict[str, list[str]]

    def words(self, column: str) -> list[str]:
        return self.cells[column]

    def numbers(self, column: str) -> Floats:
        """A column as float64, shape (n,). Raises ReferenceDataError naming file, row and column of a bad cell."""
        values = np.empty(len(self.cells[column]))
        for position, text in enumerate(self.cells[column]):
            try:
                values[position] = float(text)
            except ValueError:
                raise ReferenceDataError(
                    f"training/data/{self.name}, row {position + 2}, column {column}: {text!r} is not a number"
                ) from None
        return values

    def where(self, keep: list[bool]) -> "Table":
        return Table(
            self.name,
            {column: [c for c, k in zip(cells, keep, strict=True) if k] for column, cells in self.cells.items()},
        )

    def __len__(self) -> int:
        return len(next(iter(self.cells.values())))


def table(name: str) -> Table:
    """The carried file `name`, for example `ten_models.csv`."""
    with (DATA / name).open(newline="", encoding="utf-8") as stream:
        reader = csv.reader(stream)
        columns = next(reader)
        rows = list(reader)
    return Table(name, {column: [row[i] for row in rows] for i, column in enumerate(columns)})


@dataclass(frozen=True, slots=True)
class PrefillFigures:
    """HELM's idealised prompt-encoding times on A100-80GB: n points, arrays of shape (n,)."""

    params_b: Floats
    prompt_tokens: Floats
    prefill_s: Floats
    curve: list[str]
    """Which measured curve a point belongs to: several models share one (same architecture)."""

    def features(self) -> Floats:
        """Shape (n, 2): parameters (billions), prompt tokens: the two features of the paper's forest."""
        return np.column_stack([self.params_b, self.prompt_tokens])

    def pick(self, keep: list[bool]) -> "PrefillFigures":
        chosen = np.array(keep)
        curve = [c for c, k in zip(self.curve, keep, strict=True) if k]
        return PrefillFigures(self.params_b[chosen], self.prompt_tokens[chosen], self.prefill_s[chosen], curve)


def _prefill(rows: Table) -> PrefillFigures:
    return PrefillFigures(
        rows.numbers("params_b"), rows.numbers("prompt_tokens"), rows.numbers("prefill_s"), rows.words("curve")
    )


def prefill_points() -> PrefillFigures:
    """The 405 points (15 models) that `rice-paper` is trained on."""
    rows = table("helm_prefill.csv")
    return _prefill(rows.where([model not in RE_HOSTED for model in rows.words("model")]))


def unique_prefill_points() -> PrefillFigures:
    """The 324 points of the 12 distinct curves: what was really measured."""
    rows = table("helm_prefill.csv")
    own = [model == curve for model, curve in zip(rows.words("model"), rows.words("curve"), strict=True)]
    return _prefill(rows.where(own))
