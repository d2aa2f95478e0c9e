"""Settings about restating: from which change on the organisation has to tell of it, and how much it takes beside workers."""

from typing import Annotated

from pydantic import Field

from rice_stream.reports.materiality import THRESHOLD_PERCENT
from rice_stream.runtime.settings.section import Section


class RestatingSettings(Section):
    """`RICE_RESTATEMENT_*`, of `rice-stream restate`, `bridge` and `serve`."""

    restatement_threshold_percent: Annotated[float, Field(ge=0, allow_inf_nan=False)] = THRESHOLD_PERCENT
    restatement_share: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 0.6
