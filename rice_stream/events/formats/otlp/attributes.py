"""The attributes of generative-AI spans and log events, in all the spellings that are in use.

OpenTelemetry's own names up to semantic conventions 1.36, from 1.37, and of the semantic-conventions-genai repository;
OpenInference, Traceloop, vLLM, LiteLLM, Logfire, Pydantic AI, Langfuse, Vercel's AI SDK. docs/event-formats.md lists
them; a test checks that the page and this list agree.
"""

import ast
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from rice_stream.events.formats.otlp import langfuse as otlp_langfuse
from rice_stream.events.formats.reading import vocabulary
from rice_stream.events.formats.reading.tokens import TokenCounts
from rice_stream.events.formats.reading.usage_objects import read_usage, shape_of
from rice_stream.events.formats.reading.values import coerced, first_text
from rice_stream.events.framing import JSON_ERRORS
from rice_stream.events.records import RefusedError

Attributes = Mapping[str, Any]

INPUT = (
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "llm.token_count.prompt",
    "llm.usage.prompt_tokens",
    "ai.usage.promptTokens",
    "ai.usage.inputTokens",
)
OUTPUT = (
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.token_count.completion",
    "llm.usage.completion_tokens",
    "ai.usage.completionTokens",
    "ai.usage.outputTokens",
)
CACHE_READ = (
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "gen_ai.usage.cache_read_tokens",
    "gen_ai.usage.cached_tokens",
    "gen_ai.usage.cached_input_tokens",
    "gen_ai.usage.details.cache_read_tokens",
    "llm.token_count.prompt_details.cache_read",
    "ai.usage.cachedInputTokens",
)
CACHE_WRITE = (
    "gen_ai.usage.cache_write.input_tokens",
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "gen_ai.usage.cache_write_tokens",
    "gen_ai.usage.details.cache_write_tokens",
    "llm.token_count.prompt_details.cache_write",
    "llm.token_count.prompt_details.cache_creation",
)
THOUGHTS_APART = "gen_ai.usage.experimental.reasoning_tokens"
"""Google's Agent Development Kit, before 2.x settled: beside an output that is the answer alone."""
REASONING = (
    "gen_ai.usage.reasoning.output_tokens",
    "gen_ai.usage.reasoning_tokens",
    "gen_ai.usage.details.reasoning_tokens",
    "gen_ai.usage.details.thoughts_tokens",
    THOUGHTS_APART,
    "llm.token_count.completion_details.reasoning",
    "ai.usage.reasoningTokens",
)
TOTAL = ("gen_ai.usage.total_tokens", "llm.token_count.total", "llm.usage.total_tokens", "ai.usage.totalTokens")
ENERGY_JOULES = (
    "gen_ai.usage.energy_joules",
    "rice.energy_joules",
    "metadata.energy_joules",
    otlp_langfuse.ENERGY_JOULES,
)
"""Metered energy of the call. No convention has a name for it yet."""
ENERGY_BOUNDARY = (
    "gen_ai.usage.energy_boundary",
    "rice.energy_boundary",
    "metadata.energy_boundary",
    otlp_langfuse.ENERGY_BOUNDARY,
)
RESPONSE_MODEL = ("gen_ai.response.model", "llm.response.model_name", "ai.response.model")
REQUEST_MODEL = (
    "gen_ai.request.model",
    "llm.request.model_name",
    "llm.model_name",
    "embedding.model_name",
    "llm.request.model",
    "ai.model.id",
    otlp_langfuse.MODEL,
)
PROVIDER = ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system")
_FRAMEWORKS = frozenset({"langchain", "gcp.vertex.agent"})
"""What Traceloop's instrumentations of frameworks and Google's ADK wrote as `gen_ai.system`: who asked, not who served."""
OPERATION = "gen_ai.operation.name"
RESPONSE_ID = "gen_ai.response.id"
ERROR_TYPE = "error.type"
CACHE_HIT = "litellm.cache_hit"
SPAN_CLOUD = "cloud.provider"
SPAN_REGION = "cloud.region"
ENDPOINT = ("server.address", "gen_ai.openai.api_base", "llm.api_base", "url.full", "http.url")

OPENINFERENCE_KIND = "openinference.span.kind"
REQUEST_TYPE = ("llm.request.type", "gen_ai.request.type")
"""Traceloop and LiteLLM: the kind of call where `gen_ai.operation.name` is not set."""
AI_SDK_OPERATION = "ai.operationId"
EVENT_NAME = "event.name"
USAGE_OBJECTS = ("metadata.usage_object", "gen_ai.usage.raw")
"""The provider's usage object beside the counts: LiteLLM's, as Python prints it, and Logfire's, in JSON."""
DURATION = "duration"
"""Seconds. Logfire writes the end of a stream as a span without extent, and how long it took in this."""
HIDDEN_PARAMS = "hidden_params"
INPUT_TEXT = ("gen_ai.input.messages", "input.value", "gen_ai.prompt", "traceloop.entity.input", "ai.prompt.messages")
OUTPUT_TEXT = (
    "gen_ai.output.messages",
    "output.value",
    "gen_ai.completion",
    "traceloop.entity.output",
    "ai.response.text",
)
TEXT = frozenset(INPUT_TEXT + OUTPUT_TEXT)

TENANT_LADDER = (
    "tenant.id",
    "tenant_id",
    "metadata.tenant_id",
    otlp_langfuse.TENANT,
    "metadata.user_api_key_team_id",
    "metadata.user_api_key_org_id",
    "metadata.user_api_key_user_id",
    "metadata.user_api_key_hash",
)
TEAM = "metadata.user_api_key_team_id"
PROJECT = "metadata.user_api_key_project_id"
USER = ("metadata.user_api_key_user_id", "user.id", "enduser.id")
API_KEY = "metadata.user_api_key_hash"
SERVICE_NAME = "service.name"

CACHED_APART_SCOPES = frozenset(
    {
        "opentelemetry.instrumentation.bedrock",
        "opentelemetry.instrumentation.botocore.bedrock-runtime",
        "openlit.instrumentation.anthropic",
        "openlit.instrumentation.bedrock",
    }
)
"""Instrumentations that hand Anthropic's and Bedrock's input on as it is, without the cached tokens, against the
conventions; a total, where they write one, is of the same two numbers. Seen of Traceloop 0.62, botocore 0.66b2 and
OpenLIT 1.45."""

_SINGLES = (OPERATION, RESPONSE_ID, ERROR_TYPE, CACHE_HIT, SPAN_CLOUD, SPAN_REGION, OPENINFERENCE_KIND, EVENT_NAME)
WANTED = frozenset(
    INPUT + OUTPUT + CACHE_READ + CACHE_WRITE + REASONING + TOTAL + RESPONSE_MODEL + REQUEST_MODEL + PROVIDER + ENDPOINT
) | frozenset(
    _SINGLES
    + REQUEST_TYPE
    + TENANT_LADDER
    + USER
    + USAGE_OBJECTS
    + ENERGY_JOULES
    + ENERGY_BOUNDARY
    + otlp_langfuse.WANTED
    + (AI_SDK_OPERATION, HIDDEN_PARAMS, TEAM, PROJECT, API_KEY, DURATION)
)
"""What is read of a span; every other attribute, prompts and answers among them, stays undecoded."""
WANTED_OF_RESOURCE = frozenset({SERVICE_NAME, SPAN_REGION, SPAN_CLOUD} | set(TENANT_LADDER))

_COUNTED = INPUT + OUTPUT
REPR_CHARACTERS_MAX = 8_192
_REPR_DEPTH_MAX = 8
_ANY = msgspec.json.Decoder()


def has_usage(attributes: Attributes, *, zeros: bool = False) -> bool:
    """Whether an input or output count is there that is a number, and (unless `zeros`) is not 0."""
    for name in _COUNTED:
        found = coerced(attributes[name]) if name in attributes else None
        if found or (zeros and found == 0):
            return True
    return False


def usage_object(attributes: Attributes) -> dict[str, Any]:
    """The provider's raw usage, an object written as JSON or as Python's repr; {} where it cannot be read."""
    written = first(attributes, USAGE_OBJECTS)
    if written is None or len(written) > REPR_CHARACTERS_MAX:
        return {}
    # Nearly always a repr of plain values, which differs from JSON in four spellings; the syntax tree does the rest.
    plain = written.replace("'", '"').replace("None", "null").replace("True", "true").replace("False", "false")
    try:
        usage = _ANY.decode(plain)
    except JSON_ERRORS:
        usage = _from_repr(written)
    return usage if isinstance(usage, dict) else {}


def read_counts(attributes: Attributes, raw_usage: Mapping[str, Any], *, cached_apart: bool = False) -> TokenCounts:
    """The counts of a span. RefusedError `invalid_field` names a count that is negative.

    What the span's own attributes leave out (LiteLLM and Logfire: cached and reasoning tokens) comes from the raw
    usage object. `cached_apart`: the instrumentation is one of CACHED_APART_SCOPES.
    """
    raw = read_usage(raw_usage) if shape_of(raw_usage) != "none" else TokenCounts()
    cache_read, cache_write = _number(attributes, CACHE_READ), _number(attributes, CACHE_WRITE)
    reasoning = _number(attributes, REASONING)
    counts = TokenCounts(
        input_tokens=_number(attributes, INPUT),
        cache_read=raw.cache_read if cache_read is None else cache_read,
        cache_write=raw.cache_write if cache_write is None else cache_write,
        output_tokens=_number(attributes, OUTPUT),
        reasoning=raw.reasoning if reasoning is None else reasoning,
        total=None if cached_apart else _number(attributes, TOTAL),
        cached_outside=cached_apart,
        reasoning_outside=THOUGHTS_APART in attributes,
    )
    return replace(counts, output_tokens=None) if _leaves_thoughts_out(counts, attributes) else counts


def _leaves_thoughts_out(counts: TokenCounts, attributes: Attributes) -> bool:
    """Gemini counts thoughts apart from the answer; where an instrumentation drops them, the total still has them."""
    if counts.reasoning is not None or counts.total is None or None in (counts.input_tokens, counts.output_tokens):
        return False
    missing = counts.total - (counts.input_tokens or 0) - (counts.output_tokens or 0)
    return missing > 0 and (provider(attributes) or "").startswith("gcp.")


def provider(attributes: Attributes) -> str | None:
    """Who served the call, in OpenTelemetry's spelling; a framework's name is none."""
    spelled = (vocabulary.provider(attributes.get(name)) for name in PROVIDER)
    return next((found for found in spelled if found is not None and found not in _FRAMEWORKS), None)


def first(attributes: Attributes, names: tuple[str, ...]) -> str | None:
    """The first of the attributes that holds text."""
    return first_text(attributes.get, names)


def _number(attributes: Attributes, names: tuple[str, ...]) -> int | None:
    """The first that can be read as a whole number: exporters write "" for null."""
    for name in names:
        found = coerced(attributes[name]) if name in attributes else None
        if found is not None:
            if found < 0:
                raise RefusedError("invalid_field", f"{name}: must be a whole number of at least 0")
            return found
    return None


def _from_repr(written: str) -> Any:
    """A dict written by Python, with plain values and keyword constructors (`Details(cached_tokens=3)`) only.

    Read from the syntax tree, nothing is evaluated; text that nests deeper than usage objects do is not even parsed.
    """
    if _depth(written) > _REPR_DEPTH_MAX:
        return None
    try:
        return _plain(ast.parse(written, mode="eval").body)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None


def _depth(written: str) -> int:
    """Deepest nesting of brackets; operators, which nest without brackets, count as if each opened one."""
    depth = deepest = 0
    for character in written:
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        deepest = max(deepest, depth)
    return deepest + sum(written.count(operator) for operator in ("-", "~", "+", "not ", "lambda", "await", "**"))


def _plain(node: ast.expr) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Dict):
        names = [key.value if isinstance(key, ast.Constant) else None for key in node.keys]
        return {name: _plain(value) for name, value in zip(names, node.values, strict=True) if isinstance(name, str)}
    if isinstance(node, ast.Call):
        return {keyword.arg: _plain(keyword.value) for keyword in node.keywords if keyword.arg is not None}
    return None
