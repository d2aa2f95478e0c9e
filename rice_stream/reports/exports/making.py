"""Making an export: the file whole or not at all, and the manifest that makes it again."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rice_stream import __version__
from rice_stream.canonical_json import canonical_json
from rice_stream.errors import UsageError
from rice_stream.instants import datetime_of, rfc3339
from rice_stream.reports.exports.begun_file import begun_file
from rice_stream.reports.exports.content import CountedRows, document_sha256
from rice_stream.reports.exports.exported import Exported, ExportedDocument, ExportedRows
from rice_stream.reports.exports.json_rows import json_bytes
from rice_stream.reports.exports.kinds import check_options, kind_named
from rice_stream.reports.exports.manifests import manifest_of
from rice_stream.reports.exports.orders import ExportOrder, Form
from rice_stream.reports.exports.table_files import parquet_bytes
from rice_stream.reports.exports.typeset import pdf_bytes
from rice_stream.reports.exports.workbooks import write_workbook
from rice_stream.reports.month_uses import versions_of_uses
from rice_stream.reports.one_moment import one_moment
from rice_stream.store.engine import Engine
from rice_stream.store.scope import Scope

_LIBRARIES: dict[Form, tuple[str, ...]] = {"parquet": ("pyarrow",), "xlsx": ("xlsxwriter",), "pdf": ("typst",)}
"""What writes the bytes of each form besides this package."""


def make_export(engine: Engine, scope: Scope, order: ExportOrder, path: Path) -> dict[str, Any]:
    """Write the file at `path`, in the place of what is there, and answer its manifest; all of one moment of the database.

    A process that is killed leaves no half of a file at `path`. Memory does not grow with the rows of a table.

    The errors of `write_export`; but UsageError: `path` cannot be written.
    """
    with _put(path) as part:
        return write_export(engine, scope, order, part, path.name)


def write_export(engine: Engine, scope: Scope, order: ExportOrder, file: Path, name: str) -> dict[str, Any]:
    """Write a file of that place, and answer the manifest of one of that name; all of one moment of the database.

    NotFoundError: no such kind, or no such tenant in the scope. UsageError: what the kind does not take. OSError: it cannot be
    written.
    """
    kind = kind_named(order.kind)
    check_options(order.kind, order.options)
    # Within the whole scope: what the database itself is told does not depend on what is asked.
    with one_moment(engine, scope):
        exported = kind.read(engine, scope, order)
        rows, content_sha256 = _write(file, order, exported)
    digest, size = _digest(file)
    told = {"name": name, "rows": rows, "bytes": size, "sha256": digest}
    return manifest_of(order, scope, exported.grounds, told, content_sha256, _made_with(order.form))


def write_manifest(manifest: dict[str, Any], path: Path) -> None:
    """Write it as it is kept, canonical JSON (RFC 8785), in the place of what is at `path`. UsageError: that cannot be written."""
    with _put(path) as part:
        _write_pieces(part, [canonical_json(manifest)])


@contextmanager
def _put(path: Path) -> Iterator[Path]:
    """A file to write, which is at `path` when it is whole."""
    try:
        with begun_file(path.parent) as part:
            yield part
            part.replace(path)
    except OSError as error:
        raise UsageError(f"--out {path}: cannot be written ({error.strerror or error})") from error


def _write(path: Path, order: ExportOrder, exported: Exported) -> tuple[int, str]:
    """How many rows were written, and the digest of what they say."""
    if isinstance(exported, ExportedDocument):
        _write_document(path, order, exported)
        return exported.rows, document_sha256(exported.document)
    counted = CountedRows(exported.columns, exported.batches)
    if order.form == "xlsx":
        created = datetime_of(exported.grounds.as_of_us).replace(microsecond=0)
        write_workbook(path, exported.columns, counted, lambda: _facts(order, exported, counted), created=created)
    else:
        _write_pieces(path, _pieces(order.form, exported, counted))
    return counted.rows, counted.sha256


def _pieces(form: Form, exported: ExportedRows, rows: CountedRows) -> Iterable[bytes]:
    if form == "csv":
        return rows.csv_pieces()
    return json_bytes(exported.columns, rows) if form == "json" else parquet_bytes(exported.columns)(rows)


def _write_document(path: Path, order: ExportOrder, exported: ExportedDocument) -> None:
    if order.form != "pdf":
        _write_pieces(path, [canonical_json(exported.document)])
        return
    if exported.layout is None:
        raise AssertionError(f"{order.kind} has no layout")
    created = datetime_of(exported.grounds.as_of_us)
    _write_pieces(path, [pdf_bytes(exported.document, exported.layout, created=created)])


def _write_pieces(path: Path, pieces: Iterable[bytes]) -> None:
    with path.open("wb") as file:
        for piece in pieces:
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())


def _digest(path: Path) -> tuple[str, int]:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size


def _facts(order: ExportOrder, exported: ExportedRows, counted: CountedRows) -> Sequence[tuple[str, str]]:
    """What the second sheet of a workbook says; the same facts as the manifest's."""
    grounds = exported.grounds
    window = grounds.stretch.window
    return [
        ("export", order.kind),
        ("tenant", order.tenant),
        ("month", order.month),
        ("from", window["from"]),
        ("to, not included", window["to"]),
        ("time zone", window["time_zone"]),
        ("state of the month", grounds.stretch.told["state"]),
        ("as of", rfc3339(grounds.as_of_us)),
        ("amounts", order.options.amounts),
        *((name, str(value)) for name, value in grounds.totals.items()),
        *(("method and factors", f"{one['method_version']}, {one['factor_version']}") for one in _versions(exported)),
        ("rows", str(counted.rows)),
        ("content SHA-256", counted.sha256),
        ("made by", f"rice-stream {__version__}"),
    ]


def _versions(exported: ExportedRows) -> list[dict[str, Any]]:
    return versions_of_uses(list(exported.grounds.uses))


def _made_with(form: Form) -> dict[str, str]:
    found = {"rice-stream": __version__}
    for library in _LIBRARIES.get(form, ()):
        try:
            found[library] = version(library)
        except PackageNotFoundError:  # there, but not as a package that says so
            found[library] = "unknown"
    return found
