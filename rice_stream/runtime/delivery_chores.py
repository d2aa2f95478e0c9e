"""What a server that delivers does besides: it ends quiet hours, reminds, and makes statements of months."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from rice_stream.alerting.delivering import Chore
from rice_stream.alerting.holding import end_quiet_hours
from rice_stream.alerting.reminding import remind
from rice_stream.alerting.resealing import seal_with_key_in_force
from rice_stream.alerting.stating import Stating
from rice_stream.channels.letters import Letter
from rice_stream.channels.statements import statement_letter
from rice_stream.reports.statements import statements
from rice_stream.runtime.opening_secrets import open_secret_box
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.engine import Engine
from rice_stream.store.scope import EVERYTHING

_HELD_EVERY_S, _REMIND_EVERY_S, _STATE_EVERY_S, _SEAL_EVERY_S = 1.0, 30.0, 600.0, 600.0


def delivery_chores(settings: Settings | None = None) -> tuple[Chore, ...]:
    """All of them, for one server; others may do the same at the same time. `settings` may name several keys of secrets."""
    key = None if settings is None else settings.secrets_key
    changes_key = key is not None and "," in key.get_secret_value()
    return (
        Chore("quiet hours", _HELD_EVERY_S, end_quiet_hours),
        Chore("reminders", _REMIND_EVERY_S, remind),
        Chore("statements", _STATE_EVERY_S, Stating(letters_of).make),
        *([Chore("secrets", _SEAL_EVERY_S, _sealing(settings))] if settings is not None and changes_key else ()),
    )


def _sealing(settings: Settings) -> Callable[[Engine], object]:
    """Puts secrets under the first key."""

    def run(engine: Engine) -> object:
        return seal_with_key_in_force(engine, open_secret_box(settings))

    return run


def letters_of(engine: Engine, tenant: str, month: str) -> Mapping[tuple[str, ...], Letter]:
    """The statement of each team of a tenant, by its name, and of each cost centre, by `cost_centre` and its name; `month` as in
    2026-10."""
    now = datetime.now(UTC)
    teams = statements(engine, EVERYTHING, tenant, month, now)
    centres = statements(engine, EVERYTHING, tenant, month, now, by="cost_centre")
    return {
        **{(figures["team_id"],): statement_letter(figures) for figures in teams},
        **{("cost_centre", figures["cost_centre"]): statement_letter(figures) for figures in centres},
    }
