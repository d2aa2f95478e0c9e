"""GET /v1/exports/{kind} and /v1/exports/{kind}/manifest: a month of a tenant as a file to hand on, and what makes it again."""

import base64
import os
import tempfile
import threading
from collections.abc import Iterator
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import IO, Annotated, Any, NamedTuple

from fastapi import Depends, FastAPI, Query
from fastapi.responses import StreamingResponse
from pydantic import Field

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.parameters import Moment, Name, Parameters
from rice_stream.api.problems import later
from rice_stream.api.product import STREAMS_MAX, Product
from rice_stream.api.routing import needs
from rice_stream.instants import epoch_us
from rice_stream.quantities import NAME_LENGTH_MAX
from rice_stream.reports.exports.kinds import form_of
from rice_stream.reports.exports.orders import ExportOptions, ExportOrder, Form
from rice_stream.reports.moments import as_of_instant
from rice_stream.reports.totals_query import AmountsAs

_Reader = Annotated[Caller, Depends(needs(Right.READ))]
_PIECE_BYTES = 1 << 16
_RETRY_AFTER_S = 10
MEDIA_TYPES: dict[Form, str] = {
    "csv": "text/csv; charset=utf-8; header=present",
    "parquet": "application/vnd.apache.parquet",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "json": "application/json",
    "pdf": "application/pdf",
}
_FILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file", "content": {media.partition(";")[0]: {} for media in MEDIA_TYPES.values()}}
}


class ExportParameters(Parameters):
    """Whose month, as what file, with which options; a kind refuses those that it does not take."""

    tenant: Name
    month: str = Field(max_length=20, description="As in 2026-10, in the tenant's time zone")
    format: Form | None = Field(None, description="The kind's first where none is asked for")
    by: list[Annotated[str, Field(max_length=NAME_LENGTH_MAX)]] = Field(
        default_factory=list, max_length=10, description="Rows of a chargeback also by these names"
    )
    as_: AmountsAs = Field("restated", alias="as", description="With all corrections, or as it was reported")
    as_of: Moment | None = Field(None, description="With what was recorded and corrected until then; needs the records")
    carbon_price_per_tonne: str | None = Field(None, max_length=30, description="Decimal, of the currency")
    currency: str | None = Field(None, max_length=3, description="ISO 4217")

    focus_version: str | None = Field(None, max_length=10, description="1.4 or 1.2")

    own_provider: list[Annotated[str, Field(max_length=NAME_LENGTH_MAX)]] = Field(
        default_factory=list, max_length=50, description="Providers of a scope pack that are accelerators of one's own"
    )

    company_name: str | None = Field(None, max_length=NAME_LENGTH_MAX, description="Of pact: whose product it is")
    company_domain: str | None = Field(None, max_length=253, description="Of pact: the domain in its URNs")
    part: str | None = Field(None, max_length=20, description="Of msm: emissions or activity")
    functional_unit: str | None = Field(None, max_length=20, description="Of sci: token, 1000-tokens or prompt")

    def order(self, kind: str, now: datetime, threshold_percent: float | None = None) -> ExportOrder:
        """What is to be made. RiceError: there is no such kind, or it is not made so, or as of an instant that lies ahead."""
        when = as_of_instant("as_of", self.as_of, now)
        return ExportOrder(
            kind=kind,
            tenant=self.tenant,
            month=self.month,
            form=form_of(kind, self.format),
            options=ExportOptions(
                by=tuple(dict.fromkeys(name.strip() for listed in self.by for name in listed.split(","))),
                amounts=self.as_,
                carbon_price_per_tonne=self.carbon_price_per_tonne,
                currency=self.currency,
                focus_version=self.focus_version,
                functional_unit=self.functional_unit,
                part=self.part,
                threshold_percent=threshold_percent if kind == "scope-pack" else None,
                company_name=self.company_name,
                company_domain=self.company_domain,
                own_providers=tuple(dict.fromkeys(self.own_provider)),
            ),
            as_of_us=None if when is None else epoch_us(when),
        )


class _Made(NamedTuple):
    """A file that is open and has no name any more: it is gone when it is closed."""

    file: IO[bytes]
    manifest: dict[str, Any]


def install(app: FastAPI, product: Product) -> None:
    """Add the routes. A file is made whole before it is sent, on disk: an error is a problem, and never half of a file."""
    places = threading.BoundedSemaphore(STREAMS_MAX)
    threshold_percent = product.settings.restatement_threshold_percent

    def made(caller: Caller, kind: str, asked: ExportParameters) -> _Made:
        if not places.acquire(blocking=False):
            raise later(HTTPStatus.TOO_MANY_REQUESTS, f"{STREAMS_MAX} files are being made already", _RETRY_AFTER_S)
        try:
            return _make(product, caller, asked.order(kind, product.now(), threshold_percent))
        finally:
            places.release()

    @app.get(
        "/v1/exports/{kind}",
        summary="A month of a tenant as a file to hand on",
        tags=["exports"],
        responses=_FILE,
        response_class=StreamingResponse,
    )
    async def _export(kind: str, asked: Annotated[ExportParameters, Query()], caller: _Reader) -> StreamingResponse:
        found = await product.ask(made, caller, kind, asked)
        return _answer(asked.order(kind, product.now()), found)

    @app.get("/v1/exports/{kind}/manifest", summary="What makes such a file again", tags=["exports"])
    async def _manifest(kind: str, asked: Annotated[ExportParameters, Query()], caller: _Reader) -> dict[str, Any]:
        found = await product.ask(made, caller, kind, asked)
        found.file.close()
        return found.manifest


def _make(product: Product, caller: Caller, order: ExportOrder) -> _Made:
    # It holds columns in NumPy.
    from rice_stream.reports.exports.begun_file import begun_file
    from rice_stream.reports.exports.making import write_export

    scope = product.scope(caller, Right.READ, order.tenant)
    # What a server that was killed has left of one, the next one takes away.
    with begun_file(Path(tempfile.gettempdir()), private=True) as path:
        manifest = write_export(product.export_engine(), scope, order, path, file_name(order))
        return _Made(path.open("rb"), manifest)


def file_name(order: ExportOrder) -> str:
    """What the file is called where it is saved: of the kind and the month, for tenants are named as they like."""
    return f"{order.kind}-{order.month}.{order.form}"


def _answer(order: ExportOrder, made: _Made) -> StreamingResponse:
    digest = base64.b64encode(bytes.fromhex(made.manifest["file"]["sha256"])).decode()
    headers = {
        "Content-Disposition": f'attachment; filename="{file_name(order)}"',
        "Content-Length": str(os.fstat(made.file.fileno()).st_size),
        "Repr-Digest": f"sha-256=:{digest}:",
        "Rice-Content-SHA256": made.manifest["content_sha256"],
        "Rice-As-Of": made.manifest["as_of"],
    }
    return StreamingResponse(_pieces(made.file), media_type=MEDIA_TYPES[order.form], headers=headers)


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(_PIECE_BYTES):
            yield piece
