"""One request with events, from its sender to the broker: who it is, what it holds, and what of it is published or kept."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from http import HTTPStatus

from fastapi import Request

from rice_stream.api.access.callers import Caller
from rice_stream.api.access.rights import Right
from rice_stream.api.access.shares import IN_FLIGHT_MAX, REQUESTS_MAX
from rice_stream.api.bodies import BodyReader, content_encoding, media_type
from rice_stream.api.ingestion.answers import (
    REFUSED_LISTED_MAX,
    check_all_are_events,
    check_any_is_otlp,
    check_not_all_forbidden,
)
from rice_stream.api.ingestion.publishing import BrokerBehindError, Outgoing, Publisher
from rice_stream.api.ingestion.receiving import Received, receive
from rice_stream.api.ingestion.refusals import RefusalLog
from rice_stream.api.limits import AtOnce
from rice_stream.api.metrics import ServerMetrics
from rice_stream.api.problems import ProblemError, later, too_many
from rice_stream.errors import ServiceUnavailableError
from rice_stream.events.formats.reading.options import AUTO, FormatOptions
from rice_stream.events.records import TooManyItemsError
from rice_stream.runtime.settings.settings import Settings

log = logging.getLogger(__name__)

RETRY_AFTER_S = 5
"""When to come back after a broker that lags or is gone."""


FormatsNow = Callable[[], FormatOptions]
"""How records are read, as the database says by now."""


class Gateway:
    """What the event routes share: settings, the producer, limits and counters."""

    def __init__(
        self, settings: Settings, publisher: Publisher, metrics: ServerMetrics, formats_now: FormatsNow | None = None
    ) -> None:
        self.publisher = publisher
        self.metrics = metrics
        self._formats_now = formats_now or settings.format_options
        self._bodies = BodyReader(settings.http_body_max_bytes)
        self._refusals = RefusalLog(self.metrics.unkept.inc)
        self._requests = AtOnce(REQUESTS_MAX, f"{REQUESTS_MAX} requests are being sent already")
        self._in_flight = AtOnce(IN_FLIGHT_MAX, f"{IN_FLIGHT_MAX} requests wait for the broker already")

    async def take(
        self, request: Request, sender: Caller, allowed: frozenset[str], format_: str
    ) -> tuple[str, Received]:
        """Read, understand and publish one request; returns its media type and what it held. ProblemError: why not."""
        with self._requests.one_more():
            named = media_type(request, allowed)
            packed = await self._bodies.read(request, sender.share.held)
            # Counted from here on: a sender that stops within a body must not take the place of another.
            with self._in_flight.one_more():
                async with sender.share.reads:
                    # In a thread: a large body must not keep other requests and the broker's answers waiting.
                    received = await asyncio.to_thread(self._understood, packed, request, format_, sender)
                await self._answered_for(received, request, format_, sender)
        self.metrics.count(received)
        return named, received

    def _understood(self, packed: bytes, request: Request, format_: str, sender: Caller) -> Received:
        body = self._bodies.unpacked(packed, content_encoding(request))
        options = replace(self._formats_now(), topic_formats={}, default_format=format_)
        try:
            return receive(
                body,
                request.headers.items(),
                options,
                sender.grant(Right.SEND_EVENTS),
                refused_max=REFUSED_LISTED_MAX + 1 if format_ == AUTO else None,
                sender=sender.name,
            )
        except TooManyItemsError as error:
            raise too_many(str(error)) from error

    async def _answered_for(self, received: Received, request: Request, format_: str, sender: Caller) -> None:
        """Publish what is to be published. ProblemError: nothing of the body was taken, or the broker did not confirm it."""
        path = request.scope["path"]
        try:
            if format_ == AUTO:
                check_all_are_events(received)
            else:
                check_any_is_otlp(received)
            check_not_all_forbidden(received)
        except ProblemError:
            await self._keep_refusals(received, path, sender)
            raise
        refusals = self._refusals.record_of(received, path, sender)
        with sender.share.events(len(received.events)):
            await self._publish([*received.events, *([refusals] if refusals is not None else [])])
        self._refusals.kept(received, sender)

    async def _keep_refusals(self, received: Received, path: str, sender: Caller) -> None:
        """What the sender is told does not depend on it."""
        record = self._refusals.record_of(received, path, sender)
        if record is None:
            return
        try:
            await self.publisher.publish([record])
        except ServiceUnavailableError as error:
            self._refusals.not_confirmed(received)
            log.warning("refused items of POST %s by %s are not kept: %s", path, sender.name, error)
        else:
            self._refusals.kept(received, sender)

    async def _publish(self, records: Sequence[Outgoing]) -> None:
        try:
            await self.publisher.publish(records)
        except BrokerBehindError as error:
            raise later(HTTPStatus.TOO_MANY_REQUESTS, str(error), RETRY_AFTER_S) from error
        except ServiceUnavailableError as error:
            log.warning("answered 503: %s", error)
            raise later(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "the broker did not confirm the events; send them again, what did arrive counts once",
                RETRY_AFTER_S,
            ) from error
