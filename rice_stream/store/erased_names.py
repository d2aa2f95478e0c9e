"""Stand-ins of erased names: what is kept in the place of a name, so that sums stay whole and nobody can read it.

A stand-in is a keyed digest of the name, so whoever has been erased is recognised when events name them again: they are recorded
under the stand-in, and a repeated event is still the same one. Of an erased tenant no name at all is kept.
"""

import hmac
import re
import secrets
from collections.abc import Iterable

from sqlalchemy import Connection, insert, select

from rice_stream.store import schema
from rice_stream.store.database_clock import database_now_us

PURPOSE = "erasure"
"""Of the server key that names are hashed with."""
_HEX = 32
_STAND_IN = re.compile(rf"erased-[0-9a-f]{{{_HEX}}}")
ATTRIBUTION_KINDS = {"team_id": "team", "project_id": "project", "source": "source", "cost_centre": "cost_centre"}
"""Columns of attributions -> the kind of their names."""


class StandIns:
    """Makes the stand-ins of one installation; without a key nobody has been erased, and there are none."""

    def __init__(self, connection: Connection, key: bytes | None) -> None:
        self._connection = connection
        self._key = key
        self._tenants: dict[int, bool] = {}

    @property
    def are_there(self) -> bool:
        """Whether anybody has been erased."""
        return self._key is not None

    def of(self, kind: str, name: str, tenant_key: int = 0) -> str:
        """What stands for the name of a `user`, `api_key`, `team` ... of a tenant, or of a `tenant` (0). ValueError: no key."""
        if self._key is None:
            raise ValueError("there is no key to erase with")
        if is_stand_in(name):
            return name
        said = "\0".join((kind, str(tenant_key), name)).encode("utf-8", "surrogatepass")
        return f"erased-{hmac.new(self._key, said, 'sha256').hexdigest()[:_HEX]}"

    def identity(self, table: str, identity: tuple[object, ...]) -> tuple[object, ...] | None:
        """An identity of a table of names, with stand-ins for its names; None: the table has no such names.

        Of attributions and principals of `identity[0]`, a tenant_key; attributions only where the whole tenant is erased.
        """
        if self._key is None:
            return None
        match table, identity:
            case "tenant", (str(name),):
                return (self.of("tenant", name),)
            case "principal", (int(tenant_key), str(kind), str(name)):
                return tenant_key, kind, self.of(kind, name, tenant_key)
            case "attribution", (int(tenant_key), *names, said_key) if self.is_erased(tenant_key):
                kinds = ATTRIBUTION_KINDS.values()
                return tenant_key, *self._all(kinds, names, tenant_key), said_key
        return None

    def is_erased(self, tenant_key: int) -> bool:
        """Whether the whole tenant is erased: its names are never written."""
        if tenant_key not in self._tenants:
            columns = schema.tenant.c
            name = self._connection.scalar(select(columns.tenant_id).where(columns.tenant_key == tenant_key))
            self._tenants[tenant_key] = name is not None and is_stand_in(name)
        return self._tenants[tenant_key]

    def _all(self, kinds: Iterable[str], names: Iterable[object], tenant_key: int) -> list[str]:
        pairs = zip(kinds, map(str, names), strict=True)
        return [name and self.of(kind, name, tenant_key) for kind, name in pairs]


def is_stand_in(name: str) -> bool:
    """Whether a name is the stand-in of one that was erased."""
    return _STAND_IN.fullmatch(name) is not None


def stand_ins(connection: Connection) -> StandIns:
    """Those of the database."""
    columns = schema.server_key.c
    key = connection.scalar(select(columns.key).where(columns.purpose == PURPOSE))
    return StandIns(connection, None if key is None else bytes(key))


def stand_ins_to_erase(connection: Connection) -> StandIns:
    """The same, with a key that is made by the first who erases anything; under the lock of keys."""
    found = stand_ins(connection)
    if found.are_there:
        return found
    key = secrets.token_bytes(32)
    values = {"purpose": PURPOSE, "key": key, "created_at_us": database_now_us(connection)}
    connection.execute(insert(schema.server_key).values(**values))
    return StandIns(connection, key)
