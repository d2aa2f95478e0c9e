"""sources.csv: what stands behind each figure, and under which licence."""

from collections.abc import Sequence
from dataclasses import dataclass

from rice_stream.reference.reading import Row

UNSTATED_LICENCE = "not stated"


@dataclass(frozen=True, slots=True)
class DataSource:
    """Where figures come from, and under which licence."""

    source_id: str
    name: str
    version: str
    licence: str
    url: str
    published: str = ""


class SourceTable:
    """Rows name a source by its id, or (in a user's overlay) in free words."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._sources = {
            row.text("source_id"): DataSource(
                row.text("source_id"),
                row.text("name"),
                row.text("version"),
                row.text("licence"),
                row.text("url"),
                row.text("published"),
            )
            for row in rows
        }

    def all(self) -> list[DataSource]:
        return list(self._sources.values())

    def describe(self, cell: str) -> str:
        """Name and version; free words as they stand."""
        source = self._sources.get(cell)
        if source is None:
            return cell
        return f"{source.name} ({source.version})" if source.version else source.name

    def published(self, cell: str) -> str:
        """When it came out: a year, month or day; an empty string for free words."""
        source = self._sources.get(cell)
        return source.published if source else ""

    def licence(self, cell: str) -> str:
        source = self._sources.get(cell)
        return source.licence if source else UNSTATED_LICENCE
