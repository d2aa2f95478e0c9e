"""Putting one event together: what every format does the same way (identity, times, usage, region, attribution)."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from rice_stream.events.formats.reading import regions
from rice_stream.events.formats.reading.attribution import attribute
from rice_stream.events.formats.reading.energy import SaidEnergy
from rice_stream.events.formats.reading.items import ID_FROM_POSITION, TIME_FROM_RECORD, EventFields, Item, ItemOrigin
from rice_stream.events.formats.reading.json_objects import JsonObject
from rice_stream.events.formats.reading.moments import Moment, moment, spell
from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.events.formats.reading.tokens import TokenCounts, Usage, estimated_tokens, normalise
from rice_stream.events.formats.reading.values import Find, text
from rice_stream.events.formats.reading.vocabulary import EMBEDDINGS
from rice_stream.events.records import RefusedError
from rice_stream.events.unnamed import UNKNOWN_TENANT
from rice_stream.instants import DAY_US

Measure = Callable[[], int | None]
"""Characters of the text of one side, None where there is none; called only where an estimate is wanted."""
BuildEvent = Callable[[JsonObject, "EventDraft"], Item]
"""Puts the event of an object together in a draft."""


class EventDraft:
    """Collects the fields of one event; `done` hands them over."""

    def __init__(self, source_format: str, origin: ItemOrigin, options: FormatOptions) -> None:
        self.fields: EventFields = {"source_format": source_format}
        self._origin = origin
        self._options = options
        self.notes: list[str] = []

    def envelope(self, name: str) -> str | None:
        """An attribute of the CloudEvent around the item."""
        return text(self._origin.envelope.get(name))

    def assumed(self, code: str) -> None:
        """Record an assumption; it is reported with the event."""
        self.notes.append(code)

    def identify(self, value: object, suffix: str = "") -> None:
        """The event id: the source's own, else the envelope's, else the record's position."""
        found = text(value) or text(self._origin.envelope.get("id"))
        if found is None:
            found = self._origin.position_id()
            self.assumed(ID_FROM_POSITION)
        self.fields["event_id"] = found + suffix

    def happened(self, ended: Moment | None, started: Moment | None = None) -> None:
        """Start and end. Without any, the envelope's time, else the record's; RefusedError `missing_time` if none.

        What the user has set about usage and attribution is from here on as it was at the end.
        """
        if ended is None and started is not None:
            ended = started
            self.assumed("end_from_start")
        if ended is None:
            ended = self._time_around()
        if ended is None:
            raise RefusedError("missing_time", "ended_at: neither the event nor its record says when it was")
        self._options = self._options.at(_decided_us(ended))
        if ended.zone_assumed or (started is not None and started.zone_assumed):
            self.assumed("time_zone_assumed")
        self.fields["ended_at"] = spell(ended, "ended_at")
        if started is not None:
            self.fields["started_at"] = spell(started, "started_at")

    def _time_around(self, *, note: bool = True) -> Moment | None:
        """The envelope's time, else the record's: for an item that says none."""
        enveloped = moment(self._origin.envelope.get("time"), "time")
        record_time_us = self._origin.record_time_us()
        if enveloped is not None or record_time_us is None:
            return enveloped
        if note:
            self.assumed(TIME_FROM_RECORD)
        return Moment(record_time_us, of_record=True)

    def options_at(self, ended: Moment | None) -> FormatOptions:
        """What the user has set for an item that ended then; one without an end has the time of what is around it."""
        at = ended or self._time_around(note=False)
        return self._options.at(_decided_us(at) if at is not None else 0)

    def models(self, *, request: object = None, response: object = None, provider: str | None = None) -> None:
        """Names as they came; the reference tables resolve them."""
        self.fields["request_model"] = text(request)
        self.fields["response_model"] = text(response)
        self.fields["provider"] = provider

    def ended(self, *, failed: bool) -> None:
        """Whether the call ended in an error."""
        self.fields["status"] = "error" if failed else "ok"

    def used(
        self,
        counts: TokenCounts,
        operation: str | None,
        input_text: Measure = lambda: None,
        output_text: Measure = lambda: None,
    ) -> None:
        """The token counts, made inclusive; estimated from the text's length where they lack and the user wants it."""
        if operation == EMBEDDINGS and counts.output_tokens is None:
            # An embedding writes nothing: unknown would be a wrong word, and would get a default.
            counts = replace(counts, output_tokens=0)
        usage = normalise(counts)
        if self._options.estimate_missing_usage and self.fields.get("status") != "error":
            usage = self._estimated(usage, input_text, output_text)
        self.notes += usage.notes
        self.fields["usage_quality"] = usage.quality
        self.fields["input_tokens"] = usage.input_tokens
        self.fields["cache_read_input_tokens"] = usage.cache_read_input_tokens
        self.fields["cache_write_input_tokens"] = usage.cache_write_input_tokens
        self.fields["output_tokens"] = usage.output_tokens
        self.fields["reasoning_output_tokens"] = usage.reasoning_output_tokens

    def _estimated(self, usage: Usage, input_text: Measure, output_text: Measure) -> Usage:
        for name, measure in (("input_tokens", input_text), ("output_tokens", output_text)):
            if getattr(usage, name) is None:
                length = measure()
                if length is not None:
                    changed: dict[str, Any] = {name: estimated_tokens(length), "quality": "estimated"}
                    usage = usage._replace(**changed, notes=(*usage.notes, f"{name}_from_text_length"))
        return usage

    def metered(self, said: SaidEnergy | None) -> None:
        """The energy that was metered for the request, where anything says so."""
        if said is not None:
            self.fields["energy_joules"] = said.joules
            self.fields["energy_boundary"] = said.boundary

    def ran_in(self, *rungs: tuple[object, str]) -> None:
        """The region, from the first rung that says one, and which rung it was."""
        self.fields["inference_region"], self.fields["region_source"] = regions.first_known(rungs)

    def charge(self, find: Find, tenant_ladder: Sequence[str]) -> None:
        """Tenant, team, project, user and key, by rules, configured attributes and the format's ladder."""
        origin, options = self._origin, self._options

        def anywhere(name: str) -> object:
            return origin.find(name) if name.startswith("kafka.") else find(name)

        attribute(
            self.fields,
            # No format's ladder looks at the record; only what a user configures may.
            anywhere if options.attribute_names else find,
            rules=options.rules,
            configured=options.attributes,
            tenant_ladder=tenant_ladder,
        )
        if self.fields["tenant_id"] == UNKNOWN_TENANT:
            # As for canonical events: the CloudEvent around it may say whose it is.
            self.fields["tenant_id"] = self.envelope("tenantid") or self.envelope("subject") or UNKNOWN_TENANT

    def done(self) -> EventFields:
        """The fields, notes included."""
        if text(self.fields.get("source")) is None:
            self.fields["source"] = self.envelope("source")
        self.fields["notes"] = tuple(dict.fromkeys(self.notes))
        return self.fields


def _decided_us(ended: Moment) -> int:
    """The instant whose settings hold for an item. The time of a record is another one for each delivery, so where there
    is no other time it is the beginning of that day (UTC): resends of one day are read alike."""
    return ended.us - ended.us % DAY_US if ended.of_record else ended.us


def one_event(
    obj: JsonObject, source_format: str, origin: ItemOrigin, options: FormatOptions, build: BuildEvent
) -> Item:
    """What `build` makes of the object; a RefusedError becomes a refusal with the fields that were understood."""
    draft = EventDraft(source_format, origin, options)
    try:
        return build(obj, draft)
    except RefusedError as problem:
        return problem.refusal({**draft.fields, "notes": tuple(draft.notes)})
