"""Usage files as rows: JSON, JSON lines or CSV, by the reader of the provider. Pure: takes bytes or text, from anybody."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from rice_stream.errors import UsageError
from rice_stream.reports.usage_exports.anthropic import read_anthropic
from rice_stream.reports.usage_exports.azure import read_azure
from rice_stream.reports.usage_exports.bedrock import read_bedrock
from rice_stream.reports.usage_exports.openai import read_openai
from rice_stream.reports.usage_exports.rows import NotUsage, Reader, Unused, UsageRow, shown
from rice_stream.reports.usage_exports.vertex import read_vertex

_Row = TypeVar("_Row")

READERS: Mapping[str, Reader] = {
    "openai": read_openai,
    "anthropic": read_anthropic,
    "bedrock": read_bedrock,
    "azure": read_azure,
    "vertex": read_vertex,
}
FILE_BYTES_MAX = 64 * 1024 * 1024
"""Of a file on this machine; what comes over HTTP is held to the server's limit for bodies."""
MODELS_MAX = 10_000
"""Names of models in a file: each is compared with those of the ledger."""
FILE_TOKENS_MAX = 2**53 - 1
"""Of all rows together: what every reader of JSON takes exactly."""
_WHYS_MAX = 5
_WHY_LENGTH_MAX = 200
_CELL_LENGTH_MAX = 10_000
_TOO_DEEP = "JSON within JSON, too deep to be usage"
_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}


def usage_text(content: bytes) -> str:
    """A file's text: UTF-8, or UTF-16 as spreadsheets write it, with its mark. UsageError: it is neither, or too large."""
    if len(content) > FILE_BYTES_MAX:
        raise UsageError(f"the file is larger than {FILE_BYTES_MAX:,} bytes; export one month, by day and model")
    if content[:2] == b"\x1f\x8b":
        raise UsageError("the file is packed (gzip); unpack it first")
    encoding = next((name for mark, name in _MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise UsageError(f"the file is no {encoding.upper()} text at byte {error.start:,}; save it as UTF-8") from error


class UsageFile(NamedTuple):
    """What a provider states; `skipped` rows state no tokens, and `skipped_why` says of some of them why that is thought; `unused`
    are stretches without any.
    """

    rows: Sequence[UsageRow]
    skipped: int
    skipped_why: Sequence[str]
    unused: Sequence[Unused] = ()


def read_usage(text: str, provider: str) -> UsageFile:
    """All rows of a file. UsageError: no such provider, no row of tokens, or a row that cannot be read; it says which."""
    if provider not in READERS:
        raise UsageError(f"--provider {provider}: choose from {', '.join(READERS)}")
    rows: list[UsageRow] = []
    unused: list[Unused] = []
    skipped = 0
    whys: dict[str, None] = {}
    for read in read_rows(text, READERS[provider], f"no usage of {provider} as it is known here"):
        if isinstance(read, NotUsage):
            skipped += 1
            if len(whys) < _WHYS_MAX:
                whys[read.why[:_WHY_LENGTH_MAX]] = None
        elif isinstance(read, Unused):
            unused.append(read)
        else:
            rows.append(read)
    if not rows:
        raise UsageError(f"nothing in the file states tokens of {provider}: {'; '.join(whys) or 'it has no rows'}")
    _check_size(rows)
    return UsageFile(rows, skipped, list(whys), unused)


def read_rows(text: str, read: Callable[[Any], Iterator[_Row]], otherwise: str) -> Iterator[_Row]:
    """What a reader makes of each JSON document, or row of CSV, of a file. UsageError: it cannot, and why; it says which row."""
    for number, document in enumerate(_documents(text), 1):
        try:
            yield from read(document)
        except UsageError as error:
            raise UsageError(f"row {number}: {error}") from error
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            why = f"{type(error).__name__} {shown(error)}"
            raise UsageError(f"row {number}: this is {otherwise} ({why})") from error


def _check_size(rows: Sequence[UsageRow]) -> None:
    if len({row.model for row in rows}) > MODELS_MAX:
        raise UsageError(f"the file names more than {MODELS_MAX:,} models; export it by model, and by nothing finer")
    if sum(row.input_tokens + row.output_tokens for row in rows) > FILE_TOKENS_MAX:
        raise UsageError(f"the file states more than {FILE_TOKENS_MAX:,} tokens: this is no use of a month")


def _documents(text: str) -> Iterator[Any]:
    text = text.removeprefix("\ufeff")
    if text.lstrip()[:1] not in ("{", "["):
        try:
            for row in csv.DictReader(io.StringIO(text, newline="")):
                # The module's own limit is that of the whole process, and files of events may have longer cells.
                if any(isinstance(value, str) and len(value) > _CELL_LENGTH_MAX for value in row.values()):
                    raise UsageError(f"this is no CSV: a cell has more than {_CELL_LENGTH_MAX:,} characters")
                yield {str(name).strip().lower(): value for name, value in row.items()}
        except csv.Error as error:
            raise UsageError(f"this is no CSV: {error}") from error
        return
    try:
        whole = json.loads(text)
    except RecursionError as error:
        raise UsageError(_TOO_DEEP) from error
    except ValueError as error:
        yield from _lines(text, error)
        return
    yield from whole if isinstance(whole, list) else [whole]


def _lines(text: str, of_all: ValueError) -> Iterator[Any]:
    """Documents, one a line; where the first line is none either, the text is one over several lines, which is broken `of_all`."""
    numbered = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    for number, line in numbered:
        try:
            yield json.loads(line)
        except RecursionError as error:
            raise UsageError(f"line {number}: {_TOO_DEEP}") from error
        except ValueError as error:
            if number == numbered[0][0]:
                raise UsageError(f"this is no JSON, or was cut short ({of_all})") from error
            raise UsageError(f"line {number}: no JSON ({error})") from error
