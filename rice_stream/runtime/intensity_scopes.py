"""That carbon with and without the making of plants and fuels (`lifecycle`, `direct`) is never added up in one ledger."""

from rice_stream.errors import UsageError
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.engine import Engine, reading
from rice_stream.store.intensity_scopes import other_scope
from rice_stream.store.stored_records import tenant_keys

_NEVER = "carbon with and without the making of plants and fuels is never added up"


def check_recorded_scope(settings: Settings, engine: Engine) -> None:
    """UsageError: what is recorded was estimated by another scope than the settings'. `engine` sees everything."""
    with reading(engine) as connection:
        other = other_scope(connection, settings.rci_scope)
    if other is not None:
        raise UsageError(
            f"RICE_RCI_SCOPE: {settings.rci_scope}, but what is recorded was estimated by {other} intensities; {_NEVER}: set it to"
            f' {other}, or restate all that is recorded first (docs/operations.md, "Another scope")'
        )


def check_restated_scope(settings: Settings, engine: Engine, from_us: int, to_us: int, tenant_id: str | None) -> None:
    """UsageError: with what is restated by the settings' scope, totals would add up both. `engine` sees everything."""
    with reading(engine) as connection:
        tenant_key = None if tenant_id is None else tenant_keys(connection).get(tenant_id)
        other = other_scope(connection, settings.rci_scope, but_for=(from_us, to_us), tenant_key=tenant_key)
    if other is not None:
        raise UsageError(
            f"RICE_RCI_SCOPE: {settings.rci_scope}, but prompts that are not restated here were estimated by {other} intensities;"
            f" {_NEVER}: set it to {other}, or restate all that is recorded, of every tenant, at once"
        )
