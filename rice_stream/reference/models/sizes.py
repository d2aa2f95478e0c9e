"""Parameter counts read from a model's name: `llama-9-70b`, `mixtral-8x22b`, `qwen9-235b-a22b`, `smol-360m`. Pure."""

import re
from dataclasses import dataclass

from rice_stream.reference.models.names import FIREWORKS_POINT, clean

MIN_PARAMS_B = 0.005
MAX_PARAMS_B = 10_000.0
"""Sizes outside are no parameter counts (context lengths, version numbers)."""

SPARSE_FROM_B = 100.0
"""From this size on a model may be a mixture of experts without its name saying so (gpt-oss-120b, Mistral Large 3)."""
SPARSE_ACTIVE_SHARE = 0.05
"""Smallest active share among the sparse models of models.csv whose name carries no active size (0.044-0.06)."""
EXPERTS_TOTAL_SHARE = 0.82
"""`NxMb`: shared layers count once. Mixtral 8x7B has 46.7 B of 56, 8x22B 140.6 of 176."""
EXPERTS_ACTIVE = (1.0, 1.8, 2.0)
"""`NxMb`: active over M. Two experts a token: Mixtral 8x7B has 12.9 B over 7, 8x22B 39.1 over 22."""
ROUTED_TOTAL = (4.0, 8.0, 30.0)
"""`17b-16e`: the size is the active one. Total over active: Llama 4 Scout 6.4, Maverick (128 experts) 23.5."""

_SIZE = r"(\d{1,5}(?:[._]\d{1,3})?)"
_ANY = re.compile(r"\d[btm](?![a-z])")
_EXPERTS = re.compile(rf"(?<!\d)(\d{{1,3}})x{_SIZE}b(?![a-z0-9])")
_ACTIVE = re.compile(rf"(?<![a-z0-9])a{_SIZE}b(?![a-z0-9])")
_HALF = re.compile(r"(?<![\d.])(\d{1,2})b(\d)(?![a-z0-9])")
_BILLIONS = re.compile(rf"(?<![\d._]){_SIZE}b(?![a-z0-9])")
_TRILLIONS = re.compile(rf"(?<![\d._]){_SIZE}t(?![a-z0-9])")
_MILLIONS = re.compile(r"(?<![\d._])(\d{2,3})m(?![a-z0-9])")
_ROUTED = re.compile(r"(?<![a-z0-9])\d{1,3}e(?![a-z0-9])")
_NOT_SIZES = re.compile(r"(?<![a-z0-9])\d{1,2}-?bits?(?![a-z0-9])")


@dataclass(frozen=True, slots=True)
class NamedSize:
    """Low, middle and high of total and active parameters in billions, before the spread of names is applied."""

    total_b: tuple[float, float, float]
    active_b: tuple[float, float, float]

    @property
    def label(self) -> str:
        """`size:70b`, `size:235b-a22b`: what the record calls the model."""
        total, active = self.total_b[1], self.active_b[1]
        return f"size:{total:g}b" if active == total else f"size:{total:g}b-a{active:g}b"


def size_in_name(name: str) -> NamedSize | None:
    """The size that a name states, None where it states none."""
    text = clean(name)
    if not _ANY.search(text):
        return None
    text = _NOT_SIZES.sub(" ", FIREWORKS_POINT.sub(".", text))
    experts = _EXPERTS.search(text)
    if experts:
        count, each = float(experts.group(1)), _number(experts.group(2))
        if each is not None and _possible(count * each):
            total = round(EXPERTS_TOTAL_SHARE * count * each, 2)
            low, mid, high = (min(share * each, total) for share in EXPERTS_ACTIVE)
            return NamedSize((total, total, count * each), (low, mid, high))
    active = next((value for match in _ACTIVE.finditer(text) if (value := _number(match.group(1)))), None)
    plain = _ACTIVE.sub(" ", text)
    total_b = _largest(plain)
    if total_b is None:
        return _from_active(active) if active is not None and _possible(active) else None
    if active is not None and active <= total_b:
        return NamedSize((total_b,) * 3, (active,) * 3)
    if _ROUTED.search(plain):
        low, mid, high = (share * total_b for share in ROUTED_TOTAL)
        return NamedSize((low, mid, high), (total_b,) * 3)
    floor = SPARSE_ACTIVE_SHARE * total_b if total_b >= SPARSE_FROM_B else total_b
    return NamedSize((total_b,) * 3, (floor, total_b, total_b))


def _from_active(active: float) -> NamedSize:
    low, mid, high = (share * active for share in ROUTED_TOTAL)
    return NamedSize((low, mid, high), (active,) * 3)


def _largest(text: str) -> float | None:
    """The largest size in billions; sizes in thousands or thousandths only where no plain one stands."""
    found = [_number(match.group(1)) for match in _BILLIONS.finditer(text)]
    found += [float(f"{match.group(1)}.{match.group(2)}") for match in _HALF.finditer(text)]
    if not found:
        found = [1000 * value for match in _TRILLIONS.finditer(text) if (value := _number(match.group(1)))]
    if not found:
        found = [float(match.group(1)) / 1000 for match in _MILLIONS.finditer(text)]
    possible = [value for value in found if value is not None and _possible(value)]
    return max(possible, default=None)


def _possible(value: float) -> bool:
    return MIN_PARAMS_B <= value <= MAX_PARAMS_B


def _number(text: str) -> float | None:
    value = float(text.replace("_", "."))
    return value if value > 0 else None
