"""What estimates are made by, as one digest: equal for two estimators exactly when they are set up alike. Pure."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from rice_stream.meter.estimator_at import Estimator
from rice_stream.meter.requests import TokenDefaults

_DIGEST_BYTES = 16


def estimator_digest(estimator: Estimator, defaults: TokenDefaults, *, until_us: int) -> str:
    """32 hexadecimal digits over method (with a site's own measurements), tables, the factor sets that begin before an instant,
    the operator's choices with profiles and overrides, and the counts that stand in for unknown ones."""
    sets = () if estimator.history is None else estimator.history.editions
    made_of = {
        "method": estimator.method.version,
        "tables": estimator.reference.version,
        "sets": [[start_us, digest] for start_us, digest in sets if start_us < until_us],
        "policy": _plain(estimator.policy),
        "defaults": _plain(defaults),
    }
    text = json.dumps(made_of, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.blake2b(text.encode(), digest_size=_DIGEST_BYTES).hexdigest()


def _plain(value: Any) -> Any:
    """A value as JSON has it, with the names of its fields."""
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(each) for each in value]
    return value
