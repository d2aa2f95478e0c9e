"""What a user can set about source formats, as values: the shell reads them from its settings."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import TypeVar

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
    """

    topic_formats: Mapping[str, str] = field(default_factory=dict)
    default_format: str = AUTO
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rules: tuple[AttributionRule, ...] = ()
    estimate_missing_usage: bool = False
    count_log_events: bool = True
    skipped_scopes: frozenset[str] = frozenset()
    items_max: int | None = None

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

    @cached_property
    def attribute_names(self) -> frozenset[str]:
        """All attributes that rules and lists look at: what a decoder keeps besides what it needs itself."""
        listed = (name for names in self.attributes.values() for name in names)
        return frozenset(listed) | {rule.attribute for rule in self.rules}


DEFAULT_OPTIONS = FormatOptions()
