"""Settings about events of other formats: how each topic is read, and who is charged."""

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from rice_stream.runtime.settings.section import CommaList, JsonRows, Rows, Section, checked, mapping, pairs, rows

if TYPE_CHECKING:
    from rice_stream.events.formats.reading.options import FormatOptions


def _attributes(value: object) -> object:
    """`field=attribute` pairs; a field named several times has its attributes in that order."""
    if not isinstance(value, str):
        return value
    found: dict[str, tuple[str, ...]] = {}
    for field, name in pairs(value, "field=attribute, such as tenant_id=service.namespace"):
        found[field] = (*found.get(field, ()), name)
    return found


# The decoders' modules are loaded by who sets something of this section: most commands read no event.


def _known_formats(value: dict[str, str]) -> dict[str, str]:
    from rice_stream.events.formats.reading.options import FormatOptions

    checked(lambda: FormatOptions(topic_formats=value))
    return value


def _known_fields(value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    from rice_stream.events.formats.reading.options import FormatOptions

    checked(lambda: FormatOptions(attributes=value))
    return value


def _rules(written: tuple[dict[str, Any], ...]) -> Any:
    from rice_stream.events.formats.reading.attribution import parse_rules

    return parse_rules(written)


DATED = frozenset(
    {"attribution_attributes", "attribution_rules", "estimate_missing_usage", "count_log_events", "skipped_scopes"}
)
"""Fields that the key of an event depends on: a change of them holds for events from an instant on."""


class FormatSettings(Section):
    """`RICE_EVENT_FORMATS`, `RICE_ATTRIBUTION_*`, and what of a source's events counts."""

    event_formats: Annotated[
        dict[str, str], mapping("topic=format, such as otlp_spans=otlp"), AfterValidator(_known_formats)
    ] = Field(default_factory=dict)
    attribution_attributes: Annotated[
        dict[str, tuple[str, ...]], BeforeValidator(_attributes), AfterValidator(_known_fields)
    ] = Field(default_factory=dict)
    attribution_rules: Annotated[JsonRows, rows(_rules)] = Rows((), ())
    estimate_missing_usage: bool = False
    count_log_events: bool = False
    skipped_scopes: CommaList = ()

    def format_options(self) -> "FormatOptions":
        """What the decoders of other formats are told."""
        from rice_stream.events.formats.reading.options import FormatOptions

        return FormatOptions(
            topic_formats=self.event_formats,
            attributes=self.attribution_attributes,
            rules=self.attribution_rules.parsed,
            estimate_missing_usage=self.estimate_missing_usage,
            count_log_events=self.count_log_events,
            skipped_scopes=frozenset(self.skipped_scopes),
        )
