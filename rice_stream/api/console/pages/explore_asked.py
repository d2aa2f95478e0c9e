"""What the page Explore may be asked, and the addresses of its other states."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field

from rice_stream.api.console.addresses import address, query_of
from rice_stream.api.console.asked import AS_SHOWN, AmountsShown, WindowParameters
from rice_stream.api.console.forms import Blank
from rice_stream.api.console.stretches import Bucket
from rice_stream.quantities import NAME_LENGTH_MAX
from rice_stream.reports.name_filter import NameFilter

Dimension = Literal["tenant", "team", "project", "cost_centre", "user", "model", "provider", "region", "data_tier"]
DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)
Measure = Literal["carbon", "energy", "prompts", "tokens"]
MEASURES: tuple[Measure, ...] = ("carbon", "energy", "prompts", "tokens")
Part = Literal["whole", "rest", "bars", "latest"]
"""All of the page; all but its bars and its latest prompts; or either of these alone."""
Narrowed = Literal["team", "project", "cost_centre", "user", "model", "provider", "region"]
NARROWED: tuple[Narrowed, ...] = ("team", "project", "cost_centre", "user", "model", "provider", "region")
SERIES_MAX = 7
_DRILL: tuple[Dimension, ...] = ("team", "model", "region", "project", "provider", "user")
"""What a row is broken down by next."""


def _without_blanks(values: object) -> object:
    return [value for value in values if value != ""] if isinstance(values, list) else values


_Names = Annotated[
    list[Annotated[str, Field(max_length=NAME_LENGTH_MAX)]],
    BeforeValidator(_without_blanks),
    Field(default_factory=list, max_length=50),
]


class ExploreParameters(WindowParameters):
    """Of a name that is given several times any of them; `without`: those that have no team, say (a form sends empty fields)."""

    by: Annotated[Dimension | None, Blank] = None
    bucket: Annotated[Bucket | None, Blank] = None
    measure: Measure = "carbon"
    as_: AmountsShown = AS_SHOWN
    rows: Annotated[int, Field(ge=1, le=500)] = SERIES_MAX
    part: Literal["bars", "latest", "all"] | None = Field(None, exclude=True)
    team: _Names
    project: _Names
    cost_centre: _Names
    user: _Names
    model: _Names
    provider: _Names
    region: _Names
    without: Annotated[list[Narrowed], BeforeValidator(_without_blanks), Field(default_factory=list, max_length=7)]

    @property
    def where(self) -> NameFilter:
        """The names that it is narrowed to."""
        return NameFilter.of({field: self.names(field) for field in NARROWED})

    def names(self, field: Narrowed) -> list[str]:
        """Those of a field; "" is where there is none."""
        given: list[str] = getattr(self, field)
        return [*given, *([""] if field in self.without else [])]

    @property
    def is_narrowed(self) -> bool:
        """Whether anything is left out besides by time."""
        return bool(self.tenant or self.where.names)

    def pairs(self, **changes: Any) -> Iterator[tuple[str, str]]:
        """The parameters of the page with some replaced (None: left out), as few as say it; `from_` is `from`."""
        given = self.model_dump(mode="json", exclude_defaults=True) | changes
        for name, value in given.items():
            if isinstance(value, list):
                yield from ((name, str(each)) for each in value)
            elif value is not None:
                yield name.rstrip("_"), str(value)

    def address(self, **changes: Any) -> str:
        """The page with some parameters replaced."""
        return address("/explore", self.pairs(**changes))

    def only(self, dimension: Dimension, name: str | None) -> str:
        """The page of one row: narrowed to its name, and broken down by what tells most within it."""
        fixed = {*self.where.names, dimension, *(["tenant"] if self.tenant else [])}
        following = next((each for each in _DRILL if each not in fixed), self.by)
        changes: dict[str, Any] = {"by": following, "rows": None}
        if dimension == "tenant":
            return self.address(tenant=name, **changes)
        without = [each for each in self.without if each != dimension]
        if name is None:
            return self.address(**{dimension: []}, without=[*without, dimension], **changes)
        return self.address(**{dimension: [name]}, without=without, **changes)

    def leaving_out(self, field: str, name: str | None = None) -> str:
        """The page without a filter, or without one of its names ("" is where there is none)."""
        if field == "tenant":
            return self.address(tenant=None)
        if name is None:
            return self.address(**{field: []}, without=[each for each in self.without if each != field])
        if name == "":
            return self.address(without=[each for each in self.without if each != field])
        return self.address(**{field: [each for each in getattr(self, field) if each != name]})

    def unnarrowed(self) -> str:
        """The page without any filter."""
        return self.address(tenant=None, without=[], **{field: [] for field in NARROWED})


def file_addresses(path: str, pairs: Sequence[tuple[str, str]], where: NameFilter) -> dict[str, str]:
    """A question to the API with the same names, by the form of its answer; an empty name is where there is none."""
    names = query_of((field, name) for field, names in where.names.items() for name in names)
    asked, narrowed = f"{path}?{query_of(pairs)}", f"&{names}" if names else ""
    formats = {"csv": "&format=csv", "parquet": "&format=parquet", "json": ""}
    return {name: f"{asked}{form}{narrowed}" for name, form in formats.items()}
