"""Keys for names where no database gives them out: good for one table, which has the names themselves in their place."""

from collections.abc import Hashable, Iterable, Sequence
from typing import Any, TypeVar

from rice_stream.store.dimensions import AttributionIdentity

N = TypeVar("N", bound=Hashable)


class KeysAtHand:
    """Gives names the numbers 0, 1, 2 ... in the order in which it is asked for them; and tells them again."""

    def __init__(self) -> None:
        self._tenants: dict[str, int] = {}
        self._attributions: dict[AttributionIdentity, int] = {}
        self._principals: dict[tuple[int, str], int] = {}
        self._factors: dict[bytes, int] = {}
        self.factor_rows: list[dict[str, Any]] = []
        """Rows of `factor_use` by their key."""

    def tenants(self, names: Iterable[str]) -> dict[str, int]:
        """See `KeyGiver`."""
        return {name: _key(self._tenants, name) for name in names}

    def attributions(self, identities: Iterable[AttributionIdentity]) -> dict[AttributionIdentity, int]:
        """See `KeyGiver`."""
        return {identity: _key(self._attributions, identity) for identity in identities}

    def principals(self, kind: str, identities: Iterable[tuple[int, str]]) -> dict[tuple[int, str], int]:
        """See `KeyGiver`. Users and API keys of one name have one key."""
        del kind
        return {identity: _key(self._principals, identity) for identity in identities}

    def factors(self, rows: Sequence[dict[str, Any]]) -> dict[bytes, int]:
        """See `KeyGiver`."""
        for row in rows:
            if _key(self._factors, row["digest"]) == len(self.factor_rows):
                self.factor_rows.append(row)
        return {row["digest"]: self._factors[row["digest"]] for row in rows}

    def basis(self, flags: Iterable[int]) -> None:
        """See `KeyGiver`: the flags say themselves what they are."""

    def records_from_us(self) -> int:
        """See `KeyGiver`: nothing was dropped."""
        return 0

    @property
    def tenant_names(self) -> list[str]:
        """By their key."""
        return list(self._tenants)

    @property
    def attribution_identities(self) -> list[AttributionIdentity]:
        """By their key."""
        return list(self._attributions)

    @property
    def principal_names(self) -> list[str]:
        """By their key."""
        return [name for _, name in self._principals]


def _key(known: dict[N, int], name: N) -> int:
    return known.setdefault(name, len(known))
