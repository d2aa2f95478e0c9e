"""What pages may be asked in their addresses: whose figures, over which time, and in which time zone."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from rice_stream.api.console.forms import Blank
from rice_stream.api.parameters import Moment, Name, Parameters
from rice_stream.reports.totals_query import AmountsAs

Window = Literal["24h", "7d", "30d", "mtd"]


AmountsShown = Annotated[AmountsAs, BeforeValidator(lambda value: value or "restated")]
"""A field of its own for it, whose default is AS_SHOWN; a form sends nothing for what is shown otherwise."""
AS_SHOWN: Any = Field("restated", alias="as")


class PageParameters(Parameters):
    """Of every page with figures. Fields that a form sends empty are left out."""

    tenant: Annotated[Name | None, Blank] = None
    time_zone: Annotated[Annotated[str, Field(max_length=100)] | None, Blank] = None


class WindowParameters(PageParameters):
    """Of a page over a stretch of time: a window that ends now, or bounds."""

    window: Annotated[Window | None, Blank] = None
    from_: Annotated[Moment | None, Blank] = Field(None, alias="from")
    to: Annotated[Moment | None, Blank] = None

    def stretch(self, default: Window) -> dict[str, Any]:
        """`window`, or `start` and `end`, as `TotalsQuery` takes them."""
        if self.window is None and self.from_ is None and self.to is None:
            return {"window": default}
        return {"window": self.window, "start": self.from_, "end": self.to}
