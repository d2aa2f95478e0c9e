"""`rice-stream serve`."""

import asyncio
import logging
import socket
from contextlib import closing

import click

from rice_stream.cli.base import Session, pass_session
from rice_stream.errors import UsageError
from rice_stream.runtime.logs import configure_logging
from rice_stream.runtime.settings.settings import Settings

log = logging.getLogger(__name__)

_BACKLOG = 512
_CHECK_TIMEOUT_S = 10.0


@click.command()
@pass_session
def serve(session: Session) -> None:
    """Serve HTTP: take events and put them on Kafka, and answer with totals and records; until SIGTERM or SIGINT.

    POST /v1/events takes JSON in any format that the worker reads, POST /v1/traces and /v1/logs take OTLP/HTTP. An
    answer of 2xx means that the broker has the events; prompts and answers are left out at the door.

    Example: RICE_HTTP_PORT=8080 rice-stream serve
    """
    from rice_stream.api.app import create_app, make_admission
    from rice_stream.api.ingestion.publishing import Publisher
    from rice_stream.api.limits import check_token
    from rice_stream.api.product import Product
    from rice_stream.api.server import serve_until_stopped
    from rice_stream.runtime.following_rules import following_formats

    settings = session.settings
    configure_logging(settings)
    check_token(settings)
    admission = make_admission(settings)
    asyncio.run(admission.check_start())
    with closing(_listen(settings)) as listener, following_formats(settings) as formats_now:
        publisher, product = Publisher(settings), Product(settings)
        try:
            publisher.check(_CHECK_TIMEOUT_S)
            host, port = listener.getsockname()[:2]
            log.info("taking events at http://%s:%d for topic %s", host, port, publisher.topic)
            serve_until_stopped(create_app(settings, publisher, admission, formats_now, product), listener)
        finally:
            publisher.close()
            product.close()


def _listen(settings: Settings) -> socket.socket:
    host, port = settings.http_host, settings.http_port
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise UsageError(
            f"RICE_HTTP_PORT: cannot listen on {host}:{port} ({error.strerror}); choose another"
        ) from error
