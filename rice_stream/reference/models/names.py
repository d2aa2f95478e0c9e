"""How gateways and clouds spell a model's name, and how to get back to the model. Pure text rules.

The rules only rewrite; whether a rewritten name exists is for the table to say. Two names are the same model if their
tokens are the same: `Llama-3.1-8B`, `llama3.1:8b` and `meta.llama3-1-8b-instruct-v1:0` all become `llama 3 1 8b`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rice_stream.reference.models.words import NEUTRAL

MAX_NAME_CHARACTERS = 256
"""Longer names are cut: no resource path is longer, and the rules must stay cheap for any text."""
MAX_MODEL_CHARACTERS = 96
"""The part that names the model, after paths and prefixes, is cut here."""

Tokens = tuple[str, ...]

_TOKEN = re.compile(r"\d+x\d+[a-z]*|\d+[a-z]*|[a-z]+|\+")
_LLAMA_V = re.compile(r"(?<=llama)-?v(?=\d)")
FIREWORKS_POINT = re.compile(r"(?<=\d)p(?=\d)")
"""`llama-v3p1`: a point that a platform does not allow in names."""
_SNAPSHOT_AT = re.compile(r"@(\d[\w.-]*|default|latest)$")
_ROUTE_SUFFIX = re.compile(r":(free|beta|nitro|floor|online|thinking|extended|exacto|preview|cloud|latest)$")
_BEDROCK_VERSION = re.compile(r"(-v?\d+)?:\d+(:\d+k|:mm)?$")
_BEDROCK_AREA = re.compile(r"^(us-gov|us|eu|apac|au|jp|ca|sa|me|af|global)\.(?=[a-z0-9-]+\.)")
_BEDROCK_VENDOR = re.compile(
    r"^(ai21|amazon|anthropic|cohere|deepseek|google|luma|meta|minimax|mistral|moonshot|moonshotai|nvidia|openai|qwen"
    r"|stability|twelvelabs|writer|xai|zai|databricks|ibm)\."
)
_PRECISION = re.compile(
    r"(?<![a-z0-9])(fp8|fp16|bf16|fp32|int8|int4|8-?bits?|4-?bits?|awq|gptq|gguf|ggml|nvfp4|mxfp4|fp4|bnb|exl2|mlx|w4a16|w8a8"
    r"|i?q[2-8](?:_[a-z0-9]+)*|dynamic|quantized|quant)(?![a-z0-9])"
)
_PRECISION_NAMES = {
    "fp8": "fp8",
    "w8a8": "int8",
    "fp16": "fp16",
    "bf16": "bf16",
    "fp32": "fp32",
    "int8": "int8",
    "8bit": "int8",
    "mxfp4": "mxfp4",
    "nvfp4": "mxfp4",
    "fp4": "mxfp4",
}
_FOUR_BIT = re.compile(r"int4|4bits?|awq|gptq|w4a16|i?q[2-5]")
_OLLAMA_TAG = re.compile(r"^[a-z0-9._-]+:[a-z0-9._-]*\d[a-z0-9._]*b(-|$)")

_DATE_TAILS = (
    re.compile(r"(?:^| )(?:20)?2\d(?:0\d|1[0-2])[0-3]\d$"),
    re.compile(r"(?:^| )20\d\d (?:0\d|1[0-2]) [0-3]\d$"),
    re.compile(r"(?:^| )(?:0\d|1[0-2]) 20\d\d$"),
    re.compile(r"(?:^| )(?:0\d|1[0-2]) [0-3]\d$"),
    re.compile(r"(?:^| )\d{4}$"),
    re.compile(r"(?:^| )0\d\d$"),
)
_VERSION_TAIL = re.compile(r" v \d+(?: \d+)?$")
_CONTEXT_TAIL = re.compile(r" (?:\d+k|8192|32768|16384|4096|1m)$")
_TAILS = (_CONTEXT_TAIL, _VERSION_TAIL, *_DATE_TAILS)


@dataclass(frozen=True, slots=True)
class Form:
    """One way to read a name. `plain` is True where nothing but case was changed."""

    text: str
    plain: bool


def clean(name: str) -> str:
    """Lower case, trimmed, white space as hyphens, cut to MAX_NAME_CHARACTERS."""
    return re.sub(r"\s+", "-", name.strip().lower()[:MAX_NAME_CHARACTERS].strip())


def forms(name: str) -> list[Form]:
    """The readings of a name, most literal first, without repeats: as written, without platform wrapping, bare."""
    text = clean(name)
    found = [Form(text, plain=True)]
    for reading in _unwrapped(text):
        if reading and all(reading != form.text for form in found):
            found.append(Form(reading, plain=False))
    return found


def _unwrapped(text: str) -> list[str]:
    """Readings of `text` without what clouds and gateways put around a model's name."""
    readings: list[str] = []
    if text.startswith("arn:") and "/" in text:
        text = text.rsplit("/", 1)[1]
    if text.startswith("ft:"):
        text = text.split(":")[1]
    parts = [part for part in text.split("/") if part]
    if len(parts) > 2:
        readings.append("/".join(parts[-2:]))
    last = (parts[-1] if parts else text)[:MAX_MODEL_CHARACTERS]
    readings.append(last)
    bare = _ROUTE_SUFFIX.sub("", _SNAPSHOT_AT.sub(r"-\1", last))
    readings.append(bare)
    vendorless = _BEDROCK_AREA.sub("", bare)
    vendor = _BEDROCK_VENDOR.match(vendorless)
    if vendor or _BEDROCK_VERSION.search(vendorless):
        versionless = _BEDROCK_VERSION.sub("", vendorless)
        model = _BEDROCK_VENDOR.sub("", versionless)
        readings += [_BEDROCK_VENDOR.sub("", vendorless), model, f"{vendor.group(1)}-{model}" if vendor else model]
    return readings


def precision_in(name: str) -> str | None:
    """The weight format that a name states (`-FP8`, `-AWQ`, an Ollama size tag: 4 bits by default), else None."""
    text = clean(name)
    found = [re.sub("-", "", match.group(1)).removesuffix("s") for match in _PRECISION.finditer(text)]
    for word in found:
        if word in _PRECISION_NAMES:
            return _PRECISION_NAMES[word]
        if _FOUR_BIT.match(word):
            return "int4"
        if word.startswith(("q8", "iq8")):
            return "int8"
    return "int4" if _OLLAMA_TAG.match(text) else None


def tokens(text: str) -> Tokens:
    """The tokens of a name, weight formats left out."""
    bare = _PRECISION.sub(" ", text[:MAX_MODEL_CHARACTERS])
    return tuple(_TOKEN.findall(FIREWORKS_POINT.sub(".", _LLAMA_V.sub("-", bare))))


def stripped(name: Tokens) -> Iterator[tuple[Tokens, bool]]:
    """Ever shorter readings: one tuning word, version, context length or date off the tail at a time.

    Yields each reading and whether a date was among what came off.
    """
    current, dated = name, False
    while len(current) > 1:
        if current[-1] in NEUTRAL:
            current = current[:-1]
        elif not current[-1][0].isdigit():
            return
        else:
            text = " ".join(current)
            match = next((found for pattern in _TAILS if (found := pattern.search(text))), None)
            if match is None or match.start() == 0:
                return
            dated = dated or match.re in _DATE_TAILS
            current = tuple(text[: match.start()].split())
        yield current, dated


def joined(name: Tokens) -> str:
    """The tokens between hyphens, `-gpt-4o-mini-`: what the patterns of fallbacks.csv match."""
    return f"-{'-'.join(name)}-"


def without_neutral(name: Tokens) -> Tokens:
    """Without words that do not change the number of parameters."""
    return tuple(token for token in name if token not in NEUTRAL)
