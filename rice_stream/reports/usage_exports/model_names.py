"""Which names are of one model: providers, gateways and bills write the same one in many ways. Pure."""

import re

_PLACES = "apac|au|ca|eu|global|jp|us|us-gov"
_MAKERS = "ai21|amazon|anthropic|cohere|deepseek|google|meta|minimax|mistral|moonshot|nvidia|openai|qwen|writer|zai"
_BEFORE = re.compile(rf"^(?:(?:{_PLACES})\.)?(?:{_MAKERS})\.")
"""Of Bedrock's ids: `us.anthropic.claude-...`."""
_BEHIND = re.compile(r"(?:[-@](?:latest|\d{4}-\d\d-\d\d|\d{8}|\d{4}|\d{3}))?(?:-v\d+)?(?::\d+)?$")
"""`-2024-08-06`, `-20241022-v2:0`, `@20250514`, `-0613`, `-001`; a shorter number is a part of the name, as in `gpt-4.1`."""
_PUNCTUATION = re.compile(r"[\W_]+")


def base_name(name: str) -> str:
    """What is left of a name without what stands before the last slash, maker and place, date and version, case and punctuation.

    Models of one base name are taken for one: those that differ by their dates alone, too.
    """
    plain = _BEFORE.sub("", name.rpartition("/")[2].lower())
    return _PUNCTUATION.sub("", _BEHIND.sub("", plain)) or plain
