"""Settings about checkpoints of the audit trail: in whose name they are signed, how often, and where they are published."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from rice_stream.runtime.settings.section import CommaList, Section


class CheckpointSettings(Section):
    """`RICE_CHECKPOINT_*`, of `rice-stream serve` and `rice-stream audit`."""

    checkpoint_origin: Annotated[str, Field(pattern=r"^[^\s+]{1,200}$")] | None = None
    checkpoint_every_s: Annotated[float, Field(gt=0)] = 3600.0
    checkpoint_file: Path | None = None
    checkpoint_topic: str | None = None
    checkpoint_channels: CommaList = ()
    checkpoint_git: Path | None = None
