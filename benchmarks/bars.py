"""What `make bench` must reach: ratios below which (or above which) it fails, once all rows are measured and written down."""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from math import isinf
from typing import Any, NamedTuple


class Bar(NamedTuple):
    """A bound on the ratio of the rows whose name and whose other's name match these patterns of the shell."""

    name: str
    beside: str
    at_least: float = float("-inf")
    at_most: float = float("inf")

    def is_missed_by(self, row: Mapping[str, Any]) -> bool:
        """Whether the row is one of these, and beyond the bound."""
        of_these = fnmatchcase(row["name"], self.name) and fnmatchcase(row["ceiling_name"], self.beside)
        return of_these and not self.at_least <= row["ratio"] <= self.at_most

    def __str__(self) -> str:
        return f"at most {self.at_most:g}" if isinf(self.at_least) else f"at least {self.at_least:g}"


BARS = (
    Bar("kafka to postgresql", "Faust agent*", at_least=14),
    Bar("kafka to postgresql", "bare binary COPY*", at_least=0.4),
    Bar("live at 5,000/s: worker, PostgreSQL and broker", "catching up*", at_most=2),
    Bar("live at 500/s: processors used", "a processor", at_most=0.15),
    Bar("alert after its crossing, p99", "limit", at_most=1),
    Bar("webhook after its crossing at 5,000*", "limit", at_most=1),
    Bar("alert after its crossing at 0.7*", "at 1,000*", at_most=3),
    Bar("alert of an event behind a backlog, after*", "limit", at_most=1),
    Bar("half of the events sent twice", "each sent once", at_least=0.75),
    Bar("worker of two processes", "of one", at_least=1.4),
    Bar("decode where one in 100 is odd", "none odd", at_least=0.5),
    *(
        Bar(f"decode {name}", "json.loads*", at_least=0.8)
        for name in ("litellm", "langfuse", "bedrock", "kong", "envoy")
    ),
    Bar("decode otlp json*", "json.loads*", at_least=0.6),
    Bar("decode otlp protobuf*", "protobuf parse*", at_least=0.4),
    Bar("LiteLLM to postgresql", "canonical events*", at_least=0.35),
    Bar("into a store of*", "into an empty store", at_least=0.8),
    Bar("kafka to sqlite", "Faust agent*", at_least=6),
    Bar("restating by *", "taking them in", at_least=0.5),
    Bar("restating beside a worker", "taking in alone", at_least=0.2),
    Bar("growth of that worker's lag", "fed", at_most=0.02),
    Bar("peak memory of restating", "limit", at_most=1),
    Bar("totals of a tenant with entries*p99", "without entries", at_most=1.3),
    Bar("*of a month of *", "limit*", at_most=1),
    Bar("export of a month of 10,000,000*", "asked for", at_least=1),
    Bar("restating of a month of * from the archive", "from PostgreSQL", at_least=1.5),
    Bar("worker peak memory", "limit", at_most=350 / 300),
    *(
        Bar(f"{question}, answered", "SELECT 1", at_least=0.4)
        for question in ("totals of a tenant", "rolling totals of a tenant", "pages of prompts", "explanations*")
    ),
    Bar("*held by row-level security, p50", "not held", at_most=1.5),
)


ALL_OF_THEM_S = 25 * 60
"""How long `make bench` may take."""


def too_long(took_s: Mapping[str, int]) -> list[str]:
    """A sentence where benchmarks took longer together than all of them may, with those that took longest."""
    whole_s = sum(took_s.values())
    if whole_s <= ALL_OF_THEM_S:
        return []
    longest = sorted(took_s, key=lambda name: -took_s[name])[:5]
    told = ", ".join(f"{name} {took_s[name]} s" for name in longest)
    return [f"all of it took {whole_s / 60:.1f} min, asked for at most {ALL_OF_THEM_S / 60:.0f}: {told}"]


def missed(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """A sentence for each row that is beyond its bar."""
    return [
        f"{row['name']}: {row['ratio']:.3g} of {row['ceiling_name']}, asked for {bar}"
        for row in rows
        for bar in BARS
        if bar.is_missed_by(row)
    ]
