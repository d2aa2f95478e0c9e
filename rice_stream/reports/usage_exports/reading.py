"""Usage files as rows: JSON, JSON lines or CSV, by the reader of the provider. Pure: takes the text."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from rice_stream.errors import UsageError
from rice_stream.reports.usage_exports.anthropic import read_anthropic
from rice_stream.reports.usage_exports.azure import read_azure
from rice_stream.reports.usage_exports.bedrock import read_bedrock
from rice_stream.reports.usage_exports.openai import read_openai
from rice_stream.reports.usage_exports.rows import NotUsage, Reader, UsageRow
from rice_stream.reports.usage_exports.vertex import read_vertex

READERS: Mapping[str, Reader] = {
    "openai": read_openai,
    "anthropic": read_anthropic,
    "bedrock": read_bedrock,
    "azure": read_azure,
    "vertex": read_vertex,
}
_WHYS_MAX = 5


class UsageFile(NamedTuple):
    """What a provider states; `skipped` rows state no tokens, and `skipped_why` says of some of them why that is thought."""

    rows: Sequence[UsageRow]
    skipped: int
    skipped_why: Sequence[str]


def read_usage(text: str, provider: str) -> UsageFile:
    """All rows of a file. UsageError: no such provider, no row of tokens, or a row that cannot be read; it says which."""
    if provider not in READERS:
        raise UsageError(f"--provider {provider}: choose from {', '.join(READERS)}")
    rows: list[UsageRow] = []
    skipped = 0
    whys: dict[str, None] = {}
    for number, document in enumerate(_documents(text), 1):
        try:
            for read in READERS[provider](document):
                if isinstance(read, NotUsage):
                    skipped += 1
                    whys[read.why] = None
                else:
                    rows.append(read)
        except UsageError as error:
            raise UsageError(f"row {number}: {error}") from error
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise UsageError(f"row {number}: this is no usage of {provider} as it is known here ({error!r})") from error
    if not rows:
        raise UsageError(
            f"nothing in the file states tokens of {provider}: {'; '.join(list(whys)[:_WHYS_MAX]) or 'it is empty'}"
        )
    return UsageFile(rows, skipped, list(whys)[:_WHYS_MAX])


def _documents(text: str) -> Iterator[Any]:
    text = text.removeprefix("\ufeff")
    if text.lstrip()[:1] not in ("{", "["):
        for row in csv.DictReader(io.StringIO(text, newline="")):
            yield {str(name).strip().lower(): value for name, value in row.items()}
        return
    try:
        whole = json.loads(text)
    except ValueError:
        yield from _lines(text)
        return
    yield from whole if isinstance(whole, list) else [whole]


def _lines(text: str) -> Iterator[Any]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                yield json.loads(line)
            except ValueError as error:
                raise UsageError(f"line {number}: no JSON ({error})") from error
