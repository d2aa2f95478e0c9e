"""Settings about the worker's batches: their size, when too many refused events stop it, when it counts as stuck."""

from typing import Annotated

from pydantic import Field

from rice_stream.runtime.settings.section import Section


class BatchSettings(Section):
    """`RICE_BATCH_*`, `RICE_QUARANTINE_RATIO_*` and `RICE_PROGRESS_TIMEOUT_S`."""

    batch_events_max: Annotated[int, Field(ge=1, le=500_000)] = 40_000
    batch_wait_s: Annotated[float, Field(gt=0, le=60)] = 0.4
    quarantine_ratio_max: Annotated[float, Field(gt=0, le=1)] = 0.5
    quarantine_ratio_events_min: Annotated[int, Field(ge=1)] = 1_000
    progress_timeout_s: Annotated[float, Field(ge=5)] = 120.0
