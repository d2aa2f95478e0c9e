"""Documents as PDF/A-3 with their JSON inside: tagged, with fonts of the library's own, the same bytes for the same document."""

from collections.abc import Mapping
from datetime import datetime
from importlib.resources import files
from typing import Any

from rice_stream.canonical_json import canonical_json
from rice_stream.errors import UsageError


def pdf_bytes(document: Mapping[str, Any], layout: str, *, created: datetime) -> bytes:
    """The document by a layout of `layouts`. UsageError: the library is not installed."""
    try:
        import typst
    except ModuleNotFoundError as error:
        raise UsageError("format: no PDF is written here; install rice-stream[reports], or ask for json") from error
    source = files(__package__).joinpath("layouts", layout).read_bytes()
    made = typst.compile(
        source,
        format="pdf",
        ignore_system_fonts=True,
        sys_inputs={"document": canonical_json(document).decode()},
        pdf_standards=["a-3a"],
        timestamp=created.replace(microsecond=0),
    )
    if not isinstance(made, bytes):
        raise AssertionError("one document is one file")
    return made
