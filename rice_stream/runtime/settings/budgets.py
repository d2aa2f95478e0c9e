"""Settings about budgets: the file that sets them, and how often they are judged."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from rice_stream.runtime.settings.section import Section


class BudgetSettings(Section):
    """`RICE_BUDGETS_FILE` and `RICE_BUDGET_*`."""

    budgets_file: Path | None = None
    budget_sweep_s: Annotated[float, Field(gt=0)] = 2.0
    budget_judge_interval_s: Annotated[float, Field(ge=0)] = 0.2
