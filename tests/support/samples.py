"""Payloads that real software wrote, in a folder that is not part of the project, against what is known of them.

    python -m tests.support.samples FOLDER

FOLDER is laid out as `litellm/`, `otlp/`, `otlp-captured/`, `provider-usage/`, `documented/`, `langfuse/`. Prints every
file with its counts and ends with 1 if one is not as expected. The project's own tests hold the same of payloads of
ours; these are others' and are not copied.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from rice_stream.events.canonical import WireEvent
from rice_stream.events.formats.dispatch import read
from rice_stream.events.formats.reading.options import FormatOptions
from rice_stream.events.records import Ignored, RawRecord, Refused

Found = tuple[int | None, int | None, int | None, int | None]
"""Input, cached, output and reasoning tokens."""
OPTIONS = FormatOptions(count_log_events=False)
FOLDERS = {"litellm", "otlp", "otlp-captured", "provider-usage", "documented", "langfuse"}
RECEIVED_US = 1_795_374_000_000_000
REFUSED: Found = (-1, -1, -1, -1)

EXPECTED: dict[str, list[Found]] = {
    "litellm/slp_openai_cached_reasoning.json": [(2006, 1920, 300, 128)],
    "litellm/slp_failure_429.json": [(0, None, 0, None)],
    "litellm/slp_openai_streamed_mock.json": [(8, None, 4, None)],
    "litellm/generic_api_ndjson_body.ndjson": [(10, None, 20, None), (10, None, 20, None)],
    "otlp-captured/litellm-otel_1.109.1.pb": [(2006, 1920, 300, 128)],
    "otlp-captured/litellm-otel_1.109.1.otlp.json": [(2006, 1920, 300, 128)],
    "otlp-captured/otel-openai-v2_2.3b0.pb": [(2006, None, 300, None)],
    "otlp-captured/otel-openai-v2_2.3b0.otlp.json": [(2006, None, 300, None)],
    "otlp/events.json": [],
    "otlp/logs.json": [],
    "otlp/metrics.json": [],
    "otlp/trace.json": [],
    "documented/aws_budgets_sns.json": [REFUSED],
    "documented/gcp_budget_pubsub.json": [REFUSED],
    "provider-usage/bedrock_converse.yaml": [REFUSED],  # the model stands in the address alone
    "provider-usage/google_genai_non_streaming.yaml": [(8, None, 1910, 1477)],
}
"""What is said of the files where they are kept; files that are not named here are only shown."""


def values_of(path: Path) -> Iterator[bytes]:
    """The payloads in a file: itself, or the replies of a recorded cassette."""
    if path.suffix != ".yaml":
        yield path.read_bytes()
        return
    for interaction in yaml.safe_load(path.read_text("utf-8")).get("interactions", []):
        body = interaction["response"]["body"]
        text: Any = body.get("string") if isinstance(body, dict) else body
        if text:
            yield text.encode() if isinstance(text, str) else text


def _items(value: bytes, number: int) -> list[WireEvent | Refused | Ignored]:
    record = RawRecord("samples", 0, number, value, (), RECEIVED_US)
    return [outcome.result for outcome in read(record, OPTIONS)]


def found_in(path: Path) -> list[Found]:
    """Counts of every event of the file, REFUSED for what is refused; ignored items are left out."""
    found: list[Found] = []
    for number, value in enumerate(values_of(path)):
        for item in _items(value, number):
            if isinstance(item, WireEvent):
                counts = (
                    item.input_tokens,
                    item.cache_read_input_tokens,
                    item.output_tokens,
                    item.reasoning_output_tokens,
                )
                found.append(counts)
            elif isinstance(item, Refused):
                found.append(REFUSED)
    return found


def main(folder: Path) -> int:
    """0: all are as expected."""
    wrong = 0
    files = {path.relative_to(folder).as_posix() for path in folder.glob("*/*.*") if _is_payload(path)}
    for name in sorted(files | set(EXPECTED)):
        found = found_in(folder / name) if name in files else []
        expected = EXPECTED.get(name)
        good = expected is None or (name in files and _agree(found, expected))
        wrong += not good
        verdict = "     " if expected is None else "ok   " if good else "WRONG"
        print(verdict, name, found, "" if good else f"expected {expected}")
    return 1 if wrong else 0


def _agree(found: list[Found], expected: list[Found]) -> bool:
    return len(found) == len(expected) and all(_told(f, e) == e for f, e in zip(found, expected, strict=True))


def _told(found: Found, expected: Found) -> Found:
    """The counts that something is known of: a source may say 0 where another says nothing."""
    said = [None if e is None and not f else f for f, e in zip(found, expected, strict=True)]
    return said[0], said[1], said[2], said[3]


def _is_payload(path: Path) -> bool:
    return path.parent.name in FOLDERS and path.suffix in {".json", ".pb", ".ndjson", ".yaml"}


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
