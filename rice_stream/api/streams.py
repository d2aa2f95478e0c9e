"""Tables as CSV or Parquet, made while they are sent: memory does not grow with their rows."""

import threading
from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from typing import Literal

from fastapi.responses import StreamingResponse

from rice_stream.api.problems import later
from rice_stream.api.product import STREAMS_MAX, Product
from rice_stream.reports.exports.columns import ExportColumn, Rows

Format = Literal["json", "csv", "parquet"]
_RETRY_AFTER_S = 10
_MEDIA_TYPES = {"csv": "text/csv; charset=utf-8; header=present", "parquet": "application/vnd.apache.parquet"}


class Streams:
    """Makes the answers; bounds how many there are at a time."""

    def __init__(self) -> None:
        self._places = threading.BoundedSemaphore(STREAMS_MAX)

    async def answer(
        self,
        product: Product,
        form: Format,
        name: str,
        columns: Sequence[ExportColumn],
        rows: Callable[[], Rows],
        *,
        trailer: bool,
    ) -> StreamingResponse:
        """The table as a file called `name`. `rows` is called in a thread; its errors before the first batch are problems."""
        # It holds columns in NumPy, which takes a tenth of the server's start.
        from rice_stream.reports.exports.table_files import csv_bytes, parquet_bytes

        made = csv_bytes(columns, trailer=trailer) if form == "csv" else parquet_bytes(columns)
        pieces = self._pieces(made, rows)
        # A generator that has begun gives back its place whatever becomes of the answer.
        await product.ask(next, pieces)
        headers = {"Content-Disposition": f'attachment; filename="{name}.{form}"'}
        return StreamingResponse(pieces, media_type=_MEDIA_TYPES[form], headers=headers)

    def _pieces(self, made: Callable[[Rows], Iterator[bytes]], rows: Callable[[], Rows]) -> Iterator[bytes]:
        """Nothing, once the first piece is there; then the pieces."""
        if not self._places.acquire(blocking=False):
            raise later(HTTPStatus.TOO_MANY_REQUESTS, f"{STREAMS_MAX} tables are being sent already", _RETRY_AFTER_S)
        try:
            pieces = made(rows())
            first = next(pieces)
            yield b""
            yield first
            yield from pieces
        finally:
            self._places.release()
