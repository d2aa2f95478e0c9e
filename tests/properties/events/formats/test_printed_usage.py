"""Usage objects that are read together say what each says alone, however they are printed and whatever their numbers are."""

import json
import os
import random
from typing import Any

import pytest

from rice_stream.events.formats.plain.printed_usage import printed_like
from rice_stream.events.formats.plain.printed_values import json_of, usage_of
from rice_stream.events.formats.plain.records import PROBLEMS
from rice_stream.events.formats.plain.wire_text import Text
from tests.properties.events.formats.test_fuzz import mutated_bytes
from tests.support.cases import drawn

BLOCKS = int(os.environ.get("RICE_FUZZ_PAYLOADS", "800"))
FIRST = drawn("printed usage").randrange(1_000_000)
USUAL = [0, 1, 7, 12, 128, 1920, 2006, 99999, 1234567, 9999999]
ODD: list[Any] = [*(12345678, 2**31 - 1, 2**31, 10**25, -1, 1.5, 0.0, -0.0, 1e9), *(True, False, None, "7", "", [], {})]
OBJECTS: list[dict[str, Any]] = [
    {
        "completion_tokens": 0,
        "prompt_tokens": 0,
        "total_tokens": 0,
        "completion_tokens_details": {"accepted_prediction_tokens": None, "reasoning_tokens": 0},
        "prompt_tokens_details": {"audio_tokens": 0, "cached_tokens": 0},
    },
    {
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation_input_tokens": 0,
        "prompt_tokens_details": {"cached_tokens": 0, "cache_creation_tokens": 0},
        "server_tool_use": {"web_search_requests": 0},
    },
    {
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "prompt_cache_hit_tokens": 0,
        "prompt_cache_miss_tokens": 0,
        "x": [0, 0],
    },
    {
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "reasoning_tokens": 0,
        "service_tier": "a 12, b",
        "a 3, b": 0,
        "v1": 0,
    },
    {"prompt_tokens": 0, "completion_tokens": 0, "inference_geo": "eu-1", "note": "It's 5, {3}"},
    {"promptTokenCount": 0, "candidatesTokenCount": 0, "prompt_tokens": 0},
    {"completion_tokens": None, "total_tokens": 0},
]


def with_numbers(value: Any, draw: random.Random, odd: float) -> Any:
    """The object with numbers drawn anew in the places of its numbers."""
    if isinstance(value, dict):
        return {name: with_numbers(inner, draw, odd) for name, inner in value.items()}
    if isinstance(value, list):
        return [with_numbers(inner, draw, odd) for inner in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return draw.choice(ODD if draw.random() < odd else USUAL)
    return value


def printed(value: Any, how: int) -> bytes:
    match how:
        case 0:
            return repr(value).encode()
        case 1:
            return json.dumps(value).encode()
        case _:
            return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def alone(text: bytes) -> tuple[tuple[int, int, int], str | None] | None:
    """What the reader of one object gives; None: it is for the full decoder."""
    try:
        text.decode()
        return usage_of(json_of(text))
    except (*PROBLEMS, UnicodeDecodeError):
        return None


def read(texts: list[bytes]) -> list[tuple[int, ...] | None]:
    """Each as it is read like the first; None: it is not."""
    like_the_first = printed_like(texts[0])
    if like_the_first is None:
        return [None] * len(texts)
    text = Text([*texts, b" " * 16_384])
    counts, good = like_the_first.read(text, text.starts[:-1], text.ends[:-1])
    text.close()
    return [tuple(of_each) if fine else None for of_each, fine in zip(counts.tolist(), good.tolist(), strict=True)]


def test_what_is_read_together_is_what_each_says_alone() -> None:
    for seed in range(FIRST, FIRST + BLOCKS):
        draw = random.Random(f"printed usage {seed}")
        known, how, odd = draw.choice(OBJECTS), draw.randrange(3), draw.choice([0, 0, 0.1])
        texts = [printed(with_numbers(known, draw, odd), how) for _ in range(draw.choice([2, 5, 20]))]
        texts = [mutated_bytes(text, draw) if draw.random() < odd else text for text in texts]
        for text, found in zip(texts, read(texts), strict=True):
            if found is not None:
                assert (found, None) == alone(text), f"seed {seed}: {text!r} like {texts[0]!r}"


@pytest.mark.parametrize("known", OBJECTS[:4], ids=range(4))
@pytest.mark.parametrize("how", range(3))
def test_all_that_differ_in_their_numbers_alone_are_read_together(known: dict[str, Any], how: int) -> None:
    draw = random.Random(f"{known} {how}")
    texts = [printed(with_numbers(known, draw, 0), how) for _ in range(200)]
    assert None not in read(texts)


def test_what_names_a_place_or_is_of_another_shape_is_left_to_be_read_alone() -> None:
    for known in OBJECTS[4:]:
        assert printed_like(printed(known, 1)) is None
