"""docs/event-formats.md says what the code does: every format, name, reason and note is in it, and the tables agree."""

import inspect
import re
from pathlib import Path

import pytest

from rice_stream.events import formats
from rice_stream.events.formats import bedrock, envoy, kong, langfuse, openmeter
from rice_stream.events.formats import provider_replies as provider_usage
from rice_stream.events.formats.litellm import payload as litellm
from rice_stream.events.formats.litellm import spend_logs
from rice_stream.events.formats.otlp import attributes as otlp_attributes
from rice_stream.events.formats.reading.items import UNEXPECTED
from rice_stream.events.formats.reading.options import FORMATS
from tests.support.places import ROOT

PAGE = (ROOT / "docs" / "event-formats.md").read_text("utf-8")
WORDS = set(re.findall(r"`([^`\s]+)`", PAGE))
SOURCES = "\n".join(path.read_text("utf-8") for path in sorted(Path(inspect.getfile(formats)).parent.rglob("*.py")))


def section(title: str) -> str:
    found = re.search(rf"^## [^\n]*\(`{title}`\)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None, f"no section on {title}"
    return found.group(1)


@pytest.mark.parametrize("name", [name for name in FORMATS if name not in ("auto", "canonical")])
def test_every_format_has_a_row_and_a_section(name: str) -> None:
    assert f"| `{name}` |" in PAGE
    assert section(name)


def test_every_reason_and_note_in_the_code_is_explained() -> None:
    reasons = set(re.findall(r"(?:Ignored|Refusal|RefusedError)\(\s*\"([a-z_]+)\"", SOURCES))
    notes = set(re.findall(r"assumed\(\"([a-z_]+)\"\)|notes \+?= \(\"([a-z_]+)\"", SOURCES))
    words = reasons | {UNEXPECTED} | {word for pair in notes for word in pair if word}
    assert len(words) > 20
    assert words <= WORDS, words - WORDS


@pytest.mark.parametrize(
    "field",
    [
        "INPUT",
        "OUTPUT",
        "CACHE_READ",
        "CACHE_WRITE",
        "REASONING",
        "TOTAL",
        "RESPONSE_MODEL",
        "REQUEST_MODEL",
        "PROVIDER",
    ],
)
def test_the_aliases_of_spans_stand_in_the_table_in_the_order_in_which_they_are_tried(field: str) -> None:
    aliases: tuple[str, ...] = getattr(otlp_attributes, field)
    assert ", ".join(f"`{alias}`" for alias in aliases) in section("otlp")


def test_everything_that_is_read_of_a_span_is_listed() -> None:
    read = otlp_attributes.WANTED | otlp_attributes.WANTED_OF_RESOURCE | otlp_attributes.TEXT
    # How an older log record spells its event's name.
    assert read - {otlp_attributes.EVENT_NAME} <= set(re.findall(r"`([^`\s]+)`", section("otlp"))) | {
        "cloud.region",
        "cloud.provider",
    }


@pytest.mark.parametrize(
    ("module", "title"),
    [
        (litellm, "litellm"),
        (langfuse, "langfuse"),
        (bedrock, "bedrock"),
        (kong, "kong"),
        (envoy, "envoy"),
        (provider_usage, "provider_usage"),
        (openmeter, "openmeter"),
    ],
)
def test_every_tenant_ladder_stands_in_its_section_in_order(module: object, title: str) -> None:
    ladder: tuple[str, ...] = module.TENANT_LADDER  # type: ignore[attr-defined]
    in_order = re.compile(".*".join(re.escape(f"`{name}`") for name in ladder))
    assert any(in_order.search(line) for line in section(title).splitlines() if "tenant_id" in line)


def test_the_other_tables_name_what_their_modules_read() -> None:
    names = (
        *provider_usage.IDS,
        *provider_usage.ENDED,
        *provider_usage.HEADER_DATES,
        *provider_usage.RESPONSE_MODEL,
        *langfuse.CACHE_READ_KEYS,
        *langfuse.CACHE_WRITE_KEYS,
        *langfuse.REASONING_KEYS,
        *spend_logs.METADATA_COLUMNS.values(),
        *envoy.USER,
        *(set(envoy.INPUT + envoy.OUTPUT + envoy.TOTAL + envoy.CACHE_READ + envoy.REASONING)),
    )
    assert set(names) <= WORDS, set(names) - WORDS


def test_the_numbers_on_the_page_add_up() -> None:
    sums = re.findall(r"([\d,]+(?: \+ [\d,]+)+) = ([\d,]+)", PAGE)
    assert len(sums) >= 2
    for parts, total in sums:
        assert sum(int(part.replace(",", "")) for part in parts.split(" + ")) == int(total.replace(",", ""))
