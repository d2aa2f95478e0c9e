"""What commands about one tenant say where nothing is known of it: a name that was mistyped looks like one that used nothing."""

from rice_stream.cli.base import STDERR
from rice_stream.reports.tenants import tenants
from rice_stream.store.engine import Engine
from rice_stream.store.scope import EVERYTHING


def remark_unknown(engine: Engine, tenant: str | None) -> None:
    """Say on stderr that there is no such tenant, where there is none; to be asked where an answer is empty."""
    if tenant is not None and not tenants(engine, EVERYTHING, only=tenant):
        STDERR.print(f"there is no tenant {tenant!r}, or nothing has come of it yet; see `rice-stream tenant list`")
