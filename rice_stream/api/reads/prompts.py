"""GET /v1/prompts in pages or as a file, one prompt, and how its amounts came about."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, FastAPI, Query, Response
from pydantic import Field

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.json_answers import json_answer
from rice_stream.api.pages import paged
from rice_stream.api.parameters import Moment, Name, NameParameters, Page, Parameters
from rice_stream.api.product import Product
from rice_stream.api.routing import needs
from rice_stream.api.streams import Format, Streams
from rice_stream.estimator.method import Method
from rice_stream.reports.exports.columns import ExportColumn
from rice_stream.reports.moments import as_instant
from rice_stream.reports.prompt_filter import PromptFilter
from rice_stream.reports.prompts import prompts
from rice_stream.reports.record_adjustments import record_adjustments
from rice_stream.store.scope import Scope

if TYPE_CHECKING:
    from rice_stream.reports.record_keys import FoundKey

_Reader = Annotated[Caller, Depends(needs(Right.READ))]
_METHODS_KEPT = 8


class RecordParameters(Parameters):
    """Which of the records of one event id."""

    tenant: Name | None = None
    ended_at: Moment | None = None


class PromptParameters(NameParameters, Page):
    """Which prompts."""

    tenant: Name | None = None
    from_: Moment | None = Field(None, alias="from")
    to: Moment | None = None
    time_zone: str = Field("UTC", max_length=100, description="Of days given as `from` and `to`")
    newest_first: bool = True
    format: Format = "json"
    trailer: bool = Field(default=False, description="CSV ends with a line that tells rows and digest")

    def asked(self) -> PromptFilter:
        """What the report is asked."""
        return PromptFilter(
            tenant=self.tenant, where=self.where, start=self.from_, end=self.to, time_zone=self.time_zone
        )


def install(app: FastAPI, product: Product) -> None:
    """Add the routes. An event id may hold any signs, slashes among them: they are sent as %2F or as they are."""
    streams = Streams()
    opened = methods_of(product)

    @app.get("/v1/prompts", summary="Prompts in pages, or all of them as CSV or Parquet", tags=["prompts"])
    async def _prompts(asked: Annotated[PromptParameters, Query()], caller: _Reader) -> Response:
        scope = product.scope(caller, Right.READ, asked.tenant)
        if asked.format == "json":

            def report(after: bytes | None) -> dict[str, Any]:
                options = {"after": after, "limit": asked.limit, "newest_first": asked.newest_first}
                return prompts(product.engine(), scope, asked.asked(), **options)  # type: ignore[arg-type]

            return json_answer(await paged(product, caller, "/v1/prompts", asked, report))
        columns, batches = await product.ask(_stream, product, scope, asked.asked())
        return await streams.answer(product, asked.format, "prompts", columns, lambda: batches, trailer=asked.trailer)

    @app.get("/v1/prompts/{event_id:path}/explain", summary="How a record's amounts came about", tags=["prompts"])
    async def _explained(event_id: str, asked: Annotated[RecordParameters, Query()], caller: _Reader) -> Response:
        return json_answer(await product.ask(answer_explanation, product, caller, event_id, asked, opened))

    @app.get(
        "/v1/prompts/{event_id:path}/adjustments", summary="What has corrected a record, oldest first", tags=["prompts"]
    )
    async def _adjusted(event_id: str, asked: Annotated[RecordParameters, Query()], caller: _Reader) -> dict[str, Any]:
        return {"rows": await product.ask(answer_adjustments, product, caller, event_id, asked)}

    @app.get("/v1/prompts/{event_id:path}", summary="One record", tags=["prompts"])
    async def _prompt(event_id: str, asked: Annotated[RecordParameters, Query()], caller: _Reader) -> Response:
        document = await product.ask(answer_explanation, product, caller, event_id, asked, opened)
        return json_answer(document["record"])


def methods_of(product: Product) -> Callable[[str], Method]:
    """Opens methods, each once: to read one takes as long as many explanations."""

    @lru_cache(maxsize=_METHODS_KEPT)
    def opened(name: str) -> Method:
        from rice_stream.runtime.opening_estimator import open_method  # NumPy takes a tenth of the server's start

        return open_method(product.settings, name)

    return opened


def answer_explanation(
    product: Product, caller: Caller, event_id: str, asked: RecordParameters, opened: Callable[[str], Method]
) -> dict[str, Any]:
    """What `/v1/prompts/{event_id}/explain` answers a caller; for a thread of its own. RiceError: as from `explain`."""
    from rice_stream.reports.explanation import explain  # it estimates, with NumPy
    from rice_stream.runtime.opening_estimator import token_defaults

    settings = product.settings
    return explain(
        product.engine(),
        product.scope(caller, Right.READ, asked.tenant),
        event_id,
        asked.tenant,
        defaults=token_defaults(settings),
        ended_at=as_instant(asked.ended_at),
        open_method=opened,
    )


def answer_record(product: Product, caller: Caller, event_id: str, asked: RecordParameters) -> dict[str, Any]:
    """The `record` of an explanation alone; for a thread of its own. RiceError: as from `find_record`."""
    from rice_stream.reports.record_lookup import recorded  # it reads how records were estimated, with NumPy

    scope = product.scope(caller, Right.READ, asked.tenant)
    return recorded(product.engine(), scope, event_id, asked.tenant, as_instant(asked.ended_at))


def answer_adjustments(
    product: Product, caller: Caller, event_id: str, asked: RecordParameters
) -> list[dict[str, Any]]:
    """The rows of `/v1/prompts/{event_id}/adjustments`; for a thread of its own. RiceError: as from `find_key`."""
    scope = product.scope(caller, Right.READ, asked.tenant)
    return record_adjustments(product.engine(), scope, found_key(product, scope, event_id, asked).key)


def found_key(product: Product, scope: Scope, event_id: str, asked: RecordParameters) -> "FoundKey":
    """What the record is kept under; for a thread of its own. RiceError: as from `find_key`."""
    from rice_stream.reports.record_keys import find_key  # it reads how records were estimated, with NumPy

    return find_key(product.engine(), scope, event_id, asked.tenant, as_instant(asked.ended_at))


def _stream(product: Product, scope: Scope, asked: PromptFilter) -> tuple[list[ExportColumn], Iterator[Sequence[Any]]]:
    """The columns of all prompts as a stream, and its rows; the first batch is read for that."""
    from rice_stream.reports.exports.prompt_rows import prompt_kind
    from rice_stream.reports.prompt_stream import stream_prompts  # it holds columns, in NumPy

    batches = stream_prompts(product.export_engine(), scope, asked)
    names, rows = next(batches)

    def all_rows() -> Iterator[Sequence[Any]]:
        yield rows
        for _, others in batches:
            yield others

    return [ExportColumn(name, prompt_kind(name)) for name in names], all_rows()
