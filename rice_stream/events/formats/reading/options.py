"""What a user can set about source formats, as values: the shell reads them from its settings."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from typing import NamedTuple, TypeVar

from rice_stream.errors import UsageError
from rice_stream.events.formats.reading.attribution import ATTRIBUTED_FIELDS, AttributionRule
from rice_stream.events.records import TooManyItemsError

AUTO = "auto"
CANONICAL = "canonical"
FORMATS = (
    AUTO,
    CANONICAL,
    "bedrock",
    "envoy",
    "kong",
    "langfuse",
    "litellm",
    "openmeter",
    "otlp",
    "provider_usage",
)


_Item = TypeVar("_Item")


@dataclass(frozen=True)
class FormatOptions:
    """UsageError for a format or field that does not exist.

    `topic_formats`: topic -> one of FORMATS; topics not named have `default_format`. `attributes`: field (tenant_id, team_id,
    project_id, user_id, api_key_id) -> attribute names, the first that holds something wins. `rules` go before them.
    `estimate_missing_usage`: tokens that a source left out are estimated from the length of the text it carries.
    `count_log_events`: whether OpenTelemetry's inference log events that name a span count; they repeat it, so
    RICE_COUNT_LOG_EVENTS is off unless set. Those that name no span always count.
    `skipped_scopes`: instrumentation scopes whose spans are left out (`vllm.llm_engine` where a gateway's spans of the
    same calls are collected too). `items_max`: items that a list within a record may have.

    `changes`: what holds in the place of all but the first two and the last of these for items that ended at or after an
    instant, earliest first (`versions` makes them). So an item is read the same way whenever it is read.
    """

    topic_formats: Mapping[str, str] = field(default_factory=dict)
    default_format: str = AUTO
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rules: tuple[AttributionRule, ...] = ()
    estimate_missing_usage: bool = False
    count_log_events: bool = True
    skipped_scopes: frozenset[str] = frozenset()
    items_max: int | None = None
    changes: tuple["OptionsChange", ...] = ()

    def __post_init__(self) -> None:
        for topic, name in {**self.topic_formats, "(all others)": self.default_format}.items():
            if name not in FORMATS:
                raise UsageError(f"format of topic {topic}: {name} is none; there are {', '.join(FORMATS)}")
        for name in self.attributes:
            if name not in ATTRIBUTED_FIELDS:
                raise UsageError(f"attributes: {name} is no field; there are {', '.join(ATTRIBUTED_FIELDS)}")

    def format_of(self, topic: str) -> str:
        """The format set for the topic, `default_format` where none is."""
        return self.topic_formats.get(topic, self.default_format)

    def bounded(self, items: Iterable[_Item]) -> list[_Item]:
        """All of them. TooManyItemsError: more than `items_max`; the others are not looked at."""
        if self.items_max is None:
            return list(items)
        taken = list(islice(items, self.items_max + 1))
        if len(taken) > self.items_max:
            raise TooManyItemsError(self.items_max)
        return taken

    def at(self, ended_us: int) -> "FormatOptions":
        """The options for an item that ended at an instant (epoch microseconds)."""
        if not self.changes:
            return self
        position = bisect_right(self._change_instants, ended_us)
        return self.changes[position - 1].options if position else self._unchanged

    def differs_from_us(self, other: "FormatOptions") -> int | None:
        """From which end on items may be read otherwise than by the other options; None: all are read alike."""
        if self is other:
            return None
        mine, theirs = ([OptionsChange(0, each._unchanged), *each.changes] for each in (self, other))
        differing = [change for change in mine if change not in theirs] + [c for c in theirs if c not in mine]
        return min((change.valid_from_us for change in differing), default=None)

    @cached_property
    def _unchanged(self) -> "FormatOptions":
        """Before the first change: nothing of later ones."""
        return replace(self, changes=())

    @cached_property
    def _change_instants(self) -> list[int]:
        return [change.valid_from_us for change in self.changes]

    @cached_property
    def attribute_names(self) -> frozenset[str]:
        """All attributes that rules and lists look at, at whatever time: what a decoder keeps besides what it needs itself."""
        listed = (name for names in self.attributes.values() for name in names)
        later = (change.options.attribute_names for change in self.changes)
        return frozenset(listed).union({rule.attribute for rule in self.rules}, *later)

    @cached_property
    def reads_texts(self) -> bool:
        """Whether the length of a text may be asked for, at whatever time."""
        return self.estimate_missing_usage or any(change.options.reads_texts for change in self.changes)


class OptionsChange(NamedTuple):
    """`options` hold for items that ended at or after `valid_from_us` (epoch microseconds)."""

    valid_from_us: int
    options: FormatOptions


DEFAULT_OPTIONS = FormatOptions()
