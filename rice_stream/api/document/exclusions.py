"""Answers about what is not in the numbers."""

from typing import Literal

from pydantic import Field

from rice_stream.api.document.shapes import Answer


class ExcludedItems(Answer):
    """What is not in the numbers for one reason; the carbon is that of as many mean prompts, or what entries took away."""

    kind: Literal["refused", "put_aside", "voided"]
    items: int
    carbon_gco2e: float | None
    by: Literal["mean_prompt", "entries"]


class Exclusions(Answer):
    """What is not in the numbers, and the line that its share is held against; refused items are for who sees all."""

    rows: list[ExcludedItems]
    carbon_gco2e: float | None
    share_of_carbon: float | None = Field(description="share of all carbon, from 0 to 1")
    share_max: float = Field(description="0 to 1: the share of all carbon that may be left out")
