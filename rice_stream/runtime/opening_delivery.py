"""Sending deliveries beside what else a process does: in a thread of its own, so that neither holds up the other."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rice_stream.alerting.delivering import Chore, Deliverer, DeliveryMetrics, DeliveryTimes
from rice_stream.channels.answers import Send
from rice_stream.channels.definition import Secrets
from rice_stream.channels.schedule import Schedule
from rice_stream.errors import ServiceUnavailableError
from rice_stream.feeds.allowed_hosts import AllowedHosts
from rice_stream.runtime.opening_api import open_own_store
from rice_stream.runtime.opening_secrets import open_secret_box
from rice_stream.runtime.settings.settings import Settings
from rice_stream.store.engine import Engine

if TYPE_CHECKING:
    from rice_stream.alerting.sending import Sender
    from rice_stream.runtime.secret_box import FernetBox


@contextmanager
def delivering(
    settings: Settings,
    metrics: DeliveryMetrics,
    *,
    chores: Sequence[Chore] = (),
    times: DeliveryTimes | None = None,
    schedule: Schedule | None = None,
) -> Iterator[None]:
    """Deliveries of the settings' database are sent until the block ends; what is being sent then may end.

    The database may be away, or not there yet. UsageError: RICE_SECRETS_KEY or RICE_ALERT_ALLOWED_HOSTS is wrong.
    """
    means = _Means(settings)
    options: dict[str, Any] = {"chores": chores, "times": times, "schedule": schedule}
    deliverer = Deliverer(means.engine, means.send, means.unseal, metrics, **options)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=_run, args=(loop, deliverer), name="rice-deliveries", daemon=True)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(deliverer.stop)
        thread.join()
        means.close()


def _run(loop: asyncio.AbstractEventLoop, deliverer: Deliverer) -> None:
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(deliverer.run())


class _Means:
    """What deliveries are sent with: each is opened when it is asked for, and once. What speaks HTTP and SMTP, and what decrypts,
    takes a while to load, and many servers never send anything."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.RLock()
        self._engine: Engine | None = None
        self._sender: Sender | None = None
        self._box: FernetBox | None = None
        self._allowed = AllowedHosts.parse(settings.alert_allowed_hosts)
        if settings.secrets_key is not None:
            self._open_box()  # what is wrong with the keys is said at the start

    def engine(self) -> Engine:
        """The database. ServiceUnavailableError: it is not there, or does not answer; SchemaChangedError: another version's."""
        with self._lock:
            if self._engine is None:
                self._engine = open_own_store(self._settings)
            if self._engine is None:
                raise ServiceUnavailableError("RICE_DATABASE_URL: nothing is there yet; run `rice-stream migrate`")
            return self._engine

    def send(self) -> Send:
        """How a delivery is sent."""
        with self._lock:
            if self._sender is None:
                from rice_stream.alerting.sending import Sender

                self._sender = Sender(self._allowed, public_url=self._settings.http_public_url)
            return self._sender.send

    def unseal(self, channel: str, sealed: bytes) -> Secrets:
        """What is secret of a channel. UsageError: the keys of the settings do not open it."""
        with self._lock:
            return self._open_box().open(channel, sealed)

    def _open_box(self) -> "FernetBox":
        if self._box is None:
            self._box = open_secret_box(self._settings)
        return self._box

    def close(self) -> None:
        """Let go of the database."""
        if self._engine is not None:
            self._engine.dispose()
