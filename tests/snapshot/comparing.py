"""What of the pinned answers is no longer so."""

import json
import math
from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).parent / "golden"
_TOLERANCE = 1e-12


def differences(pinned: Any, found: Any, at: str = "") -> list[str]:
    """Every place at which `found` is not what was pinned; more fields of an object are welcome, fewer are not."""
    if isinstance(pinned, dict) and isinstance(found, dict):
        lost = [f"{at}/{name}: is gone" for name in pinned if name not in found]
        kept = [name for name in pinned if name in found]
        return lost + [text for name in kept for text in differences(pinned[name], found[name], f"{at}/{name}")]
    if isinstance(pinned, list) and isinstance(found, list):
        if len(pinned) != len(found):
            return [f"{at}: had {len(pinned)} items, has {len(found)}"]
        pairs = enumerate(zip(pinned, found, strict=True))
        return [text for number, (one, other) in pairs for text in differences(one, other, f"{at}/{number}")]
    if type(pinned) is not type(found):
        return [f"{at}: was {pinned!r}, is {found!r}"]
    if isinstance(pinned, float):
        same = math.isclose(pinned, found, rel_tol=_TOLERANCE)
    else:
        same = pinned == found
    return [] if same else [f"{at}: was {pinned!r}, is {found!r}"]


def read_golden(name: str) -> Any:
    """The pinned answers of one file."""
    return json.loads((GOLDEN / f"{name}.json").read_text("utf-8"))


def write_golden(name: str, document: Any) -> None:
    """Pin the answers as they are now."""
    text = json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False)
    (GOLDEN / f"{name}.json").write_text(text + "\n", "utf-8")
