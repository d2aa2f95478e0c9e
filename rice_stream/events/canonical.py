"""The canonical event: what rice_stream knows of one LLM request. It holds counts and names, never prompt text.

`CanonicalEvent` (pydantic) is the definition: what it accepts is accepted, what it refuses is quarantined with its
reason. `rice_stream.events.decoding` decodes the hot path with msgspec against `WireEvent`, the same fields as a flat struct;
a property test holds the two together.
"""

import sys
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from rice_stream.instants import epoch_us, parse_time, rfc3339
from rice_stream.quantities import (
    NAME_LENGTH_MAX,
    TOKENS_LIMITS,
    Limits,
    TokenCount,
)

UsageQuality = Literal["reported", "derived", "estimated", "missing"]
Status = Literal["ok", "error"]


def _without_nul(value: str) -> str:
    if "\x00" in value:
        raise ValueError("must not contain the NUL character (PostgreSQL cannot store it)")
    return value


Time = Annotated[datetime, BeforeValidator(parse_time)]
Name = Annotated[str, Field(min_length=1, max_length=NAME_LENGTH_MAX), AfterValidator(_without_nul)]
StatedFactor = Annotated[float, Field(allow_inf_nan=False)]
"""Any number: one that cannot be true is not taken (`stated_factors`), and does not cost the event."""
OptionalName = Annotated[str | None, Field(max_length=NAME_LENGTH_MAX), AfterValidator(lambda v: v and _without_nul(v))]


class CanonicalEvent(BaseModel):
    """One LLM request. Token counts are inclusive: cached tokens are part of input, reasoning tokens of output.

    `null` is not zero: a count that is not known is null and gets a named fallback, never a silent 0.
    """

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)

    tenant_id: Name
    team_id: OptionalName = None
    project_id: OptionalName = None
    source: OptionalName = None
    provider: OptionalName = None
    request_model: OptionalName = None
    response_model: OptionalName = None
    inference_region: OptionalName = None
    hardware: OptionalName = None
    devices: StatedFactor | None = None
    batch_size: StatedFactor | None = None
    utilisation: StatedFactor | None = None
    pue: StatedFactor | None = None
    rci_gco2e_per_kwh: StatedFactor | None = None
    energy_joules: StatedFactor | None = None
    energy_boundary: OptionalName = None
    user_id: OptionalName = None
    api_key_id: OptionalName = None
    event_id: Name
    started_at: Time | None = None
    ended_at: Time
    input_tokens: TokenCount | None
    cache_read_input_tokens: TokenCount | None = None
    cache_write_input_tokens: TokenCount | None = None
    output_tokens: TokenCount | None
    reasoning_output_tokens: TokenCount | None = None
    usage_quality: UsageQuality | None = None
    gateway_cache_hit: bool | None = None
    status: Status | None = None
    schema_version: Literal["1"] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> "CanonicalEvent":
        if not (self.request_model or self.response_model):
            raise ValueError("request_model: one of request_model and response_model is needed")
        if self.started_at is not None and self.started_at > self.ended_at:
            raise ValueError("ended_at: must not be earlier than started_at")
        cached = (self.cache_read_input_tokens or 0) + (self.cache_write_input_tokens or 0)
        if self.input_tokens is not None and cached > self.input_tokens:
            raise ValueError(
                "input_tokens: is inclusive, so cache_read_input_tokens + cache_write_input_tokens cannot exceed it"
            )
        if self.output_tokens is not None and (self.reasoning_output_tokens or 0) > self.output_tokens:
            raise ValueError("output_tokens: is inclusive, so reasoning_output_tokens cannot exceed it")
        return self


def _meta(limits: Limits) -> msgspec.Meta:
    """The same limits for msgspec."""
    if limits.above is not None:
        return msgspec.Meta(gt=limits.above, le=limits.up_to)
    return msgspec.Meta(ge=limits.at_least, le=limits.up_to)


_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_LENGTH_MAX)]
_OptionalName = Annotated[str, msgspec.Meta(max_length=NAME_LENGTH_MAX)] | None
_Tokens = Annotated[int, _meta(TOKENS_LIMITS)] | None
_Factor = Annotated[float, msgspec.Meta(ge=-sys.float_info.max, le=sys.float_info.max)] | None


class WireEvent(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """`CanonicalEvent` as msgspec reads it: the same names and bounds; times stay text and are parsed by column.

    In the order in which the documented event is written: msgspec looks for the next key behind the last one.
    """

    schema_version: Literal["1"] | None = None
    event_id: _Name
    started_at: str | None = None
    ended_at: str
    tenant_id: _Name
    team_id: _OptionalName = None
    project_id: _OptionalName = None
    user_id: _OptionalName = None
    provider: _OptionalName = None
    request_model: _OptionalName = None
    response_model: _OptionalName = None
    input_tokens: _Tokens
    cache_read_input_tokens: _Tokens = None
    output_tokens: _Tokens
    reasoning_output_tokens: _Tokens = None
    inference_region: _OptionalName = None
    status: Status | None = None
    gateway_cache_hit: bool | None = None
    source: _OptionalName = None
    cache_write_input_tokens: _Tokens = None
    api_key_id: _OptionalName = None
    usage_quality: UsageQuality | None = None
    hardware: _OptionalName = None
    devices: _Factor = None
    batch_size: _Factor = None
    utilisation: _Factor = None
    pue: _Factor = None
    rci_gco2e_per_kwh: _Factor = None
    energy_joules: _Factor = None
    energy_boundary: _OptionalName = None


FIELD_NAMES: tuple[str, ...] = WireEvent.__struct_fields__

UndecodedEvent = msgspec.defstruct(
    "UndecodedEvent", [(name, msgspec.Raw | msgspec.UnsetType, msgspec.UNSET) for name in FIELD_NAMES], kw_only=True
)
"""The known fields as undecoded JSON: unknown ones are skipped exactly as the hot path skips them."""


def wire_time(moment: datetime) -> str:
    """The one spelling of a time that the column parser reads: `2026-11-22T19:00:03.480000Z`."""
    return rfc3339(epoch_us(moment), "microseconds")


def to_wire(event: CanonicalEvent) -> WireEvent:
    """The validated event in the shape of the hot path."""
    fields: dict[str, Any] = {name: getattr(event, name) for name in FIELD_NAMES}
    fields["ended_at"] = wire_time(event.ended_at)
    fields["started_at"] = wire_time(event.started_at) if event.started_at is not None else None
    return WireEvent(**fields)


def describe_problems(error: ValidationError) -> tuple[str, str]:
    """(reason code, text that names every field at fault). The values themselves are left out: they may hold text."""
    codes, texts = [], []
    for problem in error.errors(include_url=False, include_input=False, include_context=False):
        field = ".".join(str(part) for part in problem["loc"]) or "event"
        message = problem["msg"].removeprefix("Value error, ")
        if not problem["loc"]:
            field, _, message = message.partition(": ")
        codes.append(_reason_code(problem["type"], field, in_model=bool(problem["loc"])))
        texts.append(f"{field}: {message}")
    return codes[0], "; ".join(dict.fromkeys(texts))


def _reason_code(problem_type: str, field: str, *, in_model: bool) -> str:
    if problem_type == "missing":
        return "missing_field"
    if field == "schema_version":
        return "unsupported_schema_version"
    if in_model:
        return "invalid_field"
    return {"request_model": "missing_model", "ended_at": "inconsistent_times"}.get(field, "inconsistent_tokens")
