"""Names of providers and operations as gateways spell them -> OpenTelemetry's words."""

from rice_stream.events.formats.reading.values import text

_PROVIDERS = {
    "openai": ("openai", "openai_chat", "text-completion-openai", "openai_text"),
    "anthropic": ("anthropic", "anthropic_text", "claude"),
    "aws.bedrock": ("aws.bedrock", "bedrock", "bedrock_converse", "amazon-bedrock", "aws_bedrock", "aws"),
    "azure.ai.openai": ("azure.ai.openai", "az.ai.openai", "azure", "azure_openai", "azure-openai", "azure_text"),
    "azure.ai.inference": ("azure.ai.inference", "az.ai.inference", "azure_ai"),
    "gcp.gemini": ("gcp.gemini", "gemini", "google_ai_studio", "google_genai"),
    "gcp.vertex_ai": ("gcp.vertex_ai", "vertex_ai", "vertexai", "vertex_ai_beta", "vertex"),
    "gcp.gen_ai": ("gcp.gen_ai", "google"),
    "cohere": ("cohere", "cohere_chat"),
    "deepseek": ("deepseek",),
    "groq": ("groq",),
    "ibm.watsonx.ai": ("ibm.watsonx.ai", "watsonx", "watsonx_text", "ibm"),
    "mistral_ai": ("mistral_ai", "mistral", "mistralai"),
    "moonshot_ai": ("moonshot_ai", "moonshot"),
    "perplexity": ("perplexity",),
    "x_ai": ("x_ai", "xai"),
    "vllm": ("vllm", "hosted_vllm"),
}
_PROVIDER_OF = {spelling: name for name, spellings in _PROVIDERS.items() for spelling in spellings}

EMBEDDINGS = "embeddings"
_OPERATIONS = {
    "chat": ("chat", "chat.completions", "completion", "responses", "anthropic_messages", "messages", "realtime"),
    "text_completion": ("text_completion",),
    "generate_content": ("generate_content", "generate_content_stream"),
    EMBEDDINGS: (EMBEDDINGS, "embedding"),
}
_OPERATION_OF = {spelling: name for name, spellings in _OPERATIONS.items() for spelling in spellings}
_EMBEDDINGS_PATH = "/embeddings"


def provider(value: object) -> str | None:
    """The provider in OpenTelemetry's spelling; one that it does not list stays as it is, in lower case."""
    found = text(value)
    if found is None:
        return None
    lowered = found.lower()
    return _PROVIDER_OF.get(lowered, lowered)


def known_provider(value: object) -> str | None:
    """The same, None for a name that is no provider's (Envoy writes the name of a backend there)."""
    found = text(value)
    return _PROVIDER_OF.get(found.lower()) if found else None


def operation(value: object) -> str | None:
    """chat, text_completion, generate_content or embeddings for one call of a model; None for anything else.

    LiteLLM prefixes asynchronous calls with `a`: `acompletion`, `aembedding`.
    """
    found = text(value)
    if found is None:
        return None
    lowered = found.lower()
    return _OPERATION_OF.get(lowered) or _OPERATION_OF.get(lowered.removeprefix("a"))


def operation_of_path(path: object) -> str | None:
    """`embeddings` for the path of an embeddings endpoint, else None."""
    found = text(path)
    return EMBEDDINGS if found and found.partition("?")[0].rstrip("/").endswith(_EMBEDDINGS_PATH) else None
