"""What a server does about checkpoints: it makes them when entries have waited, and publishes them."""

from collections.abc import Callable
from uuid import uuid4

from rice_stream.alerting.delivering import Chore
from rice_stream.ledger.publishing import publish_checkpoints
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.audit import Actor
from rice_stream.store.engine import Engine

BY = Actor("worker", "checkpoints")
_LOOK_EVERY_S, _SEAL_EVERY_S = 10.0, 600.0


def checkpoint_chores(settings: Settings) -> tuple[Chore, ...]:
    """None without RICE_SECRETS_KEY: the key that signs is kept encrypted, and so nothing can be signed."""
    if settings.secrets_key is None:
        return ()
    several = "," in settings.secrets_key.get_secret_value()
    return (
        Chore("checkpoints", _LOOK_EVERY_S, _making(settings)),
        *([Chore("signing keys", _SEAL_EVERY_S, _sealing(settings))] if several else ()),
    )


def _making(settings: Settings) -> Callable[[Engine], object]:
    """Publishing comes after making, so that a new one goes out at once; what could not is tried again."""
    from rice_stream.runtime.checkpoint_places import checkpoint_places

    places, holder = checkpoint_places(settings), uuid4().hex

    def run(engine: Engine) -> object:
        from rice_stream.ledger.checkpoints import make_when_due  # what signs takes a while to load
        from rice_stream.runtime.opening_secrets import open_secret_box

        origin, every_s = settings.checkpoint_origin, settings.checkpoint_every_s
        make_when_due(engine, open_secret_box(settings), origin=origin, every_s=every_s, by=BY)
        return publish_checkpoints(engine, places, holder)

    return run


def _sealing(settings: Settings) -> Callable[[Engine], object]:
    def run(engine: Engine) -> object:
        from rice_stream.ledger.checkpoints import seal_keys_again
        from rice_stream.runtime.opening_secrets import open_secret_box

        return seal_keys_again(engine, open_secret_box(settings))

    return run
