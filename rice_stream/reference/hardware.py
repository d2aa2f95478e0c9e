"""From an accelerator's name to its published figures."""

import re
from collections.abc import Sequence
from dataclasses import replace

from rice_stream.errors import ReferenceDataError
from rice_stream.reference.reading import Row
from rice_stream.reference.sources import SourceTable
from rice_stream.reference.types import HardwareFactor

DEFAULT_HARDWARE = "A100-80GB"
"""The paper's accelerator: stands in where the hardware is not stated or not known."""

MAX_NAME_CHARACTERS = 128
MIN_PREFIX_CHARACTERS = 3
"""Shorter keys (`L4`, `T4`) would claim names that only happen to begin so."""
_PLAIN = re.compile(r"[^a-z0-9]+")
_COUNT = re.compile(r"^\d{1,3}\s*x\s*|\s+x\s*\d{1,3}$")
_MAKERS = ("nvidia", "tesla", "amd", "google", "aws", "intel")


class HardwareTable:
    """hardware.csv, ready for look-up."""

    def __init__(self, rows: Sequence[Row], sources: SourceTable) -> None:
        self.factors = [_factor(row, sources) for row in rows]
        self._index = {_plain(factor.hardware): factor for factor in self.factors}
        for row, factor in zip(rows, self.factors, strict=True):
            for alias in filter(None, row.text("aliases").split("|")):
                self._index.setdefault(_plain(alias), replace(factor, rung="alias"))
        self._by_length = sorted(self._index, key=lambda key: (-len(key), key))
        default = self._index.get(_plain(DEFAULT_HARDWARE))
        if default is None:
            raise ReferenceDataError(f"hardware.csv: the default hardware {DEFAULT_HARDWARE} has no row")
        self._default = replace(default, known=False, rung="default")

    def resolve(self, name: str | None) -> HardwareFactor:
        """The row of a name, a spelling or an instance type (`p5.48xlarge`), of the longest known name at the start.

        Anything else gets the default's figures with `known=False`.
        """
        if not name or not name.strip():
            return self._default
        given = _COUNT.sub("", name.strip("[]'\" \t").lower()[:MAX_NAME_CHARACTERS])
        text = _plain(given)
        found = self._index.get(text) or self._index.get(_plain(given.split(".", 1)[0]))
        if found is not None:
            return found
        for key in self._by_length:
            if len(key) >= MIN_PREFIX_CHARACTERS and text.startswith(key) and not text[len(key) :][:1].isdigit():
                return replace(self._index[key], rung="variant")
        return self._default


def _plain(name: str) -> str:
    """Lower case letters and digits only, without the maker in front."""
    text = _PLAIN.sub("", name.lower())
    for maker in _MAKERS:
        text = text.removeprefix(maker)
    return text


def _factor(row: Row, sources: SourceTable) -> HardwareFactor:
    embodied_source = row.text("embodied_source")
    return HardwareFactor(
        hardware=row.text("hardware"),
        known=True,
        rung="exact",
        vendor=row.text("vendor"),
        tdp_w=row.number("tdp_w"),
        tdp_published=row.flag("tdp_published"),
        memory_gb=row.number("memory_gb"),
        memory_bandwidth_gb_s=row.number("memory_bandwidth_gb_s"),
        peak_tflops_fp16=row.number("peak_tflops_fp16"),
        peak_tflops_fp8=row.optional_number("peak_tflops_fp8"),
        peak_tops_int8=row.optional_number("peak_tops_int8"),
        peak_tflops_fp4=row.optional_number("peak_tflops_fp4"),
        idle_w=row.optional_number("idle_w"),
        embodied_kgco2e=row.optional_number("embodied_kgco2e"),
        embodied_source=sources.describe(embodied_source) if embodied_source else None,
        source=sources.describe(row.text("source")),
        note=row.text("note"),
    )
