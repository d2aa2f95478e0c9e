"""Settings about closing months: from where on the checklist finds something in the way."""

from typing import Annotated

from pydantic import Field

from rice_stream.runtime.settings.section import Section


class PeriodSettings(Section):
    """`RICE_CLOSE_*`: shares of the carbon of a month."""

    close_unattributed_max: Annotated[float, Field(ge=0, le=1)] = 0.05
    close_coverage_min: Annotated[float, Field(ge=0, le=1)] = 0.95
