"""PostgreSQL's NUMERIC as Python's int where it is whole: sums are exact integers of any size, as on SQLite."""

from decimal import Decimal

from psycopg.abc import Buffer
from psycopg.adapt import Loader


class WholeNumberLoader(Loader):
    """`int` for a NUMERIC without digits after the point, else `Decimal`."""

    def load(self, data: Buffer) -> int | Decimal:
        """The value of the text that the server sends."""
        text = bytes(data)
        try:
            return int(text)
        except ValueError:
            return Decimal(text.decode())
