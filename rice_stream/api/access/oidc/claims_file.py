"""Reading RICE_OIDC_CLAIMS_FILE."""

from pathlib import Path
from typing import Any

import yaml

from rice_stream.api.access.oidc.claims import ClaimRules, parse_claim_rules
from rice_stream.errors import UsageError


class _StrictLoader(yaml.SafeLoader):
    """A group that is named twice is a mistake: YAML itself would let the second one win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 (yaml's)
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str) and key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key!r} is named twice", key_node.start_mark)
            seen.add(key if isinstance(key, str) else None)
        return super().construct_mapping(node, deep=deep)


def read_claim_rules(path: Path) -> ClaimRules:
    """The rules of the file. UsageError: it cannot be read, is not YAML, or lists every problem with its field."""
    try:
        # Nothing but plain values is made: the loader is a SafeLoader.
        loaded = yaml.load(path.read_text("utf-8"), _StrictLoader)  # noqa: S506
    except OSError as error:
        raise UsageError(f"RICE_OIDC_CLAIMS_FILE: cannot read {path}: {error.strerror}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise UsageError(f"RICE_OIDC_CLAIMS_FILE: {path} is not YAML: {error}") from error
    return parse_claim_rules(loaded, str(path))
