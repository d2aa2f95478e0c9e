"""The wanted fields of LiteLLM's logging payloads, as typed structs; `formats/litellm` has what each field means."""

import msgspec
from msgspec import UNSET

from rice_stream.events.formats.plain.fields import Count, Guard, Name, NoOtherFormat, Time
from rice_stream.events.formats.plain.usage import ChatUsage


class _MeteredGuard(msgspec.Struct, gc=False):
    """Metered energy, of the request or beside it, is for the full decoder."""

    energy_joules: Guard = UNSET
    energy: Guard = UNSET


class _Additional(msgspec.Struct, gc=False):
    cache_read_input_tokens: Count = None
    cache_creation_input_tokens: Count = None


class CallMetadata(msgspec.Struct, kw_only=True, gc=False):
    """Who called, and what the provider counted."""

    user_api_key_hash: Name = None
    user_api_key_team_id: Name = None
    user_api_key_org_id: Name = None
    user_api_key_project_id: Name = None
    user_api_key_user_id: Name = None
    spend_logs_metadata: _MeteredGuard | None = None
    requester_metadata: _MeteredGuard | None = None
    usage_object: ChatUsage | None = None
    additional_usage_values: _Additional | None = None
    energy_joules: Guard = UNSET
    energy: Guard = UNSET


class CallReply(msgspec.Struct, kw_only=True, gc=False):
    """The provider's reply; its text is not looked at."""

    model: Name = None
    usage: ChatUsage | None = None
    response: Guard = UNSET
    energy_joules: Guard = UNSET
    energy: Guard = UNSET


class HiddenParams(msgspec.Struct, kw_only=True, gc=False):
    """What LiteLLM keeps of the way to the provider."""

    api_base: Name = None
    usage_object: ChatUsage | None = None
    energy_joules: Guard = UNSET
    energy: Guard = UNSET


class CallCosts(msgspec.Struct, gc=False):
    """What LiteLLM charges by: where the model ran, for some providers."""

    data_residency: Name = None
    vertex_location: Name = None


class LoggedCall(NoOtherFormat, kw_only=True, gc=False):
    """The wanted fields of a payload, in about the order in which LiteLLM writes them."""

    id: str | None = None
    litellm_call_id: Name = None
    call_type: Name = None
    cache_hit: bool | Name = None
    status: Name = None
    custom_llm_provider: Name = None
    model: Name = None
    model_group: Name = None
    api_base: Name = None
    start_time: Time = msgspec.field(name="startTime", default=None)
    end_time: Time = msgspec.field(name="endTime", default=None)
    prompt_tokens: Count = None
    completion_tokens: Count = None
    total_tokens: Count = None
    metadata: CallMetadata | None = None
    response: CallReply | str | None = None
    hidden_params: HiddenParams | None = None
    cost_breakdown: CallCosts | None = None
    # Another format's, a row of the spend logs, or something around it.
    schema_type: Guard = msgspec.field(name="schemaType", default=UNSET)
    event_id: Guard = UNSET
    ai: Guard = UNSET
    spend: Guard = UNSET
    # A name with a dot of its own goes before the path that is spelled like it.
    dotted_team: Guard = msgspec.field(name="metadata.user_api_key_team_id", default=UNSET)
    dotted_org: Guard = msgspec.field(name="metadata.user_api_key_org_id", default=UNSET)
    dotted_user: Guard = msgspec.field(name="metadata.user_api_key_user_id", default=UNSET)
    dotted_key: Guard = msgspec.field(name="metadata.user_api_key_hash", default=UNSET)


decode = msgspec.json.Decoder(LoggedCall).decode
