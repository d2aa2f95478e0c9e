"""The fallback rows of rice_stream/reference/data/derived: ranges for models of which little more than a word is known.

Part of training/reference_tables.py, which is what to run.
"""

import statistics
from collections.abc import Mapping
from fnmatch import fnmatchcase

from rice_stream.reference.models.names import joined, tokens
from rice_stream.reference.reading import Row
from training.reference_models import Cells

FAMILIES: Mapping[str, str] = {
    "gpt-nano": "*-gpt-*nano-*",
    "gpt-mini": "*-gpt-*mini-*",
    "gpt-pro": "*-gpt-*pro-*",
    "gpt-3.5": "*-gpt-3-5-*",
    "gpt-4o": "*-gpt-4o-*",
    "gpt-4": "*-gpt-4-*",
    "gpt-5": "*-gpt-5-*",
    "gpt-6": "*-gpt-6-*",
    "gpt-oss": "*-gpt-oss-*",
    "openai-o": "*-o-[0-9]-*",
    "openai-o-mini": "*-o-[0-9]-mini-*",
    "claude-haiku": "*-claude-*haiku-*",
    "claude-sonnet": "*-claude-*sonnet-*",
    "claude-opus": "*-claude-*opus-*",
    "claude-fable": "*-claude-*fable-*",
    "claude-mythos": "*-claude-*mythos-*",
    "gemini-flash-lite": "*-gemini-*flash-lite-*",
    "gemini-flash": "*-gemini-*flash-*",
    "gemini-pro": "*-gemini-*pro-*",
    "mistral-large": "*-mistral-large-*",
    "mistral-medium": "*-mistral-medium-*",
    "mistral-small": "*-mistral-small-*",
    "ministral": "*-ministral-*",
    "command-r": "*-command-r-*",
    "command-a": "*-command-a-*",
    "deepseek": "*-deepseek-*",
    "kimi": "*-kimi-*",
    "glm": "*-glm-*",
    "minimax": "*-minimax-*",
    "grok-fast": "*-grok-*fast-*",
    "grok": "*-grok-*",
    "nova": "*-nova-*",
    "jamba": "*-jamba-*",
    "phi": "*-phi-[0-9]-*",
    "nemotron": "*-nemotron-*",
    "llama": "*-llama-*",
    "qwen-max": "*-qwen-*max-*",
    "qwen": "*-qwen-*",
    "gemma": "*-gemma-*",
    "granite": "*-granite-*",
    "gpt": "*-gpt-*",
    "claude": "*-claude-*",
    "gemini": "*-gemini-*",
    "mistral": "*-mistral-*",
    "embedding": "*embed*",
}
MAKERS = ("gpt", "claude", "gemini", "mistral")
"""Families that hold all others of the same maker."""
SIZE_CLASSES: Mapping[str, tuple[str, ...]] = {
    "small": ("nano", "micro", "tiny", "lite", "light", "mini", "small", "haiku", "instant"),
    "medium": ("medium", "flash", "fast", "turbo", "sonnet", "plus"),
    "large": ("large", "pro", "max", "ultra", "opus", "heavy", "premier", "xl", "xxl"),
}
LEAST_RATIO = {"family": 2.0, "size_class": 4.0, "provider": 6.0, "default": 10.0}
"""No fallback is narrower (high over low) than this, however alike its members are."""
TAIL_SHARE = {"family": 0.0, "size_class": 0.05, "provider": 0.05, "default": 0.05}
"""Share of the members that may lie outside at each end."""
SERVED_FROM_B = 7.0
"""Open models from this size on count among those that a gateway is likely to call."""


def fallback_rows(rows: list[Row]) -> list[Cells]:
    """Ranges for names of which only the family, a size word, the vendor or nothing is known."""
    models = [_figures(row) for row in rows]
    listed = [model for model in models if not model["benchmark"]]
    closed = [model for model in listed if model["estimated"]]
    found = []
    for family, pattern in FAMILIES.items():
        members = [model for model in listed if _family(model["id"]) == family]
        if family in MAKERS:
            members = [model for model in listed if fnmatchcase(joined(tokens(model["id"])), pattern)]
        if members:
            found.append(_fallback(f"family:{family}", "family", pattern, members))
    for size, words in SIZE_CLASSES.items():
        members = [model for model in closed if set(tokens(model["id"])) & set(words)]
        if members:
            found += [_fallback(f"size_class:{size}", "size_class", f"*-{word}-*", members) for word in words]
    for owner in sorted({model["owner"] for model in closed}):
        members = [model for model in closed if model["owner"] == owner and _family(model["id"]) != "embedding"]
        if len(members) > 1:
            found.append(_fallback(f"provider:{owner}", "provider", owner, members))
    served = closed + [model for model in listed if not model["estimated"] and model["total"][1] >= SERVED_FROM_B]
    return [*found, _fallback("default", "default", "*", served)]


def _family(model_id: str) -> str:
    """The family of the longest pattern that fits, as the look-up picks it."""
    text = joined(tokens(model_id))
    fitting = [
        (-len(pattern.replace("*", "")), family) for family, pattern in FAMILIES.items() if fnmatchcase(text, pattern)
    ]
    return min(fitting)[1] if fitting else ""


def _figures(row: Row) -> Cells:
    def three(prefix: str) -> tuple[float, float, float] | None:
        mid = row.optional_number(prefix)
        low, high = row.optional_number(f"{prefix}_low"), row.optional_number(f"{prefix}_high")
        return None if mid is None else (mid if low is None else low, mid, mid if high is None else high)

    total = three("params_total_b")
    if total is None:
        raise ValueError(f"{row.where}: no middle value")
    return {
        "id": row.text("model_id"),
        "owner": row.text("owner"),
        "benchmark": row.text("source").startswith(("ml-energy", "llm-perf", "rice-measured", "hf-benchmarked")),
        "estimated": row.flag("estimated"),
        "total": total,
        "active": three("params_active_b") or total,
    }


def _fallback(name: str, rung: str, pattern: str, members: list[Cells]) -> Cells:
    """Quantiles of the members' lows and highs around the median of their middles, at least LEAST_RATIO wide."""
    cells: Cells = {"fallback_id": name, "rung": rung, "pattern": pattern}
    half = LEAST_RATIO[rung] ** 0.5
    for what in ("total", "active"):
        low = _quantile([member[what][0] for member in members], TAIL_SHARE[rung])
        mid = statistics.median(member[what][1] for member in members)
        high = _quantile([member[what][2] for member in members], 1 - TAIL_SHARE[rung])
        low, high = min(low, mid / half), max(high, mid * half)
        prefix = f"params_{what}_b"
        cells |= {f"{prefix}_low": f"{low:.4g}", prefix: f"{mid:.4g}", f"{prefix}_high": f"{high:.4g}"}
    return {**cells, "source": "spread-models", "note": f"from {len(members)} models"}


def _quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    position = share * (len(ordered) - 1)
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (position - below) * (ordered[above] - ordered[below])
